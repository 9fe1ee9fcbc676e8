"""Arrays of frameworks whose channels come last, turned to (n, c, *space) and back."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from seewhy.arrays import numbers


def plain(value: Any) -> NDArray[Any]:
    """An array of any framework as one of numpy, of float32 at least."""
    array = numbers(value)
    return array.astype(np.float32) if array.dtype.itemsize < 4 and array.dtype.kind in "fV" else array  # V: bfloat16


def turned(x: NDArray[Any], source: int, to: int) -> NDArray[Any]:
    """An array with an axis moved, in the order that its shape says."""
    return x if source == to else np.ascontiguousarray(np.moveaxis(x, source, to))
