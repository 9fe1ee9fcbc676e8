"""How an emission of a layer lies over the image: which of its dimensions are images, channels and space, and in which order.

A layout is read off the mark of the emission itself (see `marks`), never off its shape.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import inf, prod
from typing import NamedTuple

import torch
from torch import Tensor

from seewhy.errors import NotApplicable
from seewhy.images.places import Gaze, Place

from .marks import IMAGES, Axis, Dim, Factor, Mark, Order
from .merging import level
from .moves import coarser
from .sights import gaze

CHANNELS, PARTS = -2, -3  # roles of factors, besides IMAGES and the axes of space from 0 on
FIRST, LAST, TOKENS, SEQUENCE, OTHER = (
    "channels first", "channels last", "tokens", "tokens before the batch", "in several dimensions",
)  # fmt: skip
NO_SPACE = "there is no space to draw in"
SUMMED_UP = "an axis of the image is summed up in it, so that a cell is a whole row or column of the image"
PIECES = "of an axis of the image only pieces are left in it"
PAIRS = "it pairs cells with cells, as the weights of an attention do"
MANY = "cells lie in it several times"
NO_ORDER = "its rows are no images in their order"


@dataclass(frozen=True)
class Layout:
    """How to turn what a layer emits into (..., n, c, *space)."""

    dims: tuple[Dim, ...]  # of an emission, as its mark says; the size of the images is not looked at
    space: tuple[int, ...]
    order: tuple[
        Order | None, ...
    ] = ()  # of each axis of space: which of its entries are the cells in order; None: all, as they are
    part: int | None = None  # the emission holds several parts for each image (views, crops): which of them is read

    @classmethod
    def first(cls, channels: int, space: Sequence[int]) -> "Layout":
        """The layout of (n, channels, *space)."""
        along = (Dim((Factor(side, a),)) for a, side in enumerate(space))
        return cls((Dim((Factor(1, IMAGES),)), Dim((Factor(channels),)), *along), tuple(space))

    def of_part(self, part: int) -> "Layout":
        """The layout of one of the parts of each image."""
        return replace(self, part=part)

    @cached_property
    def roles(self) -> tuple[tuple[tuple[int, int], ...], ...]:
        """Of each factor of each dimension: what it runs along, and its place in the order of all that do."""
        batch = [any(f.axis == IMAGES for f in dim.factors) for dim in self.dims]
        return tuple(
            tuple((PARTS if with_images else CHANNELS, 0) if f.axis is None else (f.axis, -f.step) for f in dim.factors)
            for dim, with_images in zip(self.dims, batch, strict=True)
        )

    @cached_property
    def parts(self) -> int:
        """How many rows the emission holds for each image."""
        return self._count(PARTS)

    @cached_property
    def channels(self) -> int:
        return self._count(CHANNELS)

    def _count(self, role: int) -> int:
        pairs = zip(self.dims, self.roles, strict=True)
        return prod(f.size for dim, roles in pairs for f, (of, _) in zip(dim.factors, roles, strict=True) if of == role)

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.channels, *self.space)

    @property
    def size(self) -> tuple[int, ...]:
        """The shape of an emission for one image."""
        return tuple(len(dim.rows) if dim.rows is not None else prod(_of_one(f) for f in dim.factors) for dim in self.dims)

    @cached_property
    def kind(self) -> str:
        """The order of its dimensions, where it is one of the usual ones: FIRST, LAST, TOKENS or SEQUENCE."""
        simple = [roles[0][0] if len(roles) == 1 else CHANNELS if not roles else None for roles in self.roles]
        d = len(self.space)
        axes = [*range(d)]
        if None not in simple and not any(dim.rows for dim in self.dims):
            if simple == [IMAGES, CHANNELS, *axes] and not any(self.order):
                return FIRST
            if simple == [IMAGES, *axes, CHANNELS] and d > 1 and not any(self.order):
                return LAST
        if len(self.dims) == 3 and self.roles[2] in ((), ((CHANNELS, 0),)):
            row = next((j for j in (1, 0) if [role for role, _ in self.roles[j]] == axes), None)
            if row is not None and simple[1 - row] == IMAGES:
                return TOKENS if row else SEQUENCE
        return OTHER

    @cached_property
    def channels_first(self) -> bool:
        """Do the cells come behind the channels, as behind a convolution?"""
        return self.dims[-1].spatial

    @cached_property
    def simple(self) -> bool:
        """Is it a whole map of the image: each axis of space once and undivided, or all cells in one row, in whichever order,
        the channels in a dimension of their own?
        """
        axes = [f.axis for dim in self.dims for f in dim.factors if f.axis is not None and f.axis >= 0]
        channels = [dim for dim, roles in zip(self.dims, self.roles, strict=True) if (CHANNELS, 0) in roles]
        rows = [dim for dim in self.dims if dim.spatial]
        whole = sorted(axes) == [*range(len(self.space))] or (len(rows) == 1 and not rows[0].images)
        return whole and len(channels) < 2 and not any(dim.spatial for dim in channels)

    @cached_property
    def row(self) -> int | None:
        """The dimension that holds all cells as a row of tokens; None where each axis has one of its own."""
        spatial = [j for j, dim in enumerate(self.dims) if dim.spatial]
        return spatial[0] if len(spatial) == 1 and (len(self.space) > 1 or self.kind in (TOKENS, SEQUENCE)) else None

    @cached_property
    def extra(self) -> int:
        """How many entries of its row have no place: class tokens, registers, words."""
        return sum(dim.rows.count(-1) for dim in self.dims if dim.rows is not None and dim.spatial)

    @property
    def images(self) -> int | None:
        """The dimension of the images, if nothing else lies in it."""
        alone = [j for j, roles in enumerate(self.roles) if [role for role, _ in roles] == [IMAGES]]
        return alone[0] if alone else None

    @cached_property
    def alone(self) -> bool:
        """Is the emission that of one image, without a dimension for images?"""
        return not any(role == IMAGES for roles in self.roles for role, _ in roles)

    def fits(self, shape: Sequence[int], n: int) -> bool:
        """Could an emission of that shape for n images lie so?"""
        if len(shape) != len(self.dims):
            return False
        holds = [any(role == IMAGES for role, _ in roles) for roles in self.roles]
        return all(side == size * (n if many else 1) for side, size, many in zip(shape, self.size, holds, strict=True))

    def turn(self, x: Tensor) -> Tensor:
        """An emission, or gradients (t, ...) toward it, as (..., n, c, *space)."""
        if self.kind == FIRST:
            return x
        lead = x.ndim - len(self.dims)
        for j, dim in enumerate(self.dims):
            if dim.rows is not None:
                x = _in_order(x, lead + j, dim)
        sizes, roles = [], []
        for j, (dim, of) in enumerate(zip(self.dims, self.roles, strict=True)):
            within = prod(_of_one(f) for f in dim.factors)
            sizes += [x.shape[lead + j] // within if f.axis == IMAGES else f.size for f in dim.factors]
            roles += [(*role, at) for at, role in enumerate(of, len(roles))]
        n = prod(size for size, role in zip(sizes, roles, strict=True) if role[0] == IMAGES)
        x = x.reshape(*x.shape[:lead], *sizes)
        order = sorted(range(len(roles)), key=lambda at: (RANK.get(roles[at][0], roles[at][0]), roles[at][1], at))
        x = x.permute(*range(lead), *(lead + at for at in order))
        x = x.reshape(*x.shape[:lead], n, self.parts, self.channels, *self.space)
        x = x.select(lead + 1, self.part or 0)
        for a, order in enumerate(self.order):
            if order is not None:
                x = x.index_select(a - len(self.space), torch.tensor(order, device=x.device))
        return x

    def back(self, x: Tensor, emitted: Tensor) -> Tensor:
        """Activations (m, c, *space) as the layer would emit them, with all else as in `emitted`, for one image."""
        if self.kind == FIRST:
            return x
        if self.kind == LAST:
            return x.movedim(1, -1)
        at = self.turn(torch.arange(emitted.numel(), device=emitted.device).reshape(emitted.shape))  # (1, c, *space)
        if self._gaps:
            raise NotApplicable(
                "Some cells of this layer were left out by the network, so they cannot be edited here. Name an earlier one."
            )
        whole = emitted.reshape(1, -1).repeat(len(x), 1)
        whole[:, at.flatten()] = x.reshape(len(x), -1).to(whole)
        j = next((j for j, roles in enumerate(self.roles) if any(role == IMAGES for role, _ in roles)), 0)
        each = whole.reshape(len(x), *emitted.shape)
        outer = prod(f.size for f, (role, _) in zip(self.dims[j].factors, self.roles[j], strict=True) if role != IMAGES)
        inner = self._behind_images(j)
        split = each.reshape(len(x), *emitted.shape[:j], outer // inner, 1, inner, *emitted.shape[j + 1 :])
        return split.movedim(0, j + 1).reshape(*emitted.shape[:j], outer * len(x), *emitted.shape[j + 1 :])

    def _behind_images(self, j: int) -> int:
        """The product of what lies behind the images in their dimension."""
        roles = [role for role, _ in self.roles[j]]
        behind = self.dims[j].factors[roles.index(IMAGES) + 1 :] if IMAGES in roles else ()
        return prod(f.size for f in behind)

    @cached_property
    def _gaps(self) -> bool:
        """Are there cells of the grid that the emission does not hold?"""
        return any(_missing(dim) for dim in self.dims)

    @property
    def tokens(self) -> tuple[int, ...]:
        """Of a row of tokens, where each cell of the grid, row by row, stands in it."""
        if self.row is None:
            return tuple(range(prod(self.space)))
        one = tuple(size if j == self.row else 1 for j, size in enumerate(self.size))
        mine = [dim if j == self.row else Dim((Factor(1, IMAGES),) if any(f.axis == IMAGES for f in dim.factors) else ())
                for j, dim in enumerate(self.dims)]  # fmt: skip
        places = torch.arange(one[self.row]).reshape(one)
        return tuple(Layout(tuple(mine), self.space, self.order).turn(places).flatten().tolist())


RANK = {IMAGES: -30, PARTS: -20, CHANNELS: -10}


def _of_one(f: Factor) -> int:
    return 1 if f.axis == IMAGES else f.size


def _missing(dim: Dim) -> bool:
    return dim.rows is not None and len({row for row in dim.rows if row >= 0}) < prod(f.size for f in dim.factors)


def _in_order(x: Tensor, j: int, dim: Dim) -> Tensor:
    """The entries of dimension j in the order of the product of its factors, zeros where there is none."""
    rows, count = dim.rows or (), prod(f.size for f in dim.factors)
    first = next((at for at, row in enumerate(rows) if row >= 0), 0)
    if rows[first : first + count] == tuple(range(count)):
        return x.narrow(j, first, count)
    place = {row: at for at, row in enumerate(rows)}
    at = torch.tensor([place.get(cell, 0) for cell in range(count)], device=x.device)
    x = x.index_select(j, at)
    if _missing(dim):
        there = torch.tensor([cell in place for cell in range(count)], device=x.device)
        x = x * there.reshape(-1, *[1] * (x.ndim - 1 - j)).to(x.dtype)
    return x


class Located(NamedTuple):
    """What is known of where an emission lies."""

    shape: tuple[int, ...]  # of the emission, for n images
    layout: Layout | None
    place: Place | None = None  # where its cells lie in the image; None where that is not known, so that they divide it evenly
    why: str = ""  # in words, why there is no layout
    lost: bool = False  # it may have one all the same: it could not be followed
    gaze: Gaze | None = None  # where its cells look; None: where they lie
    row: bool = False  # it is known to be a row of channels for each image, (n, c), without space

    def fitting(self, shape: Sequence[int], n: int, flat: bool = False) -> Layout | None:
        """The layout of an emission of that shape for n images, if it lies so; flat: rows of channels (n, c) have one, too."""
        if self.layout is not None:
            return self.layout if self.layout.fits(shape, n) else None
        rows = flat and (self.row or self.lost) and len(shape) == 2 and shape[0] == n
        return Layout.first(shape[1], ()) if rows else None


def located(mark: Mark, shape: tuple[int, ...], space: Sequence[int]) -> Located:
    """What the mark of an emission of that shape says, for images of `space`."""
    if mark.lost:
        return Located(shape, None, None, mark.lost, True)
    if mark.pairs:
        return Located(shape, None, None, PAIRS)
    for j, _ in mark.spots:
        mark = level(mark, j)
    for a in range(len(mark.axes)):
        mark = coarser(mark, a)
    layout = layout_of(mark.dims, len(space), mark.axes)
    if isinstance(layout, str):
        row = layout == NO_SPACE and [dim.images for dim in mark.dims] == [True, False]
        return Located(shape, None, None, layout, row=row)
    place = _place(mark, layout)
    return Located(shape, layout, place, gaze=gaze(place.first, mark.axes))


def layout_of(dims: tuple[Dim, ...], d: int, axes: Sequence[Axis] = ()) -> Layout | str:
    """The layout of an emission of these dimensions over an image of d axes of space; or why it has none."""
    sizes = []
    for a in range(d):
        steps = sorted((f.step, f.size) for dim in dims for f in dim.factors if f.axis == a)
        sizes.append(prod(size for _, size in steps))
        at = 1
        for step, size in steps:
            if step != at and size > 1:
                return PIECES
            at *= size
    if len(dims) == 2 + d and dims[0].images and not dims[1].informed and all(dim.size == 1 for dim in dims[2:]):
        return Layout.first(dims[1].size, (1,) * d)  # a map of a single cell
    there = {f.axis for dim in dims for f in dim.factors if f.axis is not None and f.axis >= 0}
    if there and len(there) < d:
        return SUMMED_UP
    if not there:
        return NO_SPACE
    for dim in dims:
        cells = [row for row in dim.rows or () if row >= 0]
        if len({*cells}) < len(cells):
            return MANY
        if dim.rows is not None and any(f.axis == IMAGES for f in dim.factors):
            return NO_ORDER
    return Layout(dims, tuple(sizes), tuple(_cells_in_order(axis, size) for axis, size in zip(axes, sizes, strict=False)))


def _cells_in_order(axis: Axis, size: int) -> Order | None:
    """Which entries along an axis are its cells, from the first pixels of the image to the last; None: all, as they are."""
    backwards = axis.stride < 0 and size > 1
    if axis.order is None:
        return tuple(range(size))[::-1] if backwards else None
    entry = {cell: i for i, cell in enumerate(axis.order)}
    return tuple(entry[cell] for cell in (range(size)[::-1] if backwards else range(size)))


def _place(mark: Mark, layout: Layout) -> Place:
    """Where its cells lie."""
    strides, firsts, fields = [], [], []
    for axis, cells in zip(mark.axes, layout.space, strict=True):
        backwards = axis.stride < 0 and cells > 1
        strides.append(abs(axis.stride))
        firsts.append(axis.first + axis.stride * (cells - 1) if backwards else axis.first)
        fields.append(inf if mark.whole else axis.high - axis.low + 1)
    return Place(tuple(strides), tuple(firsts), tuple(fields))
