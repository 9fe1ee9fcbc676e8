"""What the dimensions of a tensor run over: images, channels, axes of space, and parts of these that a Reshape made."""

from collections.abc import Sequence
from math import prod
from typing import NamedTuple

IMAGES, CHANNELS = "n", "c"
AxisLabel = str | int  # one of these, or the number of an axis of space


class AxisPart(NamedTuple):
    """A dimension of an image batch, or what is left of it after it was cut into parts."""

    label: AxisLabel
    size: int
    step: int = 1  # along what was cut, from one entry of this part to the next
    rolled: int = 0  # by so many entries, those that left at one end came in at the other


Dimension = tuple[AxisPart, ...] | None  # the slowest part first; () of size one, along which nothing runs; None: not known
Dimensions = tuple[Dimension, ...]


def whole(label: AxisLabel, size: int) -> Dimension:
    """A dimension that runs along all of one axis."""
    return (AxisPart(label, size),)


def runs_along(dim: Dimension, label: AxisLabel) -> bool:
    """Does a dimension run along that axis alone, in its order?"""
    return dim is not None and len(dim) == 1 and dim[0][::2] == (label, 1) and not dim[0].rolled


def labels(dim: Dimension) -> set[AxisLabel]:
    """What a dimension runs over."""
    return {part.label for part in dim or ()}


def joined(dims: Sequence[Dimension], sizes: Sequence[int]) -> Dimension:
    """The dimension that results where tensors are combined number by number; those of size one are repeated."""
    wide = {dim for dim, size in zip(dims, sizes, strict=True) if size > 1 and dim != ()}
    if not wide:
        return next((dim for dim in dims if dim), ())
    return wide.pop() if len(wide) == 1 else None


def regrouped(dims: Dimensions, shape: Sequence[int], new: Sequence[int]) -> Dimensions:
    """The dimensions of a tensor of that shape that is reshaped to a new one."""
    result: list[Dimension] = []
    i = j = 0
    while i < len(shape) or j < len(new):
        old, fresh = [i] if i < len(shape) else [], [j] if j < len(new) else []
        i, j = i + len(old), j + len(fresh)
        while (left := prod(shape[k] for k in old)) != (right := prod(new[k] for k in fresh)):
            if left < right and i < len(shape):
                old, i = [*old, i], i + 1
            elif right < left and j < len(new):
                fresh, j = [*fresh, j], j + 1
            else:
                return (None,) * len(new)
        result += _cut([dims[k] for k in old], [new[k] for k in fresh])
    return tuple(result)


def _cut(dims: Sequence[Dimension], sizes: Sequence[int]) -> list[Dimension]:
    """The dimensions of those sizes that as many numbers are cut into."""
    if len(dims) == len(sizes) == 1:
        return [*dims]
    waiting: list[AxisPart] = []
    for dim in dims:
        if dim is None:
            return [None] * len(sizes)
        waiting += [part for part in dim if part.size > 1]
    if prod(part.size for part in waiting) != prod(sizes):
        return [None] * len(sizes)  # something runs here of which nothing is known
    result: list[Dimension] = []
    for size in sizes:
        parts: list[AxisPart] = []
        while (need := size // prod(part.size for part in parts)) > 1:
            part = waiting.pop(0)
            if need % part.size == 0:
                parts.append(part)
            elif part.size % need == 0:
                rest = part.size // need
                parts.append(part._replace(size=need, step=part.step * rest))
                waiting.insert(0, part._replace(size=rest))
            else:
                return [None] * len(sizes)
        result.append(_fused(parts))
    return result


def _fused(parts: Sequence[AxisPart]) -> Dimension:
    """Parts that lie side by side as one; channels in any order are channels."""
    if parts and labels(tuple(parts)) == {CHANNELS}:
        return whole(CHANNELS, prod(part.size for part in parts))
    fused: list[AxisPart] = []
    for part in parts:
        if fused and fused[-1]._replace(size=part.size, step=part.step) == part and fused[-1].step == part.size * part.step:
            part = part._replace(size=fused.pop().size * part.size)
        fused.append(part)
    return tuple(fused)
