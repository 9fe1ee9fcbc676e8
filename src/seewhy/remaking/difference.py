"""How far a map that was made again is from the saved one: by all of its values, or by what its Source keeps of them."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seewhy.arrays import Floats
from seewhy.comparison.measures import spearman
from seewhy.maps.record import ValueRecord, blocks, sha256_of, spread
from seewhy.objects.shift import energy_shift


class MapDifference(NamedTuple):
    """How far one map lies from another of the same shape.

    bits: they are the same, bit for bit.  largest: the largest difference, in shares of the largest absolute value.
    at: the size of the difference at each place, (*shape).  known: all values of both were compared, and not their blocks.
    elsewhere: in words, how far the saved map lies from where the other lies; "" where both lie in one place.
    """

    bits: bool
    largest: float
    spearman: float | None
    energy_shift: float
    at: NDArray[Any]
    known: bool = True
    elsewhere: str = ""


def of_values(old: Floats, new: Floats) -> MapDifference | None:
    """The difference of two maps; None where they have not the same shape."""
    if old.shape != new.shape:
        return None
    old, new = (np.asarray(values, np.float64) for values in (old, new))
    at = abs(new - old)
    largest = float(at.max(initial=0))
    return MapDifference(largest == 0, _share(largest, abs(old).max(initial=0)), spearman(old, new), energy_shift(old, new), at)


def of_record(old: ValueRecord, new: Floats) -> MapDifference | None:
    """The difference of a map from the one of which that is known; None where they have not the same shape.

    By blocks, the largest difference is that of the means, or the average size of differences in a block if that is larger.
    """
    if old.shape != new.shape:
        return None
    bits = old.sha256 == sha256_of(new)
    if old.values is not None:
        found = of_values(old.values, new)
        return found and found._replace(bits=bits)
    if old.means is None or old.signed is None:
        return None
    means, signed = (part.astype(np.float32) for part in blocks(new))  # as they are kept
    at = np.zeros_like(means) if bits else np.maximum(abs(means - old.means), abs(signed - old.signed))
    far = _share(float(at.max()), old.largest)
    where = spread(at, new.shape)
    return MapDifference(bits, far, spearman(old.means, means), energy_shift(old.means, means), where, False)


def _share(difference: float, largest: float) -> float:
    return difference / largest if largest else float(difference > 0)
