"""A photo at several sizes, and its gradient where it is too large for one pass, or the network takes one size alone."""

from collections.abc import Callable, Iterator, Sequence
from math import ceil

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Slope = Callable[[NDArray[np.float32]], tuple[float, NDArray[np.float32]]]  # of an image (1, 3, h, w): objective and gradient
OctaveSize = tuple[int, int]  # (h, w)


def octave_sizes(size: OctaveSize, octaves: int, scale: float, least: OctaveSize) -> list[OctaveSize]:
    """The sizes of an image of `size`, the smallest first, each `scale` times the one before; the last is `size` itself.

    None is smaller than `least` along an axis: where the photo itself is, all of them are larger, in its proportions.  Those
    that would be equal are one.
    """
    sizes = []
    for octave in range(octaves - 1, -1, -1):
        sides = [side / scale**octave for side in size]
        grown = max(1.0, *(low / side for low, side in zip(least, sides, strict=True)))
        sizes.append((max(least[0], round(sides[0] * grown)), max(least[1], round(sides[1] * grown))))
    return [*dict.fromkeys(sizes)]


def resized(image: NDArray[np.float32], size: OctaveSize) -> NDArray[np.float32]:
    """Images (1, c, h, w) at another size: bicubic, averaging where they become smaller.  Values may leave their range."""
    height, width = size
    if image.shape[2:] == (height, width):
        return image
    channels = [Image.fromarray(channel).resize((width, height), Image.Resampling.BICUBIC) for channel in image[0]]
    return np.stack([np.asarray(channel, np.float32) for channel in channels])[None]


def tiled(slope: Slope, tile: OctaveSize) -> Slope:
    """The gradient of an image of any size by tiles of one size, evenly spread so that they cover it; where tiles overlap it is
    the mean of theirs, and so is the objective of all tiles.
    """

    def whole(image: NDArray[np.float32]) -> tuple[float, NDArray[np.float32]]:
        total, count, values = np.zeros_like(image), np.zeros(image.shape[2:], np.float32), []
        for top, left in _corners(image.shape[2:], tile):
            part = (..., slice(top, top + tile[0]), slice(left, left + tile[1]))
            value, g = slope(np.ascontiguousarray(image[part]))
            total[part] += g
            count[part] += 1
            values.append(value)
        return float(np.mean(values)), total / count

    return whole


def _corners(size: Sequence[int], tile: OctaveSize) -> Iterator[tuple[int, int]]:
    """The upper left corners of the tiles."""
    starts = []
    for side, length in zip(size, tile, strict=True):
        spare = max(0, side - length)
        starts.append([round(spare * i / max(1, ceil(side / length) - 1)) for i in range(max(1, ceil(side / length)))])
    return ((top, left) for top in starts[0] for left in starts[1])


def jittered(slope: Slope, jitter: int, rng: np.random.Generator) -> Slope:
    """The gradient of the image shifted by up to `jitter` pixels along each axis, anew at each call; what leaves it on one side
    comes in on the other, so that neither cells nor tiles leave their grid in it.
    """

    def shifted(image: NDArray[np.float32]) -> tuple[float, NDArray[np.float32]]:
        by = tuple(int(each) for each in rng.integers(-jitter, jitter + 1, 2))
        value, g = slope(np.roll(image, by, (2, 3)))
        return value, np.roll(g, (-by[0], -by[1]), (2, 3))

    return shifted


def sizes_in_words(sizes: Sequence[OctaveSize]) -> str:
    """The sizes as a person writes them, width first."""
    return ", ".join(f"{width}x{height}" for height, width in sizes)
