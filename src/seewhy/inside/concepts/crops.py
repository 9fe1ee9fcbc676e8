"""Crops of what the network sees, each enlarged to the size of the whole; and where they lie."""

from itertools import product
from math import ceil
from typing import NamedTuple

import numpy as np

from seewhy.arrays import Floats
from seewhy.images.places import Cells, Grid

OVERLAP = 0.2  # of the side of a crop, at least, that it shares with the next
SHOWN = 0.3  # side of what is shown around a cell, as a share of the image's


class CropPlace(NamedTuple):
    """Where a crop lies in what the network sees, as shares of its sides: for each axis from `first` on, `side` long."""

    first: tuple[float, ...]
    side: tuple[float, ...]

    @property
    def last(self) -> tuple[float, ...]:
        return tuple(first + side for first, side in zip(self.first, self.side, strict=True))


def crop_places(share: float, axes: int) -> list[CropPlace]:
    """Crops with `share` of each of so many sides, evenly over all of the image, neighbours of which overlap."""
    count = 1 if share >= 1 else ceil((1 - share) / ((1 - OVERLAP) * share) - 1e-9) + 1
    starts = np.linspace(0, 1 - share, count)
    return [CropPlace(tuple(map(float, first)), (share,) * axes) for first in product(starts, repeat=axes)]


def cropped(x: Floats, place: CropPlace) -> Floats:
    """The crop of an image (c, *space), enlarged to its size; linear between pixels."""
    grid = Grid.whole(x.shape[1:])
    for axis, (size, first, side) in enumerate(zip(x.shape[1:], place.first, place.side, strict=True)):
        grid = grid.along(axis, size * first + (side - 1) / 2, side, size)  # a pixel's centre lies half a pixel from its edge
    return grid.read(x)


def around_cell(cell: tuple[int, ...], grid: tuple[int, ...], cells: Cells | None) -> CropPlace:
    """What is shown of the image around a cell of a map (*grid): a part of SHOWN sides that does not reach over the edge."""
    lie = cells or Cells.even(grid, grid)
    firsts = []
    for axis, (at, count) in enumerate(zip(cell, grid, strict=True)):
        middle = (lie.centres(axis, count)[at] + 0.5) / lie.size[axis]
        firsts.append(float(np.clip(middle - SHOWN / 2, 0, 1 - SHOWN)))
    return CropPlace(tuple(firsts), (SHOWN,) * len(grid))
