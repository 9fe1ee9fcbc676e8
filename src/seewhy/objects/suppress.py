"""Boxes of several classes on one image: which are left out for a surer one in the same place."""

from collections.abc import Sequence
from math import prod

import numpy as np

from seewhy.errors import BadParameter
from seewhy.printable import quoted

from .found import FoundBox


def overlap(one: Sequence[tuple[float, float]], other: Sequence[tuple[float, float]]) -> float:
    """The part of two boxes together that both take, 0 to 1 (IoU), by their spans along any axes; 0 of empty boxes."""
    both = prod(max(0, min(a[1], b[1]) - max(a[0], b[0])) for a, b in zip(one, other, strict=True))
    either = sum(prod(high - low for low, high in spans) for spans in (one, other)) - both
    return both / either if either else 0.0


def suppressed(boxes: Sequence[FoundBox], most: float | None) -> dict[int, tuple[int, float]]:
    """Non-maximum suppression: the surest box stays, and those that overlap it by more than `most` are left out; of the rest
    the surest stays, and so on.

    most: of the IoU, 0 to 1; None: none is left out.  Equally sure boxes count in their order.
    Gives for the place of each box that is left out the place of the box that it is left out for, and their IoU.
    Raises BadParameter.
    """
    if most is None:
        return {}
    if isinstance(most, bool) or not isinstance(most, int | float | np.number) or not 0 <= float(most) <= 1:
        raise BadParameter(f"suppress={quoted(most)}: give an IoU from 0 to 1, as 0.5, or None, which leaves out no box.")
    out: dict[int, tuple[int, float]] = {}
    kept = list[int]()
    for place in surest(boxes):
        for winner in kept:
            if (shared := overlap(boxes[winner].spans, boxes[place].spans)) > most:
                out[place] = winner, shared
                break
        else:
            kept.append(place)
    return out


def surest(boxes: Sequence[FoundBox]) -> list[int]:
    """The places of the boxes, the surest first; equally sure ones in their order."""
    return sorted(range(len(boxes)), key=lambda place: -boxes[place].confidence)
