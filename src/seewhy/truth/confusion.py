"""How the classes that pixels were given compare with those that they truly have, by one matrix over many photos.

Source: Everingham et al. 2010, The Pascal Visual Object Classes challenge.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from seewhy.arrays import Floats, numbers
from seewhy.errors import BadParameter
from seewhy.printable import quoted

VOID = 255  # in label maps: pixels that are not to be counted


def class_iou(common: Floats, predicted: Floats, true: Floats) -> NDArray[np.float64]:
    """Intersection over union of each class; NaN of one that is nowhere."""
    union = np.asarray(predicted, np.float64) + true - common
    return np.divide(common, union, out=np.full(union.shape, np.nan), where=union > 0)


def confusion(predicted: Any, true: Any, classes: int, void: int = VOID) -> NDArray[np.int64]:
    """How many pixels of each true class (rows) were predicted as each (columns): (classes, classes + 1); the last column is
    of pixels for which the prediction says void, and so no class at all.  Pixels whose truth is void are left out.

    Raises BadParameter where the two are of different sizes, or hold a number that is no class.
    """
    said, truth = numbers(predicted), numbers(true)
    if said.shape != truth.shape:
        raise BadParameter(f"The predicted labels are {said.shape}, the true ones {truth.shape}: give both at one size.")
    for name, some in (("predicted", said), ("true", truth)):
        if not np.array_equal(some, np.floor(some)):
            raise BadParameter(f"The {name} labels are no whole numbers: give the number of a class for each pixel.")
    counted = truth != void
    said, truth = said[counted].astype(np.int64), truth[counted].astype(np.int64)
    said = np.where(said == void, classes, said)
    for name, some, most in (("predicted", said, classes), ("true", truth, classes - 1)):
        if some.size and not (some.min() >= 0 and some.max() <= most):
            odd = sorted({*some[(some < 0) | (some > most)].tolist()})[:3]
            raise BadParameter(f"The {name} labels hold {quoted(odd)}. There are classes 0 to {classes - 1}; {void} is void.")
    counts = np.bincount(truth * (classes + 1) + said, minlength=classes * (classes + 1))
    return counts.reshape(classes, classes + 1)
