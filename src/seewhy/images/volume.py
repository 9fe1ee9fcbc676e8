"""Volumes: values on a grid of voxels, and where each of them lies in the body; and how one grid lies in another."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seewhy.errors import BadImage, BadParameter

if TYPE_CHECKING:
    from .resample import Cells

Floats = NDArray[np.floating[Any]]
CODES = ("LR", "PA", "IS")  # of each axis of the world, from its low end to its high one
BESIDE = 1e-9  # a share of a cell: rounding
MAX_VOXELS = 1 << 29  # that are read of a file where nothing else is said: 2 GB as float32; 512 x 512 x 2048


@dataclass(frozen=True, eq=False)
class Volume:
    """A volume, such as a CT or MR scan, as `read_volume` gives it or as you make it of an array.

    values: (i, j, k) float32, or (i, j, k, c) of several channels.
    affine: (4, 4), from voxels to mm: x to the right, y to the front, z to the head of the patient (RAS+), as in NIfTI.
    header: of the NIfTI file it came from, so that what is saved keeps its units and codes.
    Raises BadImage for values of other dimensions or an affine that turns a volume into a plane.
    """

    values: NDArray[np.float32]
    affine: NDArray[np.float64]
    name: str = "volume"
    notes: tuple[str, ...] = ()
    header: Any = field(default=None, repr=False)

    def __post_init__(self) -> None:
        values, affine = np.asarray(self.values), np.asarray(self.affine, np.float64)
        if values.ndim not in (3, 4) or not values.size or values.dtype.kind not in "fiub":
            raise BadImage(f"{self.name}: {values.dtype} {values.shape} is no volume: numbers (i, j, k), or (i, j, k, c).")
        if not places_voxels(affine):
            said = np.array2string(affine, precision=3).replace("\n", "")
            raise BadImage(f"{self.name}: the affine {said} does not place voxels in space: it is (4, 4), voxel to mm.")
        object.__setattr__(self, "values", np.asarray(values, np.float32))
        object.__setattr__(self, "affine", affine)

    def __repr__(self) -> str:
        size, mm = ("x".join(f"{side:.4g}" for side in sides) for sides in (self.values.shape, self.spacing))
        return f"<Volume {self.name}: {size} voxels of {mm} mm, {self.codes}>"

    @property
    def shape(self) -> tuple[int, int, int]:
        """(i, j, k)"""
        i, j, k = self.values.shape[:3]
        return i, j, k

    @property
    def spacing(self) -> tuple[float, float, float]:
        """mm from one voxel to the next, along each axis."""
        i, j, k = map(float, np.linalg.norm(self.affine[:3, :3], axis=0))
        return i, j, k

    @property
    def codes(self) -> str:
        """Where each axis points, nearly: "RAS" where they run to the right, the front (anterior) and the head (superior)."""
        return "".join(CODES[world][sign > 0] for world, sign in self._ways)

    @property
    def channels(self) -> NDArray[np.float32]:
        """(c, i, j, k)"""
        return np.moveaxis(self.values, -1, 0) if self.values.ndim == 4 else self.values[None]

    def mm(self, voxels: Any) -> NDArray[np.float64]:
        """Voxels (..., 3) -> where their centres lie (..., 3), in mm."""
        return np.asarray(voxels, np.float64) @ self.affine[:3, :3].T + self.affine[:3, 3]

    def towards(self, codes: str) -> "Grid":
        """The same voxels with their axes in another order and sense, such as "RAS" or "LPS", as near as they can come.

        Raises BadParameter where these are no three such letters.
        """
        asked = str(codes).upper()
        world = [next((w for w, pair in enumerate(CODES) if letter in pair), -1) for letter in asked]
        if sorted(world) != [0, 1, 2]:
            raise BadParameter(f"orientation={codes!r}: one letter each of L or R, P or A, I or S, such as 'RAS' or 'LPS'.")
        own = [way for way, _ in self._ways]
        grid = Grid.whole(self.shape).turned([own.index(w) for w in world])
        for axis, (letter, w) in enumerate(zip(asked, world, strict=True)):
            if (CODES[w][1] == letter) != (self._ways[own.index(w)][1] > 0):
                grid = grid.along(axis, grid.size[axis] - 1, -1, grid.size[axis])
        return grid

    @property
    def _ways(self) -> list[tuple[int, float]]:
        """Of each axis: the axis of the world that it runs along most, each of which is taken once, and in which sense.

        By the nearest affine without shear, as nibabel's io_orientation does.
        """
        u, _, v = np.linalg.svd(_directions(self.affine))
        turn = u @ v
        found: dict[int, tuple[int, float]] = {}
        for axis in np.argsort(-(turn**2).max(0), kind="stable"):
            world = int(abs(turn[:, axis]).argmax())
            found[int(axis)] = world, float(turn[world, axis])
            turn[world] = 0
        return [found[axis] for axis in range(3)]


def places_voxels(affine: NDArray[np.float64]) -> bool:
    """Does it lead each voxel to a place of its own?"""
    return affine.shape == (4, 4) and bool(np.isfinite(affine).all()) and abs(np.linalg.det(_directions(affine))) >= 1e-6


def most_voxels(asked: Any = None) -> int:
    """That many; where nothing is asked for, MAX_VOXELS as it is now.  Raises BadParameter for what is no such number."""
    if asked is None:
        return MAX_VOXELS
    try:
        if (count := int(asked)) > 0:
            return count
    except (TypeError, ValueError, OverflowError):
        pass
    raise BadParameter(f"most={asked!r}: give a number of voxels, above zero.")


def check_voxels(sides: Sequence[int], most: int, name: str) -> None:
    """Raises BadImage where a file holds more voxels than are read, before any room is made for them."""
    count = prod(map(int, sides))
    if count > most:
        raise BadImage(
            f"{name} is too large: {'x'.join(map(str, sides))}, {count} voxels ({count * 4 / 1e9:.1f} GB in memory, and a "
            f"network needs several times that); at most {most} are read. Make it coarser or cut it; or, if you trust it and "
            f"memory suffices: seewhy.read_volume(path, most={count}), on the command line --max-voxels {count}."
        )


def _directions(affine: NDArray[np.float64]) -> NDArray[np.float64]:
    """(3, 3), a column for each axis: where it points, without its length."""
    length = np.linalg.norm(affine[:3, :3], axis=0)
    return affine[:3, :3] / np.where(length > 0, length, 1)


class Grid(NamedTuple):
    """How the cells of one array lie in another, of any dimension: each axis of the one runs along one of the other."""

    axes: tuple[int, ...]  # of the other, one for each axis of the one
    first: tuple[float, ...]  # where the centre of the first cell lies, in cells of the other: 0 is the centre of its first
    step: tuple[float, ...]  # from one cell to the next; below zero where it runs backwards
    size: tuple[int, ...]  # of the one, in cells
    shape: tuple[int, ...]  # of the other

    @classmethod
    def whole(cls, shape: Sequence[int]) -> "Grid":
        """The array itself."""
        d = len(shape)
        return cls(tuple(range(d)), (0.0,) * d, (1.0,) * d, tuple(shape), tuple(shape))

    def turned(self, order: Sequence[int]) -> "Grid":
        """With its axes in another order."""
        parts: list[Any] = [tuple(part[axis] for axis in order) for part in self[:4]]
        axes, first, step, size = parts
        return Grid(axes, first, step, size, self.shape)

    def along(self, axis: int, first: float, step: float, size: int) -> "Grid":
        """With other cells along one axis: `size` of them, of which the first lies at the cell `first` of those that were."""
        firsts, steps, sizes = [*self.first], [*self.step], [*self.size]
        firsts[axis] += steps[axis] * first
        steps[axis] *= step
        sizes[axis] = size
        return Grid(self.axes, tuple(firsts), tuple(steps), tuple(sizes), self.shape)

    @property
    def matrix(self) -> NDArray[np.float64]:
        """(d + 1, d + 1), from cells of the one to cells of the other."""
        d = len(self.axes)
        found = np.eye(d + 1)
        found[:d, :d] = 0
        found[list(self.axes), range(d)] = self.step
        found[list(self.axes), d] = self.first
        return found

    def read(self, x: Floats, outside: Any = 0.0) -> Floats:
        """What lies in the other array (..., *shape) at the cells of the one (..., *size): linear between centres, beyond the
        outermost centres these go on, beyond the border it is `outside`.
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
        """A map over the one (*cells), as it lies on the other (*shape): linear between the centres of cells, zero outside.

        cells: where they lie in the one; None: they share it out evenly.
        """
        first, stride = (cells.first, cells.stride) if cells else self._even(values.shape)
        x = values.transpose(np.argsort(self.axes))
        for way in reversed(range(len(self.shape))):  # the largest step along the first axis, which is the fastest
            axis = self.axes.index(way)
            at = (np.arange(self.shape[way]) - self.first[axis]) / self.step[axis]  # in cells of the one
            x = _at(x, way, (at - first[axis]) / stride[axis], values.shape[axis])
            beyond = (at < -0.5 - BESIDE) | (at > self.size[axis] - 0.5 + BESIDE)
            x = _filled(x, way, beyond, 0)
        return np.ascontiguousarray(x)

    def _even(self, cells: Sequence[int]) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Of so many cells that share out the one: the centre of the first, and the step to the next."""
        stride = tuple(size / n for size, n in zip(self.size, cells, strict=True))
        return tuple((s - 1) / 2 for s in stride), stride


def _at(x: Floats, axis: int, at: Floats, cells: int, outside: Any = None) -> Floats:
    """x at places along one axis, in its cells: linear between them; further out the outermost, or `outside` where given."""
    if len(at) == cells and np.array_equal(at, np.arange(cells)):
        return x
    inner = at.clip(0, cells - 1)
    low = np.minimum(np.floor(inner + BESIDE), cells - 1).astype(np.intp)
    share = (inner - low).clip(0)
    share[share < BESIDE] = 0
    after = [1] * (x.ndim - 1 - axis)
    found = x.take(low, axis)
    if share.any():
        weight = share.reshape(-1, *after).astype(x.dtype)
        found = found * (1 - weight) + x.take(np.minimum(low + 1, cells - 1), axis) * weight
    return found if outside is None else _filled(found, axis, (at < -0.5 - BESIDE) | (at > cells - 0.5 + BESIDE), outside)


def _filled(x: Floats, axis: int, where: NDArray[np.bool_], value: Any) -> Floats:
    """x with one value at some places along an axis."""
    if not where.any():
        return x
    return np.where(where.reshape(-1, *[1] * (x.ndim - 1 - axis)), np.asarray(value, x.dtype), x)
