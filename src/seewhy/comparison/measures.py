"""How far one map lies from another of the same shape: by ranks, by centre.  Numbers alone, no images."""

import numpy as np
from numpy.typing import NDArray

from seewhy.arrays import Floats

TIES = 1e-4  # of a map's largest absolute value: values that are as close count as equal, lest rounding errors have ranks
FLAT = 1e-6  # of the same: a map that varies by no more is the same everywhere, as in the warnings of a Source


def flat(values: Floats) -> bool:
    """Is the map the same everywhere, up to rounding errors?  A map of zeros is; so is one of a single cell."""
    return bool(values.max() - values.min() <= FLAT * np.abs(values).max())


def ranks(values: Floats) -> NDArray[np.float64]:
    """The rank of each value from 1 on, in the shape of the values; equal ones share the mean of their ranks."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[inverse].reshape(values.shape)


def spearman(a: Floats, b: Floats) -> float | None:
    """The rank correlation of two maps of one shape, from -1 to 1; None where one of them is the same everywhere, for
    then it has no order and the correlation is not defined.

    The correlation of Pearson of the ranks, ties by their mean rank.  Values closer than TIES of their map's largest count as
    equal: else the noise of 1e-8 that one framework leaves where another has zero would have ranks.
    Source: Spearman 1904, The proof and measurement of association between two things; for maps Adebayo et al. 2018, Sanity
    checks for saliency maps, sec. 4.
    """
    if flat(a) or flat(b):
        return None
    x, y = (ranks(_stepped(values)) for values in (a, b))
    x, y = x - x.mean(), y - y.mean()
    size = np.sqrt((x * x).sum() * (y * y).sum())
    return float(np.clip((x * y).sum() / size, -1, 1)) if size > 0 else None


def centre(values: Floats) -> NDArray[np.float64] | None:
    """The centre of the positive evidence: the mean place, one number an axis, in cells from the centre of the first; None
    where there is no positive evidence.
    """
    p = np.maximum(np.asarray(values, np.float64), 0)
    if not (total := p.sum()):
        return None
    along = [p.sum(tuple(other for other in range(p.ndim) if other != axis)) for axis in range(p.ndim)]
    return np.array([(np.arange(len(line)) * line).sum() / total for line in along])


def _stepped(values: Floats) -> NDArray[np.float64]:
    values = np.asarray(values, np.float64)
    return np.round(values / (TIES * np.abs(values).max()))
