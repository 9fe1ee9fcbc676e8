"""From a volume to what the network eats, and back: where in the volume each voxel of that lies."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from operator import index
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seewhy.arrays import Floats
from seewhy.errors import BadImage, BadParameter
from seewhy.images.places import Grid
from seewhy.images.volume import Volume, most_voxels

from .fit import Ready

SMALLEST = 1e-9  # mm from one voxel to the next
OF_VOLUME = "own"  # the volume's own mean, or standard deviation
Three = Any  # one number for all axes, or three; None


@dataclass(frozen=True)
class VolumeFit:
    """The usual preprocessing of volumes, by its numbers, in the order in which they stand here; without any, the values as
    they are stored.

    orientation: turn the axes to point so, such as "RAS" or "LPS", as near as they can; None: as stored.
    axes: their order for the network: "kji" for one that wants (z, y, x).  What follows has this order.
    spacing: mm between voxels, of the same field of view; size: so many voxels, of the same field of view.
    crop: so many voxels in the centre; beyond the volume lies its lowest value.
    window: (low, high): clipped there and stretched to [0, 1]; mean, std: (x - mean) / std, one number or one per channel, or
        "own": of each volume itself, as it is now.
    channels: all volumes of a 4-D file, as channels.

    Sampled once, linear between voxels, without a blur before; so where each voxel comes from is known exactly.
    """

    orientation: str | None = None
    axes: str = "ijk"
    spacing: Three = None
    size: Three = None
    crop: Three = None
    window: tuple[float, float] | None = None
    mean: float | str | Sequence[float] = 0.0
    std: float | str | Sequence[float] = 1.0
    channels: bool = False

    def __post_init__(self) -> None:
        if self.orientation is not None:
            Volume(np.zeros((1, 1, 1), np.float32), np.eye(4)).towards(self.orientation)
        if not isinstance(self.axes, str) or sorted(self.axes) != [*"ijk"]:
            raise BadParameter(f"axes={self.axes!r}: the letters i, j, k in the network's order: 'kji' for (z, y, x).")
        for name in ("spacing", "size", "crop"):
            object.__setattr__(self, name, _three(name, getattr(self, name), whole=name != "spacing"))
        object.__setattr__(self, "window", _window(self.window))
        for name in ("mean", "std"):
            object.__setattr__(self, name, _numbers(name, getattr(self, name)))
        if self.std != OF_VOLUME and np.min(np.asarray(self.std, float)) <= 0:
            raise BadParameter(f"std={self.std}: it is above zero.")

    def __call__(self, volume: Volume) -> NDArray[np.float32]:
        """(c, *space)"""
        if not isinstance(volume, Volume):
            raise BadParameter(
                "This model's `prepare` reads volumes. Photos, and the names of greys (fill='black'), mean nothing to it: give "
                "a volume, a prepared batch (n, c, d, h, w), or a number."
            )
        x = np.ascontiguousarray(self.box(volume).read(volume.channels, volume.values.min()))
        if self.window is not None:
            low, high = self.window
            x = (x.clip(low, high) - np.float32(low)) / np.float32(high - low)
        mean, std = (self._of(name, x, volume.name) for name in ("mean", "std"))
        return ((x - mean) / std).astype(np.float32)

    def ready(self, volume: Volume) -> Ready:
        """What the network sees of the volume, and where in it that lies."""
        return Ready(self(volume), self.box(volume))

    def box(self, volume: Volume) -> Grid:
        """Where in the volume the voxels of what the network sees lie."""
        grid = Grid.whole(volume.shape) if self.orientation is None else volume.towards(self.orientation)
        grid = grid.turned(["ijk".index(letter) for letter in self.axes])
        for axis in range(3):
            for make in (self._spaced, self._sized, self._cropped):
                grid = make(grid, axis, volume.spacing)
        _check_room(grid.size, volume)
        return grid

    def _spaced(self, grid: Grid, axis: int, mm: Sequence[float]) -> Grid:
        """The new voxels lie in the middle of the field of view; they may leave over, or pass, half a voxel of it."""
        if self.spacing is None:
            return grid
        step = self.spacing[axis] / mm[grid.axes[axis]]
        count = max(1, round(grid.size[axis] / step))
        return grid.along(axis, (grid.size[axis] - 1 - (count - 1) * step) / 2, step, count)

    def _sized(self, grid: Grid, axis: int, _mm: Sequence[float]) -> Grid:
        if self.size is None:
            return grid
        step = grid.size[axis] / self.size[axis]
        return grid.along(axis, (step - 1) / 2, step, self.size[axis])

    def _cropped(self, grid: Grid, axis: int, _mm: Sequence[float]) -> Grid:
        if self.crop is None:
            return grid
        side, crop = grid.size[axis], self.crop[axis]
        first = side // 2 - crop // 2 if side >= crop else -((crop - side) // 2)  # as MONAI cuts and pads
        return grid.along(axis, first, 1, crop)

    def _of(self, name: str, x: Floats, volume: str) -> Floats:
        """The mean or std, to be taken from x (c, *space)."""
        setting = getattr(self, name)
        if setting == OF_VOLUME:
            value = x.mean(dtype=np.float64) if name == "mean" else x.std(dtype=np.float64) or 1  # the same everywhere
            return np.array(value, np.float32)
        numbers = np.asarray(setting, np.float32)
        if numbers.size not in (1, len(x)):
            raise BadImage(f"{volume} has {len(x)} channels, `prepare` {numbers.size} numbers for its {name}.")
        return numbers.reshape(-1, 1, 1, 1)


def _check_room(size: Sequence[int], volume: Volume) -> None:
    """More voxels than are read of a file are not made of a smaller one, either."""
    most, count = max(most_voxels(), volume.values.size), prod(size)
    if count > most:
        raise BadImage(
            f"{volume.name}: `prepare` makes {'x'.join(map(str, size))} voxels of it ({count * 4 / 1e9:.0f} GB), more than the "
            f"{most} that are taken. It is {volume!r}: ask for another spacing, size or crop, or raise "
            "seewhy.images.volume.MAX_VOXELS (on the command line --max-voxels)."
        )


OURS = ("orientation", "spacing", "window", "axes", "channels")  # what no photo's preprocessing has


def means_volumes(numbers: Mapping[str, Any]) -> bool:
    """Are these numbers of a volume's preprocessing, not of a photo's?"""
    return any(name in numbers for name in OURS) or any(np.size(numbers.get(name, 0)) == 3 for name in ("size", "crop"))


def volume_fit(numbers: Mapping[str, Any]) -> VolumeFit:
    """Of a dict.  Raises BadParameter for what it does not take."""
    known = VolumeFit.__dataclass_fields__
    if unknown := set(numbers) - set(known):
        raise BadParameter(f"`prepare` of volumes has no {', '.join(sorted(map(str, unknown)))}. It takes: {', '.join(known)}.")
    return VolumeFit(**numbers)


def _three(name: str, value: Any, whole: bool) -> tuple[Any, ...] | None:
    if value is None:
        return None
    try:
        each = tuple(index(side) if whole else float(side) for side in (value if np.ndim(value) else (value,) * 3))
        if len(each) == 3 and all((1 if whole else SMALLEST) <= side < float("inf") for side in each):
            return each
    except (TypeError, ValueError):
        pass
    what = "voxels" if whole else "mm"
    raise BadParameter(f"{name}={value!r}: give {what} along the three axes, in the network's order, or one number for all.")


def _window(value: Any) -> tuple[float, float] | None:
    if value is None:
        return None
    try:
        low, high = map(float, value)
        if -np.inf < low < high < np.inf:
            return low, high
    except (TypeError, ValueError):
        pass
    raise BadParameter(f"window={value!r}: give (low, high), the low one first, as in (-100, 400).")


def _numbers(name: str, value: Any) -> Any:
    if isinstance(value, str) and value == OF_VOLUME:
        return OF_VOLUME
    try:
        each = np.asarray(value, np.float64)
        if np.isfinite(each).all() and each.ndim < 2 and each.size:
            return float(each) if each.ndim == 0 else tuple(map(float, each))
    except (TypeError, ValueError):
        pass
    raise BadParameter(f"{name}={value!r}: give a number, one for each channel, or 'own' for that of each volume.")
