"""Which part of a photo one cell of a layer looks at."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seewhy.arrays import Array
from seewhy.images.places import Extent, Turned, Where
from seewhy.targets.aim import ImageView

SPREADS = 2  # standard deviations to each side, which hold 95 % of what a cell reads along an axis, as a bell curve


class CellSights(NamedTuple):
    """Where the cells of a layer look in the network's input, along each axis in its pixels: pixel 0 alone is (0, 1)."""

    grid: tuple[int, ...]
    first: tuple[float, ...]  # the centre of what the first cell sees
    stride: tuple[float, ...]  # from one cell to the next
    half: tuple[float, ...]  # how far a cell looks to each side

    @classmethod
    def of(cls, model: Any, layer: str, x: Array, grid: tuple[int, ...]) -> "CellSights | None":
        """Those of a layer of that grid, as images like x run through; None where it is not known where its cells lie.

        A cell looks as far as its effective receptive field: SPREADS standard deviations of what the network's weights let it
        read, and never farther than its receptive field; where the weights do not tell, as far as that.
        Source: Luo et al. 2016, Understanding the effective receptive field in deep convolutional neural networks.
        """
        known, gaze = model.cells(layer, x), model.gaze(layer, x)
        if known is None or known[0] != grid:
            return None
        place = known[1]
        first = place.first if gaze is None else gaze.first
        half = [min(field, 2 * side) / 2 for field, side in zip(place.field, x.shape[2:], strict=True)]
        if gaze is not None:
            half = [min(SPREADS * sight.spread, sight.reach) if sight.spread else sight.reach for sight in gaze.sights]
        least = [max(h, abs(s) / 2) for h, s in zip(half, place.stride, strict=True)]  # a cell's own share of the image
        return cls(grid, tuple(at + 0.5 for at in first), place.stride, tuple(least))

    def edges(self, cell: tuple[int, ...], space: tuple[int, ...]) -> list[tuple[float, float]]:
        """What a cell sees along each axis of an input of these sides: (low, high), cut at its border."""
        seen = []
        for at, first, stride, half, side in zip(cell, self.first, self.stride, self.half, space, strict=True):
            centre = min(max(first + stride * at, 0.5), side - 0.5)
            seen.append((max(0.0, centre - half), min(float(side), centre + half)))
        return seen


def on_photo(edges: list[tuple[float, float]], space: tuple[int, ...], box: Where | None) -> Extent | Turned | None:
    """A part of the network's input as a part of the photo; None where that is no photo, or it is not known where it lies.

    edges: (low, high) along the axes y and x; box: the part of the photo that the network saw.
    """
    if not isinstance(box, Extent | Turned) or len(space) != 2:
        return None
    (top, bottom), (left, right) = edges
    corners: NDArray[Any] = ImageView(space, None, box, None).to_photo(np.array([[left, top], [right, bottom]]))
    part = Extent(*(float(at) for at in corners.ravel()))
    return Turned(part) if isinstance(box, Turned) else part
