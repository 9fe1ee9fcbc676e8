"""Which part of a photo a stranger's preprocessing shows, and how it lies there: found out by sending ramps through."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from seewhy.images.places import Extent, Turned

PhotoSize = tuple[int, int]  # (w, h)
Places = NDArray[np.float64]  # (h, w)
Send = Callable[[Image.Image], NDArray[np.floating]]  # a photo -> (c, h, w), always in the same way
ROWS = 64  # of what a ramp became that are looked at, at least, where there are as many
FAINT = 0.2  # of the largest contrast: where less is left of it, too little of the photo is seen to tell a place


def measured(send: Send, size: PhotoSize) -> Extent | Turned | None:
    """The part of photos of that size that `send` shows; None where it cannot be told.

    Black, white and two ramps are sent; what comes out of a ramp, put between black and white, is where it came from.  Raises
    whatever `send` raises, and ValueError where what comes out has several shapes.
    """
    width, height = size
    with np.errstate(all="ignore"):
        black, white, right, below = (
            send(Image.fromarray(np.broadcast_to(np.uint8(grey), (height, width))).convert("RGB")).mean(0, dtype=np.float64)
            for grey in (0, 255, _ramp(width), _ramp(height)[:, None])
        )
        contrast = white - black
        seen = abs(contrast) > FAINT * abs(contrast).max()
        x, y = (np.where(seen, (ramp - black) / contrast, np.nan) for ramp in (right, below))
    return placed(x, y, size)


def placed(x: Places, y: Places, size: PhotoSize) -> Extent | Turned | None:
    """The part of a photo of that size whose pixels come from x and y, (h, w) each; None where these run along no axis.

    x, y: from 0, the centre of the first pixel, to 1, that of the last; NaN where it is not known.
    """
    width, height = size
    if (across := _edges(x, width)) and (down := _edges(y.T, height)):
        return Extent(across[0], down[0], across[1], down[1])
    if (across := _edges(x.T, width)) and (down := _edges(y, height)):
        return Turned(Extent(across[0], down[0], across[1], down[1]))
    return None


def _ramp(length: int) -> NDArray[np.float64]:
    return np.linspace(0, 255, length).round()


def _edges(ramp: Places, length: int) -> tuple[float, float] | None:
    """First and last edge of what a ramp of `length` pixels became: the line through the inner columns of (h, w); None where
    it does not run along the columns.
    """
    some = ramp[:: max(1, len(ramp) // ROWS)]
    columns = np.flatnonzero(np.isfinite(some).any(0))
    if length < 2 or len(columns) < 2:
        return None
    some = some[:, columns]
    place = np.nanmedian(some, 0) * (length - 1) + 0.5
    spread = (np.nanmax(some, 0) - np.nanmin(some, 0)).max()
    trim = len(columns) // 10  # resampling bends the ramp at its ends
    inner = slice(trim, len(columns) - trim)
    slope, start = np.polyfit(columns[inner] + 0.5, place[inner], 1)
    bend = abs(slope * (columns[inner] + 0.5) + start - place[inner]).max()
    if slope == 0 or spread > 0.05 or bend > 0.02 * length + 1:
        return None
    return float(start), float(start + slope * ramp.shape[1])
