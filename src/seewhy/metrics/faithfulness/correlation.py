"""The correlation of two rows of numbers."""

import numpy as np

from seewhy.arrays import Floats

ROUNDING = 1e-10  # of the largest value: less is no variation


def pearson(a: Floats, b: Floats) -> float:
    """Pearson's correlation of a and b, (n,) each; NaN where one of them does not vary."""
    x, y = (np.asarray(each, np.float64) for each in (a, b))
    if any(np.ptp(each) <= ROUNDING * np.abs(each).max() for each in (x, y)):
        return np.nan
    x, y = x - x.mean(), y - y.mean()
    return float(np.clip((x * y).sum() / np.sqrt((x * x).sum() * (y * y).sum()), -1, 1))
