"""A map over a smaller copy of its photo, as sheets show many."""

from dataclasses import replace

import numpy as np
from PIL import Image

from seewhy.pictures.canvas import on_photo, resized
from seewhy.pictures.thumbnails import within

from .heatmap import Heatmap, overlay_of


def shrunk(heatmap: Heatmap, side: int, photo: Image.Image | None = None) -> Heatmap:
    """The same map over a photo, or a prepared array, of `side` pixels on its longer side; over anything else as it is.

    photo: the photo of that size, where there is one already.
    """
    if not on_photo(shown := overlay_of(heatmap)):
        return heatmap
    size = within((shown.size[0], shown.size[1]), side)
    if size[0] * size[1] > (Image.MAX_IMAGE_PIXELS or np.inf):  # a bound of photos, which Pillow holds their parts to as well
        return heatmap
    how = Image.Resampling.BOX if max(size) < max(shown.size) else Image.Resampling.NEAREST
    small = resized(shown, size, how, photo)
    return replace(heatmap, image=small.image, box=small.box)
