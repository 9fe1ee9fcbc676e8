"""Masks as run lengths, in the ways that COCO, CVAT and Label Studio write them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]


def run_lengths(flat: NDArray[Any]) -> list[int]:
    """The lengths of runs of equal values of a flat mask, that of the first zeros first, which may be 0."""
    edges = np.flatnonzero(np.diff(flat.astype(np.int8))) + 1
    lengths = np.diff(np.concatenate([[0], edges, [flat.size]])).tolist() if flat.size else []
    return [0, *lengths] if flat.size and flat[0] else lengths


def within(mask: Mask, at: Sequence[slice], shape: Sequence[int]) -> Mask:
    """A mask of a part of an image, in the image's own shape."""
    whole = np.zeros(shape, np.bool_)
    whole[tuple(at)] = mask
    return whole


def coco_counts(mask: Mask) -> str:
    """The run lengths of a mask (h, w), column by column, as pycocotools' compressed text.

    From the third on, each length is written as the difference to the one two before, in groups of five bits from the lowest,
    bit 32 telling that more follow, each plus 48 as an ASCII character.  Source: rleToString of cocoapi's maskApi.c.
    """
    lengths = run_lengths(mask.ravel(order="F"))
    text = bytearray()
    for place, length in enumerate(lengths):
        value = length - lengths[place - 2] if place > 2 else length
        more = True
        while more:
            group, value = value & 31, value >> 5
            more = value != (-1 if group & 16 else 0)
            text.append(48 + (group | 32 * more))
    return text.decode("ascii")


def mask_of_coco(counts: str | Sequence[int], shape: tuple[int, int]) -> Mask:
    """The mask (h, w) of COCO's run lengths, compressed or as numbers.  Raises ValueError where they do not fill it."""
    lengths = _coco_lengths(counts) if isinstance(counts, str) else [int(length) for length in counts]
    return _mask(lengths, (shape[1], shape[0])).T


def _coco_lengths(text: str) -> list[int]:
    lengths, value, shift = list[int](), 0, 0
    for letter in text.encode("ascii", "replace"):
        group = letter - 48
        if not 0 <= group < 64 or shift > 50:
            raise ValueError("they are no compressed run lengths of COCO")
        value |= (group & 31) << shift
        shift += 5
        if not group & 32:
            value -= (1 << shift) if group & 16 else 0
            lengths.append(value + (lengths[-2] if len(lengths) > 2 else 0))
            value = shift = 0
    return lengths


def _mask(lengths: Sequence[int], shape: tuple[int, int]) -> Mask:
    """The mask of run lengths that go row by row."""
    if min(lengths, default=0) < 0 or sum(lengths) != shape[0] * shape[1]:
        raise ValueError(f"the run lengths fill {sum(lengths)} pixels of {shape[0] * shape[1]}")
    return np.repeat(np.arange(len(lengths)) % 2 == 1, lengths).reshape(shape)


def mask_of_rows(lengths: Sequence[int], shape: tuple[int, int]) -> Mask:
    """The mask (h, w) of run lengths row by row, as CVAT writes them.  Raises ValueError where they do not fill it."""
    return _mask([int(length) for length in lengths], shape)
