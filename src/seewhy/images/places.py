"""Where things lie in images: a part of a photo, a grid in space, cells along an axis."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from seewhy.arrays import Floats
from seewhy.errors import NotApplicable

from .sight import Sight

Where = Any  # the part of an image that the network saw: an Extent of a photo, a Grid of anything else


class Extent(NamedTuple):
    """A part of the original image by its edges, in pixels: an image of 4 x 3 pixels as a whole is (0, 0, 4, 3)."""

    left: float
    top: float
    right: float
    bottom: float

    def cut(self, photo: Image.Image) -> Image.Image:
        """This part of a photo, at least one pixel of it; mirrored where right is less than left, or bottom less than top."""
        (left, right), (top, bottom) = (sorted(edges) for edges in ((self.left, self.right), (self.top, self.bottom)))
        x, y = round(left), round(top)
        return self.mirrored(photo.crop((x, y, max(x + 1, round(right)), max(y + 1, round(bottom)))))

    def mirrored(self, part: Image.Image) -> Image.Image:
        """What was cut out of a photo here, mirrored as the network saw it."""
        part = ImageOps.mirror(part) if self.left > self.right else part
        return ImageOps.flip(part) if self.top > self.bottom else part


class Turned(NamedTuple):
    """A part of the original image that the network saw with its axes exchanged: a row to the network is a column of it.

    extent: the part as it lies on the image; along its first row the network saw it from top to bottom, down its first column
        from left to right.
    """

    extent: Extent

    def cut(self, photo: Image.Image) -> Image.Image:
        """This part of a photo as the network saw it."""
        return self.extent.cut(photo).transpose(Image.Transpose.TRANSPOSE)


BESIDE = 1e-9  # in cells: smaller distances are rounding errors


class Grid(NamedTuple):
    """How the cells of an inner array lie in an outer array of as many axes; each inner axis runs along an outer axis."""

    axes: tuple[int, ...]  # for each axis of the inner array, the axis of the outer array that it runs along
    first: tuple[
        float, ...
    ]  # where the centre of the first inner cell lies, in outer cells: 0 is the centre of the first outer cell
    step: tuple[float, ...]  # from one inner cell to the next, in outer cells; below zero where the axis runs backwards
    size: tuple[int, ...]  # of the inner array
    shape: tuple[int, ...]  # of the outer array

    @classmethod
    def whole(cls, shape: Sequence[int]) -> "Grid":
        """The grid of an array that is the outer array itself."""
        d = len(shape)
        return cls(tuple(range(d)), (0.0,) * d, (1.0,) * d, tuple(shape), tuple(shape))

    def turned(self, order: Sequence[int]) -> "Grid":
        """The grid with the axes of its inner array in another order."""
        parts: list[Any] = [tuple(part[axis] for axis in order) for part in self[:4]]
        axes, first, step, size = parts
        return Grid(axes, first, step, size, self.shape)

    def along(self, axis: int, first: float, step: float, size: int) -> "Grid":
        """The grid with other cells along one axis: `size` cells, the first of which lies at cell `first` of this grid."""
        firsts, steps, sizes = [*self.first], [*self.step], [*self.size]
        firsts[axis] += steps[axis] * first
        steps[axis] *= step
        sizes[axis] = size
        return Grid(self.axes, tuple(firsts), tuple(steps), tuple(sizes), self.shape)

    @property
    def matrix(self) -> NDArray[np.float64]:
        """The affine matrix (d + 1, d + 1) from inner cells to outer cells."""
        d = len(self.axes)
        placed = np.eye(d + 1)
        placed[:d, :d] = 0
        placed[list(self.axes), range(d)] = self.step
        placed[list(self.axes), d] = self.first
        return placed

    def read(self, x: Floats, outside: Any = 0.0) -> Floats:
        """Sample the outer array (..., *shape) at the inner cells: (..., *size).  Linear between the centres of outer cells;
        beyond the outermost centres their values go on, and beyond the border of the outer array it is `outside`.
        """
        lead = x.ndim - len(self.shape)
        memory = np.argsort([-abs(step) for step in x.strides], kind="stable")  # NIfTI's arrays have their first axis last
        x = x.transpose(memory)
        for place, way in enumerate(int(axis) - lead for axis in memory):
            if way >= 0:
                axis = self.axes.index(way)
                at = self.first[axis] + self.step[axis] * np.arange(self.size[axis])
                x = _at(x, place, at, self.shape[way], outside)
        x = x.transpose(np.argsort(memory))
        return x.transpose(*range(lead), *(lead + axis for axis in self.axes))

    def spread(self, values: Floats, cells: "Cells | None" = None) -> Floats:
        """Resample a map over the inner array to the outer array (*shape): linear between the centres of cells, zero outside.

        cells: where the map's cells lie in the inner array; None: they divide it evenly.
        """
        cells = cells or Cells.even(values.shape, self.size)
        x = values.transpose(np.argsort(self.axes))
        for way in reversed(range(len(self.shape))):  # the largest step along the first axis, which is the fastest
            axis = self.axes.index(way)
            at = (np.arange(self.shape[way]) - self.first[axis]) / self.step[axis]  # in inner cells
            at_cells = cells.shown(axis, values.shape[axis], (at - cells.first[axis]) / cells.stride[axis])
            x = _at(x, way, at_cells, values.shape[axis])
            beyond = (at < -0.5 - BESIDE) | (at > self.size[axis] - 0.5 + BESIDE)
            x = _filled(x, way, beyond, 0)
        return np.ascontiguousarray(x)


def neighbours(at: Floats, cells: int, rounding: float = BESIDE) -> tuple[NDArray[np.intp], Floats]:
    """For places along an axis, in cells: the cell at or before each, and the weight of the next cell (0 to 1).

    Places beyond the outermost cells get these cells.  A place as near to a cell's centre as `rounding` counts as that centre.
    """
    nearest = np.round(at)
    inner = np.where(abs(at - nearest) < rounding, nearest, at).clip(0, cells - 1)
    low = np.floor(inner)
    return low.astype(np.intp), inner - low


def _at(x: Floats, axis: int, at: Floats, cells: int, outside: Any = None) -> Floats:
    """x at places along one axis, in cells: interpolated linearly; beyond the outermost cells their values, or `outside`."""
    if len(at) == cells and np.array_equal(at, np.arange(cells)):
        return x
    low, share = neighbours(at, cells)
    after = [1] * (x.ndim - 1 - axis)
    values = x.take(low, axis)
    if share.any():
        weight = share.reshape(-1, *after).astype(x.dtype)
        values = values * (1 - weight) + x.take(np.minimum(low + 1, cells - 1), axis) * weight
    return values if outside is None else _filled(values, axis, (at < -0.5 - BESIDE) | (at > cells - 0.5 + BESIDE), outside)


def _filled(x: Floats, axis: int, where: NDArray[np.bool_], value: Any) -> Floats:
    """x with one value at some places along an axis."""
    if not where.any():
        return x
    return np.where(where.reshape(-1, *[1] * (x.ndim - 1 - axis)), np.asarray(value, x.dtype), x)


class Place(NamedTuple):
    """Where the cells of a map lie, per axis of space, in pixels of the network's input: 0 is the centre of the first."""

    stride: tuple[float, ...]  # from one cell to the next
    first: tuple[float, ...]  # the centre of the first cell's receptive field, uncut by the border
    field: tuple[float, ...]  # the receptive field's size; inf where a cell sees the whole image
    centre: tuple[float, ...] = ()  # where the first cell sees, by the network's weights, uncut; empty: at `first`
    sights: tuple[Sight, ...] = ()  # how far around it the cell sees; empty: at this place alone


