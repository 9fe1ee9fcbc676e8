"""The guided filter: in each window, the map becomes the linear function of the image's colours that fits it best."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seewhy.arrays import Floats
from seewhy.images.resample import resized

from .small import Shades, SmallImage

MOST = 2**14  # cells of the grid on which the linear functions are fitted, as 128 x 128


def guided(values: Floats, cut: float, pixels: NDArray[Any], *, radius: float = 0.2, eps: float = 1e-4) -> NDArray[np.bool_]:
    """Where v / (v + cut) of the map's values v, filtered with the image as its guide, is above one half.

    radius: of the windows, as a share of each side; eps: variance of the image's shades, which go from 0 to 1, far below which
    the map is blurred instead.
    The functions are fitted on a grid of `MOST` cells at most and read the image in full (He & Sun, Fast Guided Filter, 2015).
    """
    small = SmallImage.of(values, pixels, MOST)
    radii = [max(1, round(radius * side)) for side in small.grid]
    slopes, offsets = coefficients(small.likely(cut), small.colours, radii, eps)
    if small.grid == values.shape:
        return (slopes * small.colours).sum(-1) + offsets > 0.5
    made = resized(offsets.astype(np.float32), values.shape)
    for channel, (low, high) in enumerate(zip(*small.shades, strict=True)):
        made += resized(slopes[..., channel].astype(np.float32), values.shape) * Shades(low, high)(pixels[..., channel])
    return made > 0.5


def coefficients(values: Floats, guide: Floats, radii: Sequence[int], eps: float) -> tuple[Floats, Floats]:
    """The mean of the linear functions in whose windows each pixel lies: slopes (*grid, c) and offsets (*grid), float64.

    values: (*grid); guide: (*grid, c); radii: of the windows along each axis, in pixels; they end where the image does.
    The filtered map is (slopes * guide).sum(-1) + offsets.
    Source: He, Sun & Tang, Guided Image Filtering, 2013, equations 19 to 21.
    """
    values, guide = values.astype(np.float64), guide.astype(np.float64)
    mean, level = window_mean(guide, radii), window_mean(values, radii)
    spread = window_mean(guide[..., :, None] * guide[..., None, :], radii) - mean[..., :, None] * mean[..., None, :]
    shared = window_mean(guide * values[..., None], radii) - mean * level[..., None]
    slopes = np.linalg.solve(spread + eps * np.eye(guide.shape[-1]), shared[..., None])[..., 0]
    offsets = level - (slopes * mean).sum(-1)
    return window_mean(slopes, radii), window_mean(offsets, radii)


def window_mean(x: Floats, radii: Sequence[int]) -> Floats:
    """The mean over the pixels at most `radius` away along each of the first axes, of those that there are."""
    from scipy import ndimage  # comes with scikit-image, and takes as long to import

    for axis, radius in enumerate(radii):
        at = np.arange(x.shape[axis])
        counts = np.minimum(at + radius + 1, len(at)) - np.maximum(at - radius, 0)
        sums = ndimage.uniform_filter1d(x, 2 * radius + 1, axis, mode="constant") * (2 * radius + 1)
        x = sums / counts.reshape(-1, *[1] * (x.ndim - axis - 1))
    return x
