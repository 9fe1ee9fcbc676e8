"""Masks by a random field in which cells of like colour are tied to be object together."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from seewhy.arrays import Floats
from seewhy.images.resample import resized

from .crf import Tie, kernels, mean_field
from .small import SmallImage

MOST = 48 * 48  # cells of the grid; every pair of them is kept
FLOOR = 0.1  # no cell is surer than that


def crf(
    values: Floats, cut: float, pixels: NDArray[Any], *, weight: float = 10.0, xy: float = 0.16, rgb: float = 13 / 255,
    smooth: float = 3.0, iterations: int = 10,
) -> NDArray[np.bool_]:  # fmt: skip
    """Where a cell is likelier object than background after mean-field inference, which begins from v / (v + cut).

    weight: how strongly cells of like colour are tied; xy: how near they have to be, as a share of each side; rgb: how like, in
    shades from 0 to 1; smooth: how strongly neighbours are tied, of whatever colour.
    Source: Krähenbühl & Koltun, 2011, in full on a grid of `MOST` cells at most; see `crf`.
    """
    small = SmallImage.of(values, pixels, MOST)
    likely = np.clip(small.likely(cut), FLOOR, 1 - FLOOR).ravel()
    tied = kernels(small.colours, [Tie(weight, xy * max(small.grid), rgb), Tie(smooth, 1)])
    found = mean_field(-np.log(np.stack([1 - likely, likely])), tied, iterations)[1]
    return resized(found.reshape(small.grid), values.shape) > 0.5