class Cells(NamedTuple):
    """Where the cells of a map lie, per axis of it, in pixels of what the network saw: 0 is the centre of the first pixel.

    Near the border a cell lies farther inside than `first` and `stride` say: at the centre of what the image shows of its view.
    """

    first: tuple[float, ...]  # the centre of the first cell, uncut by the border
    stride: tuple[float, ...]  # from one cell to the next
    size: tuple[int, ...]  # of what the network saw, in pixels
    sights: tuple[Sight, ...] = ()  # how far around its centre a cell sees; empty: at the centre alone

    @classmethod
    def even(cls, grid: Sequence[int], size: Sequence[int]) -> "Cells":
        """Cells that divide the image evenly, as other libraries assume for all maps."""
        stride = tuple(pixels / cells for pixels, cells in zip(size, grid, strict=True))
        return cls(tuple((s - 1) / 2 for s in stride), stride, tuple(size))

    @classmethod
    def of(cls, place: Place, size: Sequence[int]) -> "Cells":
        """The cells of a map that lies there, in an image of that size."""
        return cls(place.centre or place.first, place.stride, tuple(size), place.sights)

    @property
    def uncut(self) -> "Cells":
        """The same cells, those at the border as far apart as all others."""
        return self._replace(sights=())

    def spans(self, axis: int, count: int) -> tuple[float, float]:
        """For `count` cells along an axis: the image's size in cells, and how far its edge lies before the centre of the first
        cell, in cells; exactly count and 1/2 where, up to rounding, the cells divide the image evenly.
        """
        span, back = self.size[axis] / self.stride[axis], (self.first[axis] + 0.5) / self.stride[axis]
        even = abs(span - count) < 1e-9 * count and abs(back - 0.5) < 1e-9
        return (count, 0.5) if even else (span, back)

    def centres(self, axis: int, count: int) -> Floats:
        """Where `count` cells along an axis lie, in pixels."""
        uncut = self.first[axis] + self.stride[axis] * np.arange(count)
        return self.sights[axis].shown(uncut, self.size[axis]) if self.sights else uncut

    def shown(self, axis: int, count: int, at: Floats) -> Floats:
        """Places along an axis, counted in cells of stride length from the first -> counted by where `count` cells lie."""
        if not self.sights:
            return at
        centres, cells, pixels = self.centres(axis, count), np.arange(count), self.first[axis] + self.stride[axis] * at
        way = -1 if self.stride[axis] < 0 else 1
        return np.interp(pixels, centres[::way], cells[::way])


