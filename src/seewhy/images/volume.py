"""Volumes: values on a grid of voxels, where each voxel lies in the body, and how many voxels are read at most."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seewhy.errors import BadImage, BadParameter

from .places import Grid

CODES = ("LR", "PA", "IS")  # for each axis of the world, the letters of its low and its high end
MAX_VOXELS = 1 << 29  # of a file, by default: 2 GB as float32; 512 x 512 x 2048
SIDES_UNSAID = "does not say how the patient lies"  # in the notes of a volume whose affine is a guess


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
            text = np.array2string(affine, precision=3).replace("\n", "")
            raise BadImage(f"{self.name}: the affine {text} does not place voxels in space: it is (4, 4), voxel to mm.")
        object.__setattr__(self, "values", np.asarray(values, np.float32))
        object.__setattr__(self, "affine", affine)

    def __repr__(self) -> str:
        size, mm = ("x".join(f"{side:.4g}" for side in sides) for sides in (self.values.shape, self.spacing))
        return f"<Volume {self.name}: {size} voxels of {mm} mm, {self.codes}>"

    @property
    def sides_known(self) -> bool:
        """Does the file say how the patient lies?  Else left and right are a guess, which `notes` says in full."""
        return not any(SIDES_UNSAID in note for note in self.notes)

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
        letters = str(codes).upper()
        world = [next((w for w, pair in enumerate(CODES) if letter in pair), -1) for letter in letters]
        if sorted(world) != [0, 1, 2]:
            raise BadParameter(f"orientation={codes!r}: one letter each of L or R, P or A, I or S, such as 'RAS' or 'LPS'.")
        worlds = [way for way, _ in self._ways]
        grid = Grid.whole(self.shape).turned([worlds.index(w) for w in world])
        for axis, (letter, w) in enumerate(zip(letters, world, strict=True)):
            if (CODES[w][1] == letter) != (self._ways[worlds.index(w)][1] > 0):
                grid = grid.along(axis, grid.size[axis] - 1, -1, grid.size[axis])
        return grid

    @property
    def _ways(self) -> list[tuple[int, float]]:
        """For each axis, the axis of the world that it runs along most, and in which direction; each of these is taken once.

        They are those of the nearest affine without shear, as in nibabel's io_orientation.
        """
        u, _, v = np.linalg.svd(_directions(self.affine))
        turn = u @ v
        ways: dict[int, tuple[int, float]] = {}
        for axis in np.argsort(-(turn**2).max(0), kind="stable"):
            world = int(abs(turn[:, axis]).argmax())
            ways[int(axis)] = world, float(turn[world, axis])
            turn[world] = 0
        return [ways[axis] for axis in range(3)]


def places_voxels(affine: NDArray[np.float64]) -> bool:
    """Does the affine give each voxel a different place?"""
    return affine.shape == (4, 4) and bool(np.isfinite(affine).all()) and abs(np.linalg.det(_directions(affine))) >= 1e-6


def most_voxels(most: Any = None) -> int:
    """`most` as a number of voxels; None is the present MAX_VOXELS.  Raises BadParameter where it is no number above zero."""
    if most is None:
        return MAX_VOXELS
    try:
        if (count := int(most)) > 0:
            return count
    except (TypeError, ValueError, OverflowError):
        pass
    raise BadParameter(f"most={most!r}: give a number of voxels, above zero.")


def check_voxels(sides: Sequence[int], most: int, name: str) -> None:
    """Raises BadImage where a file holds more than `most` voxels, before memory is taken for them."""
    count = prod(map(int, sides))
    if count > most:
        raise BadImage(
            f"{name} is too large: {'x'.join(map(str, sides))}, {count} voxels ({count * 4 / 1e9:.1f} GB in memory, and a "
            f"network needs several times that); at most {most} are read. Make it coarser or cut it; or, if you trust it and "
            f"memory suffices: seewhy.read_volume(path, most={count}), on the command line --max-voxels {count}."
        )


def _directions(affine: NDArray[np.float64]) -> NDArray[np.float64]:
    """(3, 3), with a column of unit length for each axis: the direction in which it points."""
    length = np.linalg.norm(affine[:3, :3], axis=0)
    return affine[:3, :3] / np.where(length > 0, length, 1)
