"""Maps on the grid that they are scored on."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from seewhy.arrays import numbers
from seewhy.errors import BadParameter, NotApplicable
from seewhy.images.places import Extent, Grid
from seewhy.images.resample import resized
from seewhy.maps.finding import evidence
from seewhy.maps.heatmap import Heatmap
from seewhy.pictures.stretching import Size, stretch
from seewhy.printable import quoted


def grid_size(size: Any) -> Size | None:
    """The grid (w, h) that maps are scored on, as a number or two were given; None for the photos' own pixels.

    Raises BadParameter where that is none.
    """
    if size is None:
        return None
    sides = (size, size) if isinstance(size, int | np.integer) else tuple(size) if isinstance(size, tuple | list) else ()
    if len(sides) != 2 or not all(isinstance(side, int | np.integer) and side is not True and side > 0 for side in sides):
        raise BadParameter(
            f"size={quoted(size)} is no grid: give (width, height) in cells, as (224, 224), or None for the photo's own."
        )
    return int(sides[0]), int(sides[1])


def shares(thresholds: Any) -> NDArray[np.float64]:
    """Thresholds as shares of a map's range.  Raises BadParameter where there is none, or one is not from 0 to 1."""
    array = np.asarray(thresholds, np.float64).ravel()
    if not array.size or not ((array >= 0) & (array <= 1)).all():
        raise BadParameter(f"thresholds={quoted(np.asarray(thresholds).tolist())}: give shares of a map's range, from 0 to 1.")
    return array


def photo_size(given: Any, photo: Size | None = None) -> Size:
    """(w, h) of the photo that a map explains: of a Heatmap its own; of an array what is said, else that of the array.

    Raises NotApplicable where it is no map of a photo, BadParameter where an array has not two dimensions.
    """
    if isinstance(given, Heatmap):
        if isinstance(given.box, Grid) or given.values.ndim != 2:
            raise NotApplicable(
                f"Localization is scored on photos, and {given.source.image} is none. Take the boxes or the mask of its map, "
                "and compare these."
            )
        return given.size[0], given.size[1]
    array = numbers(given)
    if array.ndim != 2 or not array.size:
        raise BadParameter(f"A map of a photo is a Heatmap or an array (h, w), not one of {array.shape}.")
    return photo or (array.shape[1], array.shape[0])


def on_grid(given: Any, size: Size | None = None, photo: Size | None = None) -> NDArray[np.float32]:
    """A map over its photo, brought to a grid of `size` (w, h), by default the photo's own pixels: (h, w), linear between the
    centres of cells.

    given: a Heatmap, which is zero outside of what the network saw (of RISE's mean scores it counts how far they lie above the
    least); or an array (h, w) over the whole photo, of any resolution.
    Raises NotApplicable, BadParameter as `photo_size`; BadParameter where a map holds no numbers.
    """
    width, height = photo_size(given, photo)
    across, down = size or (width, height)
    if isinstance(given, Heatmap):
        box = given.box
        assert isinstance(box, Extent)  # photo_size refuses others
        values = evidence(given.values, given.values, given.source)
        x, y = across / width, down / height
        return stretch(values, Extent(box.left * x, box.top * y, box.right * x, box.bottom * y), (across, down), given.cells)
    values = numbers(given).astype(np.float32)
    if not np.isfinite(values).all():
        raise BadParameter(f"The map holds values that are no numbers: {quoted(values[~np.isfinite(values)][:3].tolist())}.")
    return values if values.shape == (down, across) else resized(values, (down, across))
