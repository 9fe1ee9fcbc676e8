"""Stored maps on the grid of their whole photo, whatever part of it the network saw, and however fine its cells are."""

import numpy as np
from numpy.typing import NDArray

from seewhy.images.places import Extent
from seewhy.pictures.stretching import stretch

from .photo_rows import MapRow


def on_photo_grid(one: MapRow, size: tuple[int, int], side: int) -> tuple[NDArray[np.float32], NDArray[np.bool_]] | None:
    """A map (h, w) with `side` places along the photo's longer side, zero where the network saw nothing, and where it saw
    something; None where it saw no upright part of the photo.

    size: (w, h) of the photo.  Values are evidence: of mean scores (RISE), how far they lie above what says nothing.
    """
    box = one.box
    if not isinstance(box, Extent):
        return None
    scale = side / max(size)
    small = max(1, round(size[0] * scale)), max(1, round(size[1] * scale))
    across, down = small[0] / size[0], small[1] / size[1]
    placed = Extent(box.left * across, box.top * down, box.right * across, box.bottom * down)
    evidence, ones = one.values - np.float32(one.nothing), np.ones(one.values.shape, np.float32)
    return stretch(evidence, placed, small, one.cells), stretch(ones, placed, small) > 0
