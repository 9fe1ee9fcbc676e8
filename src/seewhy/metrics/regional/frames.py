"""Maps on the frame: the rectangle that the network saw of each photo, whatever the photo's own size."""

import numpy as np
from numpy.typing import NDArray

from seewhy.arrays import Floats
from seewhy.errors import NotApplicable
from seewhy.images.places import Extent
from seewhy.maps.finding import evidence
from seewhy.maps.heatmap import Heatmap
from seewhy.pictures.stretching import stretch
from seewhy.printable import printable

SIDE = 128  # places along each side of the frame
FRAME = Extent(0, 0, SIDE, SIDE)
GRID = 8  # cells along each side, for the search: about as fine as most networks' last maps

Shares = tuple[float, float, float, float]  # left, top, right, bottom of a box, in shares of the frame's sides


def framed(heatmap: Heatmap) -> NDArray[np.float32]:
    """The positive part of a map on the frame: (SIDE, SIDE); of mean scores (RISE), how far they lie above the least.

    Raises NotApplicable where it is no map of a photo.
    """
    if not isinstance(heatmap.box, Extent):
        raise NotApplicable(
            f"Evidence is counted over photos, and {printable(heatmap.source.image)} is none. How much of a volume's map lies "
            "in a mask says explain --masks FOLDER, in Python heatmap.evidence_in(mask=mask)."
        )
    values = evidence(heatmap.values, heatmap.values, heatmap.source)
    return np.maximum(stretch(values, FRAME, (SIDE, SIDE), heatmap.cells), 0)


def cell_shares(frame: Floats) -> NDArray[np.float64] | None:
    """Which share of a frame's evidence lies in each cell of the grid, (GRID, GRID), summing to 1; None where there is none."""
    step = SIDE // GRID
    cells = np.asarray(frame, np.float64).reshape(GRID, step, GRID, step).sum((1, 3))
    total = cells.sum()
    return cells / total if total > 0 else None


def on_photo(box: Shares, where: Extent) -> Extent:
    """A box of the frame in pixels of a photo, of which the network saw the part at `where`."""
    across, down = where.right - where.left, where.bottom - where.top
    left, right = sorted((where.left + box[0] * across, where.left + box[2] * across))
    top, bottom = sorted((where.top + box[1] * down, where.top + box[3] * down))
    return Extent(left, top, right, bottom)