Spans = Sequence[tuple[float, float]]  # for each axis the edges (low, high): pixel 0 alone is (0, 1)


class AxisCells(NamedTuple):
    """Cells along one axis of an image, in its pixels, counted from its edge: the centre of the first pixel is 0.5."""

    first: float  # the centre of the first cell, uncut by the border
    stride: float  # from the centre of one cell to the next
    cells: int
    sight: Sight = Sight()


def cells_along(grid: Sequence[int], cells: Cells | None, view: Spans) -> tuple[AxisCells, ...]:
    """The cells of a map (*grid) on the image, per axis; `view` is the part of the image that the network saw.

    cells: where they lie in the network's input; None: they divide it evenly.
    Raises NotApplicable where the input is a mirrored image.
    """
    cells = cells or Cells.even(grid, grid)
    axes = []
    for axis, (count, (low, high)) in enumerate(zip(grid, view, strict=True)):
        scale = (high - low) / cells.size[axis]  # pixels of the image per pixel of the network's input
        first, stride = low + (cells.first[axis] + 0.5) * scale, cells.stride[axis] * scale
        sight = cells.sights[axis].times(abs(scale)) if cells.sights else Sight()
        axes.append(AxisCells(first, stride, count, sight))
    if any(axis.stride <= 0 for axis in axes):
        raise NotApplicable("`prepare` mirrors the photo; tiles of it cannot be joined. Leave the mirroring out.")
    return tuple(axes)
