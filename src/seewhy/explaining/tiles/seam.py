"""The weights with which overlapping tiles are joined: along each axis they sum to one in every cell of the joined map."""

from collections.abc import Sequence

import numpy as np

from seewhy.arrays import Floats
from seewhy.images.places import AxisCells, neighbours

MARGIN = 1 / 4  # at each end of an overlap, this share of it has a single tile: the other one has weight zero
ROUNDING = 1e-6  # in cells: a value no farther than this from a cell of the grid is taken to lie on it


class Seam:
    """The joined map along one axis: which of its cells each tile covers, and the weight of the tile there.

    row: the cells of the first tile; starts: where the tiles begin; view: the edges (low, high) of what the network sees of a
    tile.
    The weight of a tile is zero in the outer MARGIN of its overlap with a neighbour, where padding and missing context spoil
    its values; from there on it rises (3t^2 - 2t^3).  At the image's own borders it is full.  Values that do not lie on the
    joined map's grid are interpolated linearly.
    """

    def __init__(self, row: AxisCells, starts: Sequence[int], view: tuple[float, float]) -> None:
        self.row, self.starts, self.view = row, starts, view
        self.count = round(starts[-1] / row.stride) + row.cells
        self.at = row.first + row.stride * np.arange(self.count)  # the centres of its cells
        self.total = np.zeros(self.count)
        for k in range(len(starts)):
            self.total[self.part(k)] += self._raw(k)

    def part(self, k: int) -> slice:
        """The cells of the joined map that tile k covers."""
        low = 0 if k == 0 else np.searchsorted(self.at, self.starts[k] + self.view[0])
        last = k == len(self.starts) - 1
        return slice(int(low), self.count if last else int(np.searchsorted(self.at, self.starts[k] + self.view[1])))

    def share(self, k: int) -> Floats:
        """The weight of tile k in each cell that it covers; in every cell the weights of all tiles sum to one."""
        return self._raw(k) / self.total[self.part(k)]

    def drawn(self, k: int, values: Floats, axis: int) -> Floats:
        """The values of tile k along the axis, interpolated linearly at the cells of the joined map that it covers."""
        at = (self.at[self.part(k)] - self.starts[k] - self.row.first) / self.row.stride  # in cells of the tile
        low, share = neighbours(at, self.row.cells, ROUNDING)
        rest = share.reshape(-1, *[1] * (values.ndim - 1 - axis))
        whole = np.take(values, low, axis)
        if not rest.any():
            return whole
        after = np.take(values, np.minimum(low + 1, self.row.cells - 1), axis)
        # `after` may be infinite where its weight is zero
        return whole * (1 - rest) + np.multiply(after, rest, where=rest > 0, out=np.zeros(after.shape))

    def _raw(self, k: int) -> Floats:
        at, (low, high), starts = self.at[self.part(k)], self.view, self.starts
        weight = np.ones(len(at))
        if k > 0:
            weight *= _ramp(at - (starts[k] + low), starts[k - 1] + high - (starts[k] + low))
        if k + 1 < len(starts):
            weight *= _ramp(starts[k] + high - at, starts[k] + high - (starts[k + 1] + low))
        return weight


def _ramp(inside: Floats, overlap: float) -> Floats:
    """Weights from zero to one by how far cells lie inside the edge of a tile that shares `overlap` pixels with a neighbour."""
    if overlap <= 0:
        return np.ones(len(inside))
    t = np.clip((inside / overlap - MARGIN) / (1 - 2 * MARGIN), 0, 1)
    return t * t * (3 - 2 * t)
