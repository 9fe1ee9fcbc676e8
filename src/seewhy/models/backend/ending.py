"""Networks that end in global average pooling and one linear layer: what is pooled, and the gradient toward it."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seewhy.errors import NotApplicable


class PooledCells(NamedTuple):
    """What is averaged over space to give the linear layer's input."""

    a: NDArray[Any]  # (n, c, *space): what the layer emits, or its ReLU
    slope: NDArray[Any]  # of it by what the layer emits: ones, or zero where the ReLU cuts off


def pooled(a: NDArray[Any], entered: NDArray[Any], layer: str, model: str) -> PooledCells:
    """What of a layer's output a (n, c, *space) was averaged to give the linear layer's input (n, c).

    Raises NotApplicable where something else lies between them.
    """
    entered = np.nan_to_num(entered)
    near = 1e-3 * float(abs(entered).max()) + 1e-12
    for slope in (np.ones_like(a), (a > 0).astype(a.dtype)):
        mean = np.nan_to_num((a * slope).reshape(*a.shape[:2], -1).mean(2))
        if mean.shape == entered.shape and np.allclose(mean, entered, rtol=0, atol=near):
            return PooledCells(a * slope, slope)
    raise NotApplicable(
        f"CAM needs global average pooling and one linear layer right after {layer}; in {model} something else lies between."
    )


def closed_form(w: NDArray[Any], slope: NDArray[Any]) -> NDArray[Any]:
    """The gradients (t, n, c, *space) of scores with weights w (t, n, c) of the pooled channels: the same in every cell."""
    cells = int(np.prod(slope.shape[2:]))
    return (w.reshape(*w.shape, *[1] * (slope.ndim - 2)) * slope / cells).astype(slope.dtype)
