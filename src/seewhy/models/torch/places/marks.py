"""What is known of a tensor: which of its dimensions run over space, and which pixels each cell sees.

A dimension is a product of factors, outermost first, each a part of one axis of space, of the images of the batch, or of
anything else.  So the cells of a map that is cut into windows, folded into channels or flattened to tokens are still known,
and so is the map when it is reassembled.  `moves.py` and `merging.py` say what calls do to marks.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import inf, prod
from typing import NamedTuple

from seewhy.images.places import Place

from .sights import Bell

IMAGES = -1  # in place of an axis of space: the images of the batch
Order = tuple[int, ...]


class Axis(NamedTuple):
    """Where the cells along one axis of space lie, in pixels; the stride is below zero where the axis runs backwards."""

    stride: float = 1.0
    first: float = 0.0  # the centre of cell 0; low and high are the outermost pixels that it sees
    low: float = 0.0
    high: float = 0.0
    order: Order | None = None  # entry i along the axis is cell order[i], as after a roll; None: cell i
    bell: Bell = Bell()  # where cell 0 looks, by the weights

    def through(self, step: float, begin: float, end: float) -> "Axis":
        """The axis of new cells, of which cell j reads the cells from step * j + begin to step * j + end."""
        low, high = sorted((self.stride * begin, self.stride * end))
        middle = self.stride * (begin + end) / 2
        bell = self.bell.over(self.stride, end - begin + 1)
        return Axis(self.stride * step, self.first + middle, self.low + low, self.high + high, self.order, bell)

    def lies_as(self, other: "Axis") -> bool:
        """Are its cells those of another, wherever they look by the weights?"""
        return self[:-1] == other[:-1]


class Factor(NamedTuple):
    """A part of a dimension: it runs along an axis in steps of `step` cells, or (axis None) along anything else."""

    size: int
    axis: int | None = None  # 0 and up: an axis of space; IMAGES; None: channels, heads, views, queries, words
    step: int = 1


class Dim(NamedTuple):
    """A dimension of a tensor: a product of factors, outermost first, or some entries of such a product."""

    factors: tuple[Factor, ...]
    rows: Order | None = None  # for each entry, which entry of the product it is, -1: one of no place; None: all, in order

    @property
    def size(self) -> int:
        return len(self.rows) if self.rows is not None else prod([f.size for f in self.factors])

    @property
    def spatial(self) -> bool:
        """Does it hold cells of space?"""
        return self._somewhere and max([-1 if f.axis is None else f.axis for f in self.factors], default=-1) >= 0

    @property
    def informed(self) -> bool:
        """Does it hold cells of space, or images?"""
        return self._somewhere and [f for f in self.factors if f.axis is not None] != []

    @property
    def _somewhere(self) -> bool:
        return self.rows is None or any(row >= 0 for row in self.rows)

    @property
    def axes(self) -> tuple[int, ...]:
        return tuple([f.axis for f in self.factors if f.axis is not None and f.axis >= 0])

    @property
    def images(self) -> bool:
        return any(f.axis == IMAGES for f in self.factors)

    @property
    def single(self) -> int | None:
        """The axis of space, if this dimension holds its cells and nothing else; None otherwise."""
        alone = self.factors[0].axis if len(self.factors) == 1 and self.rows is None else None
        return alone if alone is not None and alone >= 0 else None


def plain(size: int) -> Dim:
    return Dim((Factor(size),) if size != 1 else ())


@dataclass(frozen=True, eq=False)
class Mark:
    """Where the cells of a tensor lie in the image.  Without dimensions of space: it is known that it has none."""

    dims: tuple[Dim, ...]
    axes: tuple[Axis, ...]
    whole: bool = False  # may the cells depend on the whole image?
    lost: str = ""  # in words, why nothing is known
    taken: tuple[Dim, ...] = ()  # dimensions of which one entry was taken, each as that entry: they are part of no dim any more

    @cached_property
    def shape(self) -> tuple[int, ...]:
        return tuple([dim.size for dim in self.dims])

    @cached_property
    def spots(self) -> tuple[tuple[int, Dim], ...]:
        """The dimensions that run over space, with their numbers counted from the end: -1 is the last."""
        count = len(self.dims)
        return tuple([(j - count, dim) for j, dim in enumerate(self.dims) if dim.spatial])

    @cached_property
    def factors(self) -> tuple[tuple[int, Factor], ...]:
        """Each factor that runs along an axis of space or the images, with the number of its dimension, from the start."""
        return tuple([(j, f) for j, dim in enumerate(self.dims) if dim.informed for f in dim.factors if f.axis is not None])

    @cached_property
    def pairs(self) -> bool:
        """Does the tensor pair cells with cells, as the weights of an attention do?  Then no cell lies at a single place."""
        steps = [(f.axis, f.step) for _, f in self.factors if f.size > 1]
        return len({*steps}) < len(steps)

    @cached_property
    def stranger(self) -> bool:
        """Does the tensor hold nothing of the image, as a class token before any attention?"""
        dims = [dim for dim in (*self.dims, *self.taken) if dim.rows is not None]
        return not self.whole and any(max(dim.rows or (0,)) < 0 for dim in dims)

    @property
    def points(self) -> tuple[int, ...]:
        """The axes of space of which a single cell was taken."""
        return tuple([a for dim in self.taken for a in dim.axes])

    def parts(self, a: int) -> list[tuple[int, Factor]]:
        return [(j, f) for j, f in self.factors if f.axis == a]

    @cached_property
    def settled(self) -> "Mark | None":
        """The same cells with each axis of space in a single dimension; None where that is not possible.

        Where cells lie in channels as well, their places are averaged.
        """
        mark = self
        for a in range(len(self.axes)):
            gathered = mark.gathered(a)
            if gathered is None:
                return None
            mark = gathered
        return mark if all(_orderly(dim) for _, dim in mark.spots) else None

    def gathered(self, a: int) -> "Mark | None":
        parts = [(f.step, j, f) for j, f in self.parts(a)]
        if len(parts) < 2 and all(step == 1 for step, _, _ in parts):
            return self
        step, home, _ = max(parts)
        inner = [f for _, _, f in parts if f.step < step]
        within = sum(f.step * (f.size - 1) for f in inner)
        if len(parts) - len(inner) > 1 or within >= step or self.axes[a].order is not None:
            return None
        if any(dim.rows is not None and a in dim.axes for dim in self.dims):
            return None
        dims = tuple(
            _product([f if f.axis != a else f._replace(step=1) if (j, f.step) == (home, step) else Factor(f.size)
                      for f in dim.factors], dim.rows) for j, dim in enumerate(self.dims)
        )  # fmt: skip
        return replace(self, dims=dims, axes=changed(self.axes, {a: self.axes[a].through(step, 0, within)}))

    @cached_property
    def where(self) -> tuple[tuple[int, ...], Place] | None:
        """The grid of the cells, axis by axis of the image, and their place; None where an axis is no longer known.

        Cells that were rolled are in their order again; an axis that runs backwards has a stride below zero.
        """
        mark = self.settled
        if mark is None or len([a for _, dim in mark.spots for a in dim.axes]) < len(mark.axes) or not mark.axes:
            return None
        sizes, axes = {}, {}
        for _, dim in mark.spots:
            for f in dim.factors:
                if f.axis is not None and f.axis >= 0:
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

    def scaled(self, energy: float) -> "Mark":
        """The mark after the map was multiplied, its energy by `energy`."""
        return replace(self, axes=tuple(axis._replace(bell=axis.bell.scaled(energy)) for axis in self.axes))


def start(shape: Sequence[int]) -> Mark:
    """The mark of the images themselves, (n, c, *space)."""
    n, c, *space = shape
    cells = [Dim((Factor(side, a),)) for a, side in enumerate(space)]
    return Mark((Dim((Factor(n, IMAGES),)), plain(c), *cells), (Axis(),) * len(space))


def lost(why: str) -> Mark:
    """The mark of what was computed from the image, in no known place, and in words why it is not known."""
    return Mark((), (), True, why)


def entangled(mark: Mark) -> bool:
    """Does a tensor with space hold several parts of each image, in the dimension of the images or in one before it?

    A shape tells their order only if there are several images: (parts, 1, ...) and (1, parts, ...) become one another.
    """
    if not mark.spots:
        return False
    at = next((j for j, dim in enumerate(mark.dims) if dim.images), 0)
    before = [f for dim in mark.dims[:at] if not dim.spatial for f in dim.factors]
    return any(f.axis is None and f.size > 1 for f in (*before, *(mark.dims[at].factors if mark.dims[at].images else ())))


def lie_alike(axes: Sequence[Axis], others: Sequence[Axis]) -> bool:
    return all(axis.lies_as(other) for axis, other in zip(axes, others, strict=True))


def apart(axis: Axis, parts: int) -> Axis:
    """The axis after each cell was split into so many parts, side by side."""
    middle = (1 / parts - 1) / 2
    return axis.through(1 / parts, middle, middle)


def changed(axes: tuple[Axis, ...], new: Mapping[int, Axis]) -> tuple[Axis, ...]:
    return tuple(new.get(a, axis) for a, axis in enumerate(axes))


def _orderly(dim: Dim) -> bool:
    """Does the dimension hold axes of space alone, each cell once, or one whose cells are split into parts?"""
    placed = [row for row in dim.rows or () if row >= 0]
    if len(placed) != (0 if dim.rows is None else prod([f.size for f in dim.factors])) or placed != sorted({*placed}):
        return False
    if len(dim.factors) == 1:
        return True
    other = [i for i, f in enumerate(dim.factors) if f.axis is None or f.axis == IMAGES]
    return not other or (len(dim.axes) == 1 and other == [1] and dim.factors[1].axis is None and dim.rows is None)


def _product(factors: Sequence[Factor], rows: Order | None = None) -> Dim:
    """The factors as one dimension; neighbouring factors of the same axis become a single factor."""
    joined: list[Factor] = []
    for f in factors:
        last = joined[-1] if joined else None
        if last and last.axis == f.axis and (f.axis is None or last.step == f.step * f.size):
            joined[-1] = Factor(last.size * f.size, f.axis, f.step)
        elif f.size != 1 or f.axis is not None:
            joined.append(f)
    return Dim(tuple(joined), rows)


def product(dims: Sequence[Dim], rows: Order | None = None) -> Dim:
    return _product([f for dim in dims for f in dim.factors], rows)
