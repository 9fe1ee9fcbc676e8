"""How a tensor lies over the image: which of its dimensions hold channels and which space, and where its cells are."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import inf
from typing import NamedTuple

from seewhy.images.places import Place

from .dims import CHANNELS, IMAGES, Dimension, Dimensions, joined, labels, runs_along, whole


class CellsAlong(NamedTuple):
    """Where cells lie along one axis of space, in pixels of the network's input: 0 is the centre of the first."""

    stride: float
    first: float
    field: float  # what a cell sees; inf of one that sees the whole image

    def through(self, window: float, begin: float, step: float) -> "CellsAlong":
        """Of cells that each read `window` cells, the first of them from cell `begin` on, each the next `step` cells on."""
        reach = (window - 1) * self.stride
        return CellsAlong(self.stride * step, self.first + self.stride * begin + reach / 2, self.field + abs(reach))

    def everywhere(self) -> "CellsAlong":
        """The same cells, where each sees the whole image."""
        return self._replace(field=inf)


@dataclass(frozen=True)
class TensorView:
    """A tensor that depends on the image."""

    shape: tuple[int, ...]
    dims: Dimensions
    along: tuple[CellsAlong | None, ...]  # of each axis of space; None where its cells lie nowhere in particular

    def order(self) -> tuple[int, ...] | None:
        """The dimensions that hold channels and each axis of space; None where it is no map of channels."""
        found = []
        for label in (CHANNELS, *range(len(self.along))):
            at = [k for k, dim in enumerate(self.dims) if dim is None or label in labels(dim)]
            if len(at) != 1 or not runs_along(self.dims[at[0]], label):
                return None
            found += at
        rest = [k for k in range(len(self.shape)) if k not in (*found, self.images())]
        if any(self.shape[k] != 1 for k in rest) or len({*found}) != len(found):
            return None
        return tuple(found)

    def unclear(self) -> bool:
        """Does it hold more than a row of channels, and no map of them: tokens, or what lies nowhere?"""
        wide = [dim for size, dim in zip(self.shape, self.dims, strict=True) if size > 1]
        return len(wide) > 1 and self.order() is None and any(dim is None or labels(dim) - {CHANNELS, IMAGES} for dim in wide)

    def images(self) -> int | None:
        """The dimension along which the images of a batch lie; None where there is none."""
        return next((k for k, dim in enumerate(self.dims) if runs_along(dim, IMAGES)), None)

    def place(self) -> Place | None:
        """Where its cells lie; None where that is not known."""
        known = [each for each in self.along if each is not None]
        if len(known) != len(self.along):
            return None
        stride, first, field = zip(*known, strict=True)
        return Place(stride, first, field)

    def like(self, shape: Sequence[int], dims: Dimensions | None = None) -> "TensorView":
        """The view of a tensor of that shape whose cells lie as these do."""
        return TensorView(tuple(shape), self.dims if dims is None else dims, self.along)

    def lost(self, shape: Sequence[int]) -> "TensorView":
        """The view of a tensor of which nothing is known but that it depends on the image."""
        return TensorView(tuple(shape), (None,) * len(shape), (None,) * len(self.along))

    def mixed(self, dims: Sequence[int]) -> "TensorView":
        """The same, where each entry depends on all others along those dimensions."""
        axes = {label for k in dims for label in (labels(self.dims[k]) if self.dims[k] else range(len(self.along)))}
        return replace(self, along=everywhere(self.along, axes))


def everywhere(along: Sequence[CellsAlong | None], axes: "set[int | str] | range") -> tuple[CellsAlong | None, ...]:
    """The same cells, where each sees the whole image along some axes."""
    return tuple(each.everywhere() if each and a in axes else each for a, each in enumerate(along))


def at_input(shape: Sequence[int], channels: int) -> TensorView:
    """The image itself, as a tensor of that shape with its channels in that dimension."""
    dims: list[Dimension] = [whole(IMAGES, shape[0])]
    space = 0
    for k, size in enumerate(shape[1:], 1):
        dims.append(whole(CHANNELS, size) if k == channels else whole(space, size))
        space += k != channels
    return TensorView(tuple(shape), tuple(dims), (CellsAlong(1.0, 0.0, 1.0),) * space)


def as_maps(shape: Sequence[int], view: TensorView) -> TensorView:
    """Maps (n, c, *space) that an operator on such makes of a tensor whose dimensions are not known: they lie nowhere."""
    dims = (whole(IMAGES, shape[0]), whole(CHANNELS, shape[1]), *(whole(a, size) for a, size in enumerate(shape[2:])))
    if len(shape) != len(view.along) + 2:
        return view.lost(shape)
    return TensorView(tuple(shape), dims, (None,) * len(view.along))


def together(views: Sequence[TensorView], shape: Sequence[int]) -> TensorView:
    """The view of what several tensors of the image are combined to, number by number."""
    dims: list[Dimension] = []
    for k in range(-len(shape), 0):
        there = [view for view in views if len(view.shape) >= -k]
        dims.append(joined([view.dims[k] for view in there], [view.shape[k] for view in there]))
    along = tuple(_together([_seen(view, a) for view in views]) for a in range(len(views[0].along)))
    return TensorView(tuple(shape), tuple(dims), along)


def _seen(view: TensorView, axis: int) -> tuple[CellsAlong | None, int]:
    """Where the cells of a view lie along an axis, and how many there are."""
    size = 1
    for dim in view.dims:
        for part in dim or ():
            size *= part.size if part.label == axis else 1
    return view.along[axis], size


def _together(each: Sequence[tuple[CellsAlong | None, int]]) -> CellsAlong | None:
    """Where cells lie that are made of those of several tensors: one of a single cell is added to all of them."""
    count = max(size for _, size in each)
    wide = [along for along, size in each if size == count]
    if any(along is None for along in wide) or len({along.stride for along in wide if along}) > 1:
        return None
    known = [along for along in wide if along is not None]
    finite = [along for along in known if along.field < inf]
    if not finite:
        firsts = [along.first for along in known]
        return known[0]._replace(first=(min(firsts) + max(firsts)) / 2)
    low, high = min(a.first - a.field / 2 for a in finite), max(a.first + a.field / 2 for a in finite)
    field = inf if len(finite) < len(known) or len(wide) < len(each) else high - low
    return CellsAlong(known[0].stride, (low + high) / 2, field)
