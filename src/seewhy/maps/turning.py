"""Maps of photos that the network saw with their axes exchanged, turned back."""

from dataclasses import replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from seewhy.images.places import Cells, Turned

from .heatmap import Heatmap
from .regions import Regions

A = TypeVar("A", bound=np.generic)


def turned_back(heatmap: Heatmap) -> Heatmap:
    """The map as it lies on the photo, if its box is a part that the network saw turned (`Turned`); else the map itself."""
    if not isinstance(heatmap.box, Turned):
        return heatmap
    return replace(
        heatmap,
        values=_exchanged(heatmap.values),
        box=heatmap.box.extent,
        channels=None if heatmap.channels is None else _exchanged(heatmap.channels),
        error=None if heatmap.error is None else _exchanged(heatmap.error),
        regions=heatmap.regions and _regions(heatmap.regions),
        cells=heatmap.cells and _cells(heatmap.cells),
    )


def _exchanged(values: NDArray[A]) -> NDArray[A]:
    """(..., h, w) -> (..., w, h)"""
    return np.ascontiguousarray(values.swapaxes(-1, -2))


def _cells(cells: Cells) -> Cells:
    return Cells(cells.first[::-1], cells.stride[::-1], cells.size[::-1], cells.sights[::-1])


def _regions(regions: Regions) -> Regions:
    return replace(regions, segments=_exchanged(regions.segments))
