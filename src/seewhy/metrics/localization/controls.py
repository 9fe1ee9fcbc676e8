"""Maps that never saw the photo: what a measure of them is, a method has to be ahead of."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from seewhy.images.resample import resized
from seewhy.pictures.stretching import Size

CONTROLS = ("random", "centre")
DRAWN, CELLS, SIGMA = 32, 7, 0.25  # random maps, taken in turn; cells along their sides; of the Gaussian, in shares of a side


def control(name: str, size: Size, number: int = 0) -> NDArray[np.float32]:
    """A control on a grid of `size` (w, h): (h, w), 0 to 1.  As `control_over`."""
    return control_over(name, size[::-1], number)


def control_over(name: str, space: Sequence[int], number: int = 0) -> NDArray[np.float32]:
    """A control on a grid (*space) of any number of axes, 0 to 1.

    "centre": a Gaussian over the middle, its standard deviation a quarter of each side (Choe et al. 2020 have one as a
    baseline; under a swept threshold its width is of no account).  "random": 7 cells a side of uniform noise, interpolated
    linearly as a map is; number: which of these.
    """
    if name == "random":
        cells = np.random.default_rng([number % DRAWN, CELLS]).random((CELLS,) * len(space), np.float32)
        return resized(cells, space)
    away = [((np.arange(side) + 0.5) / side - 0.5) / SIGMA for side in space]
    squares = sum(each**2 for each in np.meshgrid(*away, indexing="ij"))
    return np.exp(-squares / 2).astype(np.float32)
