"""What several tests at once are worth."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def holm(p: Sequence[float]) -> NDArray[np.float64]:
    """p values (m,) adjusted so that, whatever depends on what, the chance of any false one below 0.05 is at most 0.05.

    Source: Holm 1979, A simple sequentially rejective multiple test procedure.
    """
    values = np.asarray(p, np.float64)
    order = values.argsort(kind="stable")
    adjusted = np.empty(len(values))
    adjusted[order] = np.minimum(np.maximum.accumulate(values[order] * np.arange(len(values), 0, -1)), 1)
    return adjusted
