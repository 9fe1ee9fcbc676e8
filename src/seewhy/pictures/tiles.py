"""Maps as tiny pictures that a page stretches over a photo itself: a few hundred bytes each, in place of a picture per map."""

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from seewhy.arrays import Floats
from seewhy.images.places import Cells, Extent

from .render import Look
from .stretching import stretch
from .thumbnails import Thumbnail

SIDE, FINE = 14, 28  # cells along each side of a tile, and of one whose map has more
LEVELS = 15  # of colour, an odd number: of signed maps the one in the middle is zero
OPAQUE, FULL = 0.72, 0.6  # the opacity of the strongest values, and the share of the scale from which on it is reached
APART = 0.85  # the opacity of the greatest difference
BELOW, ABOVE = (32, 101, 171), (177, 24, 43)  # the blue and the red of the colours of signed maps, which their opacity fades


def tile(values: Floats, cells: Cells | None, scale: float, signed: bool = False) -> Thumbnail:
    """The map (h, w) as what it lies on shows it, in colours that get transparent where it says nothing: a square PNG.

    The picture covers the box that the map lies in, whatever its shape.  scale: the value with the last colour; signed: values
    below zero are blue, above red, else the positive part is shown.
    """
    side = SIDE if max(values.shape) <= SIDE else FINE
    square = stretch(values, Extent(0, 0, side, side), (side, side), cells)
    level = levels(square, scale, signed)
    stops = np.linspace(-1 if signed else 0, 1, LEVELS)
    colours = np.where(stops[:, None] < 0, BELOW, ABOVE) if signed else Look("inferno", 0, 1, 1).paint(stops[None])[0]
    opacity = APART * abs(stops) if signed else OPAQUE * np.minimum(1, stops / FULL)
    picture, file = Image.fromarray(level, "P"), io.BytesIO()
    picture.putpalette(colours.astype(np.uint8).tobytes())
    picture.save(file, "PNG", bits=4, optimize=True, transparency=bytes((opacity * 255).round().astype(int).tolist()))
    return Thumbnail(file.getvalue(), "png", (side, side))


def levels(values: Floats, scale: float, signed: bool) -> NDArray[np.uint8]:
    """The number of the colour of each value: 0 to LEVELS - 1."""
    at = np.zeros(values.shape) if scale <= 0 else np.asarray(values, np.float64) / scale
    at = (np.clip(at, -1, 1) + 1) / 2 if signed else np.clip(at, 0, 1)
    return np.rint(at * (LEVELS - 1)).astype(np.uint8)
