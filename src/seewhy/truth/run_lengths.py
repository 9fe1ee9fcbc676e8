"""Masks as run lengths, as COCO, CVAT and Label Studio write and read them."""

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


SIZES = (3, 4, 8, 16)  # bits of a length in Label Studio's form, of which each run takes the least that suffice


def label_studio_bytes(mask: Mask) -> bytes:
    """A mask (h, w) as Label Studio's brush has it: 255 and 0 in all four channels of each pixel, row by row, packed.

    32 bits say how many values there are, 5 how many bits each has (less 1), four times 4 the sizes of lengths (less 1).  Then
    for each run a bit 1, two bits for the size, the length less 1, and the value.
    Source: https://github.com/thi-ng/umbrella/tree/develop/packages/rle-pack, which Label Studio unpacks by.
    """
    bits = [f"{4 * mask.size:032b}{7:05b}", *(f"{size - 1:04b}" for size in SIZES)]
    for place, length in enumerate(run_lengths(mask.ravel())):
        left = 4 * length
        while left:
            part = min(left, 1 << SIZES[-1])
            which = next(k for k, size in enumerate(SIZES) if part <= 1 << size)
            bits.append(f"1{which:02b}{part - 1:0{SIZES[which]}b}" + ("1" * 8 if place % 2 else "0" * 8))
            left -= part
    text = "".join(bits)
    text += "0" * (-len(text) % 8)
    return int(text, 2).to_bytes(len(text) // 8)


def mask_of_label_studio(data: Sequence[int], shape: tuple[int, int]) -> Mask:
    """The mask (h, w) of what Label Studio's brush packed: where the last channel, opacity, is not 0.  Raises ValueError."""
    bits = _Bits(bytes(data))
    count, width = bits.take(32), bits.take(5) + 1
    sizes = [bits.take(4) + 1 for _ in range(4)]
    if count != 4 * shape[0] * shape[1]:
        raise ValueError(f"the brush has {count // 4} pixels of {shape[0] * shape[1]}")
    values, at = np.zeros(count, np.bool_), 0
    while at < count:
        same, length = bits.take(1), 1
        length += bits.take(sizes[bits.take(2)])
        if same:
            values[at : at + length] = bits.take(width) != 0
        else:
            part = values[at : at + length]
            part[:] = [bits.take(width) != 0 for _ in part]
        at += length
    return values.reshape(*shape, 4)[..., 3]


class _Bits:
    """Reads numbers of so many bits, the highest first."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def take(self, count: int) -> int:
        end = self._at + count
        if end > 8 * len(self._data):
            raise ValueError("the brush ends early")
        part = int.from_bytes(self._data[self._at // 8 : (end + 7) // 8])
        self._at = end
        return (part >> (-end % 8)) & ((1 << count) - 1)
