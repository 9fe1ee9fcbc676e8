"""Does what a network is given look like the part of the photo that it is said to show?"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from seewhy.images.places import Extent, Turned

SIDE = 16  # rows and columns of squares that are compared, at most
PICKED, FINER = 4, 8  # pixels along each side of a square that are looked at: of what the network is given, of the photo
LEAST = 0.1  # of what the network is given, along each axis: less than that is not compared
PLAIN = 2.0  # standard deviation of the photo, of 255 levels, below which nothing is recognised


def agreement(x: NDArray[np.floating], photo: Image.Image, box: Extent | Turned) -> float:
    """How alike they are at a coarse look: from 0 to 1, the correlation of the mean channel of x with the photo's colours.

    x: (c, h, w).  It is 0 where x would be clearly more like the photo if it were mirrored or turned in another way, and 1
    where nothing can be compared, as the photo is of one colour or too little of it is shared.
    """
    extent, x = (box.extent, x.swapaxes(1, 2)) if isinstance(box, Turned) else (box, x)
    side = min(SIDE, *x.shape[1:])
    across = _shared(extent.left, extent.right, photo.width)
    down = _shared(extent.top, extent.bottom, photo.height)
    if across is None or down is None:
        return 1.0
    rows, columns = (along.picked(PICKED * side, pixels) for along, pixels in zip((down, across), x.shape[1:], strict=True))
    given = x[:, rows[:, None], columns].sum(0, dtype=np.float64)
    part = (across.low, down.low, across.high, down.high)
    there = photo.resize((side * FINER, side * FINER), Image.Resampling.NEAREST, part).reduce(FINER)
    return _alike(given.reshape(side, PICKED, side, PICKED).sum((1, 3)), np.asarray(extent.mirrored(there), np.float64))


class Shared(NamedTuple):
    """What a photo and what a network is given of it have in common along an axis."""

    low: float  # its edges on the photo, in pixels
    high: float
    start: float  # its edges in what the network is given, from 0 to 1
    stop: float

    def picked(self, count: int, pixels: int) -> NDArray[np.intp]:
        """So many of the pixels that the network is given along the axis, spread evenly over what is shared."""
        shares = self.start + (np.arange(count) + 0.5) / count * (self.stop - self.start)
        return (shares * pixels).astype(int).clip(0, pixels - 1)


def _shared(first: float, last: float, length: int) -> Shared | None:
    """Of what the network sees from `first` to `last` of a photo's `length` pixels; None where that is too little."""
    low, high = max(0.0, min(first, last)), min(float(length), max(first, last))
    if high - low < LEAST * abs(last - first) or high - low < 1:
        return None
    start, stop = sorted((edge - first) / (last - first) for edge in (low, high))
    return Shared(low, high, start, stop)


def _alike(seen: NDArray[np.float64], there: NDArray[np.float64]) -> float:
    """seen: (side, side); there: (side, side, 3)"""
    colours = there.reshape(-1, 3)
    colours, seen = colours - colours.mean(0), seen - seen.mean()
    length = np.sqrt((seen**2).sum())
    if not np.isfinite(length) or length == 0 or colours.std() < PLAIN:
        return 1.0
    sizes, directions = np.linalg.eigh(colours.T @ colours)
    kept = sizes > 1e-4 * sizes[-1]
    turned = [view for turn in (seen, seen.T) for view in (turn, turn[::-1], turn[:, ::-1], turn[::-1, ::-1])]
    along = np.reshape(turned, (8, -1)) @ (colours @ directions[:, kept] / np.sqrt(sizes[kept]))
    explained = np.sqrt((along**2).sum(1)) / length
    return 0.0 if 1 - explained[1:].max() < (1 - explained[0]) / 2 else float(min(1.0, explained[0]))
