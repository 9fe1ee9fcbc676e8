"""Which dimensions of a tensor run over space, and which pixels each cell sees, through reshaping and transposing.

A dimension is a product of factors, outermost first, each a part of one axis of space or of none.  So the cells of a map that
is cut into windows, folded into channels or flattened to tokens are still known, and so is the map when it is reassembled.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import inf, prod
from typing import NamedTuple

from seewhy.images.places import Place


class Axis(NamedTuple):
    """Where the cells along one axis of space lie, in pixels."""

    stride: float = 1.0
    first: float = 0.0  # the centre of cell 0; low and high are the outermost pixels that it sees
    low: float = 0.0
    high: float = 0.0

    def through(self, step: float, begin: float, end: float) -> "Axis":
        """The axis of new cells, of which cell j reads the cells from step * j + begin to step * j + end."""
        middle = (begin + end) / 2
        return Axis(
            self.stride * step, self.first + self.stride * middle, self.low + self.stride * begin, self.high + self.stride * end
        )


class Factor(NamedTuple):
    """A part of a dimension: it runs along an axis of space in steps of `step` cells, or (axis None) along anything else."""

    size: int
    axis: int | None = None
    step: int = 1


class Dim(NamedTuple):
    """A dimension of a tensor; before and after its cells may stand tokens without a place."""

    factors: tuple[Factor, ...]
    before: int = 0
    after: int = 0

    @property
    def size(self) -> int:
        return self.before + prod([f.size for f in self.factors]) + self.after

    @property
    def spatial(self) -> bool:
        return any(f.axis is not None for f in self.factors)

    @property
    def axes(self) -> tuple[int, ...]:
        return tuple(f.axis for f in self.factors if f.axis is not None)

    @property
    def single(self) -> int | None:
        """The axis of space, if this dimension holds its cells and nothing else; None otherwise."""
        return self.factors[0].axis if len(self.factors) == 1 and not self.before and not self.after else None


def plain(size: int) -> Dim:
    return Dim((Factor(size),) if size != 1 else ())


@dataclass(frozen=True, eq=False)
class Mark:
    """Where the cells of a tensor lie in the image."""

    dims: tuple[Dim, ...]
    axes: tuple[Axis, ...]
    whole: bool = False  # may the cells depend on the whole image?

    @cached_property
    def shape(self) -> tuple[int, ...]:
        return tuple([dim.size for dim in self.dims])

    @cached_property
    def spots(self) -> tuple[tuple[int, Dim], ...]:
        """The dimensions that run over space, with their numbers counted from the end: -1 is the last."""
        count = len(self.dims)
        return tuple([(j - count, dim) for j, dim in enumerate(self.dims) if dim.spatial])

    @cached_property
    def settled(self) -> "Mark | None":
        """The same cells with each axis of space in a single dimension; None where that is not possible.

        Where cells lie in channels as well, their places are averaged.
        """
        if self._once and all(f.step == 1 for _, dim in self.spots for f in dim.factors):
            return self
        mark = self
        for a in range(len(self.axes)):
            gathered = mark._of_axis(a)
            if gathered is None:
                return None
            mark = gathered
        return mark if mark._once else None

    @property
    def _once(self) -> bool:
        axes = [f.axis for _, dim in self.spots for f in dim.factors if f.axis is not None]
        return len({*axes}) == len(axes) and all(_orderly(dim) for _, dim in self.spots)

    def _of_axis(self, a: int) -> "Mark | None":
        parts = [(f.step, j, f) for j, dim in enumerate(self.dims) for f in dim.factors if f.axis == a]
        if not parts:
            return self
        step, home, _ = max(parts)
        inner = [f for _, _, f in parts if f.step < step]
        within = sum(f.step * (f.size - 1) for f in inner)
        if len(parts) - len(inner) > 1 or within >= step:
            return None
        dims = tuple(
            _dim([f if f.axis != a else f._replace(step=1) if (j, f.step) == (home, step) else Factor(f.size)
                  for f in dim.factors], dim.before, dim.after) for j, dim in enumerate(self.dims)
        )  # fmt: skip
        return replace(self, dims=dims, axes=_changed(self.axes, {a: self.axes[a].through(step, 0, within)}))

    @cached_property
    def where(self) -> tuple[tuple[int, ...], Place] | None:
        """The grid of the cells and their place; None where the cells along an axis of space are no longer known."""
        mark = self.settled
        if mark is None or len([a for _, dim in mark.spots for a in dim.axes]) < len(mark.axes) or not mark.axes:
            return None
        sizes, axes = {}, {}
        for _, dim in mark.spots:
            for f in dim.factors:
                if f.axis is not None:
                    sizes[f.axis], axes[f.axis] = f.size, mark.axes[f.axis]
            if dim.factors[-1].axis is None:  # cells that were split into parts: [cell, part]
                a, parts = dim.axes[0], dim.factors[-1].size
                sizes[a], axes[a] = sizes[a] * parts, apart(axes[a], parts)
        order = range(len(axes))
        place = Place(
            tuple(axes[a].stride for a in order),
            tuple(axes[a].first for a in order),
            tuple(inf if self.whole else axes[a].high - axes[a].low + 1 for a in order),
        )
        return tuple(sizes[a] for a in order), place

    def everywhere(self) -> "Mark":
        return self if self.whole else replace(self, whole=True)


NOWHERE = Mark((), (), True)  # computed from the image, but in no known place


def start(shape: Sequence[int]) -> Mark:
    """The mark of the image itself, (n, c, *space)."""
    n, c, *space = shape
    return Mark((plain(n), plain(c), *(Dim((Factor(side, a),)) for a, side in enumerate(space))), (Axis(),) * len(space))


def apart(axis: Axis, parts: int) -> Axis:
    """The axis after each cell was split into so many parts, side by side."""
    middle = (1 / parts - 1) / 2
    return axis.through(1 / parts, middle, middle)


def _orderly(dim: Dim) -> bool:
    """Does the dimension hold axes of space alone, or one whose cells are split into parts?"""
    if len(dim.factors) == 1:
        return True
    other = [i for i, f in enumerate(dim.factors) if f.axis is None]
    return not other or (len(dim.axes) == 1 and other == [1] and not dim.before and not dim.after)


def _changed(axes: tuple[Axis, ...], new: Mapping[int, Axis]) -> tuple[Axis, ...]:
    return tuple(new.get(a, axis) for a, axis in enumerate(axes))


def _dim(factors: Sequence[Factor], before: int = 0, after: int = 0) -> Dim:
    """The factors as one dimension; neighbouring factors of the same axis become a single factor."""
    joined: list[Factor] = []
    for f in factors:
        last = joined[-1] if joined else None
        if last and last.axis == f.axis and (f.axis is None or last.step == f.step * f.size):
            joined[-1] = Factor(last.size * f.size, f.axis, f.step)
        elif f.size != 1 or f.axis is not None:
            joined.append(f)
    return Dim(tuple(joined), before, after)


def shaped(mark: Mark, shape: Sequence[int]) -> Mark:
    """The mark of a tensor of that shape with the same dimensions of space; others may be larger, or stand before them."""
    if mark.shape == shape:
        return mark
    for j, dim in mark.spots:
        if -j > len(shape) or shape[j] != dim.size:
            return NOWHERE
    spots = dict(mark.spots)
    return replace(mark, dims=tuple(spots.get(j - len(shape)) or plain(size) for j, size in enumerate(shape)))


def permuted(mark: Mark, order: Sequence[int]) -> Mark:
    return replace(mark, dims=tuple(mark.dims[j] for j in order))


def regrouped(mark: Mark, shape: Sequence[int]) -> Mark:
    """The mark after a reshape: the same elements in the same order, in dimensions of that shape."""
    left: list[Factor | Dim] = []
    for dim in mark.dims:
        left += [dim] if dim.before or dim.after else dim.factors
    dims = []
    for size in shape:
        dim = _taken(left, size)
        if dim is None:
            return NOWHERE
        dims.append(dim)
    if any(part.size > 1 for part in left):
        return NOWHERE
    if left and dims:  # axes of a single cell
        dims[-1] = _dim([*dims[-1].factors, *(f for f in left if isinstance(f, Factor))])
    return replace(mark, dims=tuple(dims))


def _taken(left: list[Factor | Dim], size: int) -> Dim | None:
    """A dimension of that size, taken from the front of the factors that are left; None where they do not make it up."""
    if left and isinstance(left[0], Dim) and left[0].size == size:
        dim = left.pop(0)
        return dim if isinstance(dim, Dim) else None
    factors: list[Factor] = []
    while size > 1 or (not factors and left and left[0].size == 1):
        f = left.pop(0) if left else None
        if not isinstance(f, Factor) or f.size < 1 or max(size, f.size) % min(size, f.size):
            return None
        if f.size > size:
            inner = f.size // size
            left.insert(0, f._replace(size=inner))
            f = Factor(size, f.axis, f.step * inner)
        factors.append(f)
        size //= f.size
    return _dim(factors)


def mixed(mark: Mark, j: int, size: int | None) -> Mark:
    """The mark after a sum over dimension j, which then has a new size, or is gone (size None)."""
    mark = mark.settled or mark
    dims = list(mark.dims)
    gone = dims[j]
    dims[j : j + 1 or None] = [] if size is None else [plain(size)]
    return replace(mark, dims=tuple(dims), whole=mark.whole or bool(gone.axes))


def moved(
    mark: Mark, windows: Mapping[int, tuple[float, float, float]], shape: Sequence[int], mixes: int | None = None
) -> Mark:
    """The mark of a tensor of that shape whose cells each read a window of cells.

    windows: by dimension, step, begin and end (see Axis.through).  mixes: a dimension that is summed over, as channels are by a
    convolution.
    """
    settled = mark.settled
    if settled is None or len(settled.dims) != len(shape):
        return NOWHERE
    dims, axes = [plain(size) for size in shape], [*settled.axes]
    for j, dim in settled.spots:
        window = windows.get(j, (1, 0, 0))
        a = dim.single
        if j == mixes:
            continue
        if a is not None and j in windows:
            axes[a] = axes[a].through(*window)
            dims[j] = Dim((Factor(shape[j], a),))
        elif window == (1, 0, 0) and dim.size == shape[j]:
            dims[j] = dim
        else:
            return NOWHERE
    return Mark(tuple(dims), tuple(axes), settled.whole or (mixes is not None and settled.dims[mixes].spatial))


def merged(marks: Sequence[Mark], shape: Sequence[int], weights: Sequence[float] | None = None) -> Mark:
    """The mark of a tensor that combines several cell by cell: a cell lies at the mean of their centres, and sees what all see.

    If one of them lies otherwise, or in no known place, every cell may depend on the whole image.
    """
    base = max(marks, key=lambda mark: sum(len(dim.axes) for _, dim in mark.spots))
    if not base.spots:
        return NOWHERE
    alike = [(mark, w) for mark, w in zip(marks, weights or [1] * len(marks), strict=True) if mark.spots == base.spots]
    whole = len(alike) < len(marks) or any(mark.whole for mark, _ in alike)
    if any(mark.axes != base.axes for mark, _ in alike):
        base = replace(base, axes=tuple(_mean([(mark.axes[a], w) for mark, w in alike]) for a in range(len(base.axes))))
    return shaped(base.everywhere() if whole else base, shape)


def _mean(axes: Sequence[tuple[Axis, float]]) -> Axis:
    """The mean of axes of one stride.  Where strides differ, coarse cells were enlarged to join finer ones, as gates are: then
    the axis whose cells see least decides, with those of its stride.
    """
    least = min((axis for axis, _ in axes), key=lambda axis: axis.high - axis.low)
    alike = [(axis, w) for axis, w in axes if abs(axis.stride - least.stride) < 1e-6 * abs(least.stride)]
    total = sum(w for _, w in alike)
    stride, first = (sum(axis[k] * w for axis, w in alike) / total for k in (0, 1))
    return Axis(stride, first, min(axis.low for axis, _ in axes), max(axis.high for axis, _ in axes))
