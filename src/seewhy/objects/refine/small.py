"""What refiners share: a smaller grid for what is slow, shades from 0 to 1, and where a map leaves little doubt."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seewhy.arrays import Floats


def smaller(shape: Sequence[int], most: int) -> tuple[int, ...]:
    """The sides of a grid of so many cells at most: as many along each axis, but no more than the image has pixels there.

    So a photo becomes a square, as a network sees it, and a volume of few slices keeps them.
    """
    room, axes = float(most), len(shape)
    for side in sorted(shape):
        longest = int(room ** (1 / axes) + 1e-9)
        if side > longest:
            return tuple(min(length, longest) for length in shape)
        room, axes = room / side, axes - 1
    return tuple(shape)


def averaged(x: NDArray[Any], grid: Sequence[int]) -> NDArray[np.float32]:
    """The mean over each cell of a smaller grid: (*shape, ...) -> (*grid, ...).

    Cells are whole pixels, so where they do not divide a side evenly, some are one pixel longer than others.
    """
    for axis, (side, cells) in enumerate(zip(x.shape, grid, strict=False)):
        if cells < side:
            edges = np.arange(cells + 1) * side // cells
            counts = np.diff(edges).reshape(-1, *[1] * (x.ndim - axis - 1))
            x = np.add.reduceat(x, edges[:-1], axis=axis, dtype=np.float32) / counts.astype(np.float32)
    return x.astype(np.float32)


class Shades(NamedTuple):
    """Which values of each channel become 0 and 1."""

    low: NDArray[np.float32]
    high: NDArray[np.float32]

    def __call__(self, pixels: NDArray[Any]) -> NDArray[np.float32]:
        """(..., c), from 0 to 1; what is no number is 0."""
        shares = (pixels.astype(np.float32) - self.low) / (self.high - self.low)
        return np.clip(np.nan_to_num(shares, posinf=1, neginf=0), 0, 1, dtype=np.float32)


def shades(pixels: NDArray[Any], small: NDArray[np.float32]) -> Shades:
    """0 and 255 of the pixels of photos (uint8), of others the 1st and 99th percentile of each channel on the smaller grid."""
    channels = pixels.shape[-1]
    if pixels.dtype == np.uint8:
        return Shades(np.zeros(channels, np.float32), np.full(channels, 255, np.float32))
    known = [values[np.isfinite(values)] for values in small.reshape(-1, channels).T]
    low, high = np.array([np.percentile(values, (1, 99)) if values.size else (0, 1) for values in known], np.float32).T
    return Shades(low, np.where(high > low, high, low + 1))


class SmallImage(NamedTuple):
    """A map and its image on a smaller grid.

    values: (*grid); colours: (*grid, c), from 0 to 1; shades: which values of the image these are.
    """

    values: NDArray[np.float32]
    colours: NDArray[np.float32]
    shades: Shades

    @classmethod
    def of(cls, values: Floats, pixels: NDArray[Any], most: int) -> "SmallImage":
        grid = smaller(values.shape, most)
        small = averaged(pixels, grid)
        levels = shades(pixels, small)
        return cls(averaged(values, grid), levels(small), levels)

    @property
    def grid(self) -> tuple[int, ...]:
        return self.values.shape

    def likely(self, cut: float) -> NDArray[np.float32]:
        """How likely each cell is object, if that were all that is known: v / (v + cut), one half at the cut."""
        values = np.maximum(self.values, 0)
        return np.divide(values, values + np.float32(cut), out=np.zeros_like(values), where=values > 0)

    def sure(self, cut: float, share: float) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """The cells of which there is little doubt: object, and background.

        Object where the map lies further above the cut than that share of how far its greatest value does, background where it
        lies below the cut by more than that share of it.
        """
        return self.values > cut + share * (float(self.values.max()) - cut), self.values < (1 - share) * cut
