"""Which dimensions of a tensor run over space, and which pixels each cell sees: kept true while tensors are turned about.

A dimension is a product of factors, outermost first, each a part of one axis of space or of none.  So a map that is cut into
windows, folded into channels or strung out as tokens is still known, and is a map again once it is put together.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import inf, prod
from typing import NamedTuple

from seewhy.images.places import Place


class Axis(NamedTuple):
    """One axis of space as cells run along it."""

    stride: float = 1.0
    first: float = 0.0  # of cell 0: the centre, and the outermost pixels that it sees
    low: float = 0.0
    high: float = 0.0

    def through(self, step: float, begin: float, end: float) -> "Axis":
        """The axis of new cells, of which cell j reads the cells from step * j + begin to step * j + end."""
        middle = (begin + end) / 2
        return Axis(
            self.stride * step, self.first + self.stride * middle, self.low + self.stride * begin, self.high + self.stride * end
        )


class Factor(NamedTuple):
    """A part of a dimension: of an axis of space, `step` of its cells at a time; or, axis None, of anything else."""

    size: int
    axis: int | None = None
    step: int = 1


class Dim(NamedTuple):
    """A dimension; before and after its cells may stand tokens that belong to no place."""

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
        """The axis whose cells it holds one by one, and nothing else."""
        return self.factors[0].axis if len(self.factors) == 1 and not self.before and not self.after else None


def plain(size: int) -> Dim:
    return Dim((Factor(size),) if size != 1 else ())


@dataclass(frozen=True, eq=False)
class Mark:
    """What is known of a tensor."""

    dims: tuple[Dim, ...]
    axes: tuple[Axis, ...]
    whole: bool = False  # do the cells also see what lies elsewhere in the image?

    @cached_property
    def shape(self) -> tuple[int, ...]:
        return tuple([dim.size for dim in self.dims])

    @cached_property
    def spots(self) -> tuple[tuple[int, Dim], ...]:
        """The dimensions that hold space, counted from the last."""
        count = len(self.dims)
        return tuple([(j - count, dim) for j, dim in enumerate(self.dims) if dim.spatial])

    @cached_property
    def settled(self) -> "Mark | None":
        """The same cells, each axis in one dimension alone; what else lies in a cell, in channels, is averaged."""
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
        """The grid of the cells and their place; None where an axis of space is lost."""
        mark = self.settled
        if mark is None or len([a for _, dim in mark.spots for a in dim.axes]) < len(mark.axes) or not mark.axes:
            return None
        sizes, axes = {}, {}
        for _, dim in mark.spots:
            for f in dim.factors:
                if f.axis is not None:
                    sizes[f.axis], axes[f.axis] = f.size, mark.axes[f.axis]
            if dim.factors[-1].axis is None:  # cells that were drawn apart: [cell, part of it]
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


NOWHERE = Mark((), (), True)  # made of the image, but in no known place


def start(shape: Sequence[int]) -> Mark:
    """The mark of the image itself, (n, c, *space)."""
    n, c, *space = shape
    return Mark((plain(n), plain(c), *(Dim((Factor(side, a),)) for a, side in enumerate(space))), (Axis(),) * len(space))


def apart(axis: Axis, parts: int) -> Axis:
    """Each cell in so many parts, which lie beside one another."""
    middle = (1 / parts - 1) / 2
    return axis.through(1 / parts, middle, middle)


def _orderly(dim: Dim) -> bool:
    """Whole axes alone, or one that is drawn apart."""
    if len(dim.factors) == 1:
        return True
    other = [i for i, f in enumerate(dim.factors) if f.axis is None]
    return not other or (len(dim.axes) == 1 and other == [1] and not dim.before and not dim.after)


def _changed(axes: tuple[Axis, ...], new: Mapping[int, Axis]) -> tuple[Axis, ...]:
    return tuple(new.get(a, axis) for a, axis in enumerate(axes))


def _dim(factors: Sequence[Factor], before: int = 0, after: int = 0) -> Dim:
    """The factors as one dimension; neighbours that belong together become one."""
    joined: list[Factor] = []
    for f in factors:
        last = joined[-1] if joined else None
        if last and last.axis == f.axis and (f.axis is None or last.step == f.step * f.size):
            joined[-1] = Factor(last.size * f.size, f.axis, f.step)
        elif f.size != 1 or f.axis is not None:
            joined.append(f)
    return Dim(tuple(joined), before, after)


def shaped(mark: Mark, shape: Sequence[int]) -> Mark:
    """The same space in a tensor of that shape, whose other dimensions may be larger, or stand before."""
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
    """The same elements in the same order, in other dimensions."""
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
    """A dimension of that size off the front of what is left."""
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
    """Summed over dimension j, which then has a new size, or none: what lay there of space is averaged."""
    mark = mark.settled or mark
    dims = list(mark.dims)
    gone = dims[j]
    dims[j : j + 1 or None] = [] if size is None else [plain(size)]
    return replace(mark, dims=tuple(dims), whole=mark.whole or bool(gone.axes))


def moved(
    mark: Mark, windows: Mapping[int, tuple[float, float, float]], shape: Sequence[int], mixes: int | None = None
) -> Mark:
    """Of cells that read windows (see Axis.through) of those along some dimensions; the result has that shape.

    mixes: a dimension that is summed over, as channels are by a convolution.
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
    """Of a tensor made of several, cell by cell: their mean centre, and all that they see.

    What has no place, or another one, is seen by every cell.
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
    """Of branches of one stride their mean; where they differ, a coarse one was drawn out to join the others, as gates are: the
    one that sees least has the place.
    """
    least = min((axis for axis, _ in axes), key=lambda axis: axis.high - axis.low)
    alike = [(axis, w) for axis, w in axes if abs(axis.stride - least.stride) < 1e-6 * abs(least.stride)]
    total = sum(w for _, w in alike)
    stride, first = (sum(axis[k] * w for axis, w in alike) / total for k in (0, 1))
    return Axis(stride, first, min(axis.low for axis, _ in axes), max(axis.high for axis, _ in axes))
