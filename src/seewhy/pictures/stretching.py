"""Maps at the size of the image that they lie on, some rows at a time: no large map has to be in memory as a whole."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seewhy.arrays import Floats
from seewhy.images.places import Cells, Extent, neighbours

Size = tuple[int, int]  # (w, h) in pixels
Rows = Callable[[int, int], NDArray[np.float32]]  # (first, end) -> the values of these rows, without `end`: (rows, w)
BAND = 1 << 16  # pixels that are drawn at a time: few enough for the cache, and for little memory


def bands(size: Size, least: int = 1) -> Iterator[tuple[int, int]]:
    """Cut a picture of `size` into bands of about BAND pixels, of `least` rows or more (the last may have fewer): gives the
    first row of each band and the row behind its last.
    """
    rows = max(least, BAND // max(1, size[0]))
    for top in range(0, size[1], rows):
        yield top, min(size[1], top + rows)


def stretch(values: Floats, box: Extent, size: Size, cells: Cells | None = None) -> NDArray[np.float32]:
    """(h, w) cells of the box -> (H, W) pixels of an image of size (W, H): linear, zero outside the box.

    The cells tile the box, or lie at `cells`.  Pixel and cell centres lie at half steps (align_corners=False); beyond the
    outermost centres the values stay.
    """
    rows, full = stretched(values, box, size, cells), np.empty(size[::-1], np.float32)
    for top, bottom in bands(size):
        full[top:bottom] = rows(top, bottom)
    return full


def stretched(values: Floats, box: Extent, size: Size, cells: Cells | None = None) -> Rows:
    """`stretch` some rows at a time: a row has the same bits, whichever rows are computed with it."""
    values = values.astype(np.float32)
    down = _between(size[1], box.top, box.bottom, values.shape[0], cells, 0)
    across = _between(size[0], box.left, box.right, values.shape[1], cells, 1)

    def rows(top: int, bottom: int) -> NDArray[np.float32]:
        some = slice(top, bottom)
        flat = _mixed(values[down.near[some]], down.much[some, None], values[down.far[some]], down.more[some, None])
        return _mixed(flat.take(across.near, 1), across.much, flat.take(across.far, 1), across.more)

    return rows


class _Pair(NamedTuple):
    """The two cells that each pixel along an axis takes something of, and how much: (pixels,) each; nothing outside."""

    near: NDArray[np.intp]
    far: NDArray[np.intp]
    much: NDArray[np.float32]  # of the near cell
    more: NDArray[np.float32]  # of the far cell


def _between(pixels: int, first: float, last: float, count: int, cells: Cells | None, axis: int) -> _Pair:
    span, back = cells.spans(axis, count) if cells else (count, 0.5)
    at = (np.arange(pixels) + 0.5 - first) / (last - first)  # in the box: 0 to 1
    at_cells = at * span - back
    near, share = neighbours(cells.shown(axis, count, at_cells) if cells else at_cells, count, rounding=0)
    much, more = ((part * ((at >= 0) & (at <= 1))).astype(np.float32) for part in (1 - share, share))
    return _Pair(near, np.minimum(near + 1, count - 1), much, more)


def _mixed(near: Floats, much: Floats, far: Floats, more: Floats) -> NDArray[np.float32]:
    """The sum of two products, written into `near`: rounded once, as in matrix products by fused multiply and add."""
    near *= much
    near += 0  # no zero is negative
    return np.add(near, far * more.astype(float), out=near, casting="same_kind")
