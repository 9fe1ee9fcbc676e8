"""Kernels as pictures: in colour where they read the colours of a photo, else in blue and red around a white zero."""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from seewhy.arrays import Floats

from .curves import INK
from .render import Look

SLICES = 9  # of a kernel with three axes of space, at most
STRONGEST = 4  # channels of a kernel that are shown, where they are no colours
APART = 3  # pixels between slices
LINES = ((178, 24, 43), (27, 120, 55), (33, 102, 172), (120, 120, 120))  # colours of the channels of a signal


def kernel_tile(values: Floats, side: int, colours: bool) -> Image.Image:
    """A kernel (c, *taps) as a square of that many pixels: RGB, each tap a block.

    Its scale is its own and symmetric, from -m to m, m the largest absolute value.  colours: its three channels are red, green
    and blue, and zero is the middle grey; else blue stands for values below zero, red above, white for zero, and of more than
    four channels the four with the largest Euclidean norm are shown.  Of three axes of space slices along the first, of one
    axis a line for each channel.
    """
    most = float(abs(values).max(initial=0)) or 1.0
    if values.ndim == 2:
        return _lines(values[strongest(values)], side, most)
    if colours:
        shares = np.moveaxis(0.5 + values / (2 * most), 0, -1)
        painted = (shares * 255).round().astype(np.uint8)
        return _tiled([*painted[spread(len(painted))]] if values.ndim == 4 else [painted], side)
    look = Look("blue-red", -most, most, 1)
    planes = [look.paint(plane) for channel in strongest(values) for plane in _planes(values[channel])]
    return _tiled(planes, side)


def strongest(values: Floats) -> list[int]:
    """The channels of a kernel (c, *taps) that are shown: all of few, else those with the largest norm, in their order."""
    sizes = np.sqrt((values.reshape(len(values), -1).astype(np.float64) ** 2).sum(1))
    return sorted(np.argsort(-sizes, kind="stable")[:STRONGEST].tolist())


def spread(count: int) -> list[int]:
    """At most SLICES of so many slices, spread evenly, the first and the last among them."""
    return sorted({*np.linspace(0, count - 1, min(count, SLICES)).round().astype(int).tolist()})


def _planes(values: Floats) -> list[Floats]:
    return [values] if values.ndim == 2 else [values[place] for place in spread(len(values))]


def _tiled(planes: Sequence[Floats], side: int) -> Image.Image:
    """Pictures (h, w, 3) in rows and columns of a square on white, each drawn so many times larger that it fits."""
    columns = int(np.ceil(np.sqrt(len(planes))))
    room = (side - APART * (columns - 1)) / columns
    height, width = planes[0].shape[:2]
    scale = room / max(height, width)
    size = max(1, int(width * scale)), max(1, int(height * scale))
    field = Image.new("RGB", (side, side), "white")
    for place, plane in enumerate(planes):
        row, column = divmod(place, columns)
        how = Image.Resampling.NEAREST if scale >= 1 else Image.Resampling.BOX
        corner = int(column * (room + APART)), int(row * (room + APART))
        field.paste(Image.fromarray(np.ascontiguousarray(plane)).resize(size, how), corner)
    return field


def _lines(values: Floats, side: int, most: float) -> Image.Image:
    """A line for each channel (c, taps) around a zero in the middle."""
    fine = 3  # drawn so many times larger, then reduced
    picture = Image.new("RGB", (side * fine, side * fine), "white")
    draw, middle = ImageDraw.Draw(picture), side * fine / 2
    draw.line((0, middle, side * fine, middle), (190, 190, 190), fine)
    at = (np.arange(values.shape[1]) + 0.5) * side * fine / values.shape[1]
    for channel, colour in zip(values, LINES if len(values) > 1 else (INK,), strict=False):
        points = [*zip(at.tolist(), (middle - channel / most * 0.46 * side * fine).tolist(), strict=True)]
        draw.line(points, colour, 2 * fine, joint="curve")
        for x, y in points:
            draw.ellipse((x - 2 * fine, y - 2 * fine, x + 2 * fine, y + 2 * fine), colour)
    return picture.reduce(fine)
