"""What to ask a network that gives no score per class: one of its boxes, or a place in its map."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from seewhy.arrays import Array, first_of
from seewhy.errors import NotApplicable

from .aim import ImageView
from .box import listed, together
from .detected import as_numbers, boxed, detected, yolo
from .region import dense
from .target import name_of


def instead(output: Any, seen: ImageView) -> str | None:
    """What can be asked of such a network, in words; None where the output is neither boxes nor a map."""
    if boxed(output) or yolo(output, seen):
        return f"gives boxes. {_best(output, seen)}"
    scores = _map(output, seen)
    if scores is None:
        return None
    k, grid = scores.shape[1], "x".join(map(str, scores.shape[2:]))
    if k == 1:
        return f"gives a map ({grid}). Explain a place in it: Point(y, x), or Region(None, mask) for the mean in a mask"
    found, counts = np.unique(as_numbers(scores)[0].argmax(0), return_counts=True)
    names = [str(name_of(seen.labels, int(i)) or int(i)) for i in found[np.argsort(-counts, kind="stable")][:4]]
    regions = " or ".join(f'target="region:{name}"' for name in names)
    return (
        f"gives a map ({grid}) of each of {k} classes. Explain a class where the network predicts it, a Region, here {regions}"
        "; or a Point(y, x), or a Region(class, mask)"
    )


def overall(output: Any, seen: ImageView) -> Array:
    """Numbers (n, k) that rest on all there is in such an answer."""
    if yolo(output, seen):
        output = first_of(output)
        return output.reshape(len(output), -1).mean(1)[:, None]
    if boxed(output):
        return together([one.chances.sum() for one in detected(output, seen)])[:, None]
    scores = dense(output, len(seen.space))
    return scores.reshape(*scores.shape[:2], -1).mean(2)


def _best(output: Any, seen: ImageView) -> str:
    """The strongest boxes, in words."""
    try:
        found = [one for one in listed(detected(output, seen)[0], seen) if one.index == 0][:3]
    except NotApplicable as error:
        return f"{error}".removesuffix(".")
    best = " or ".join(f'target="{one.target}" (score {one.score:.2f})' for one in found) or "it finds none here"
    return f"Explain one of them, a Box: {best}; seewhy.detections(model, image) lists them all"


def _map(output: Any, seen: ImageView) -> Array | None:
    """The dense scores in an output whose grid is of the image's proportions, and more than a point."""
    try:
        scores = dense(output, len(seen.space))
    except NotApplicable:
        return None
    return scores if max(scores.shape[2:]) > 1 and _alike(scores.shape[2:], seen.space) else None


def _alike(grid: Sequence[int], space: Sequence[int]) -> bool:
    """Is the grid the space in another size, to the rounding of a cell?"""
    shares = [cells / side for cells, side in zip(grid, space, strict=True)]
    return all(abs(share - shares[0]) * side <= 1.5 for share, side in zip(shares, space, strict=True))
