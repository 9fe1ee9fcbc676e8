"""Arrays at another size, or blurred: linear maps along each axis of space."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .image import Array

Floats = NDArray[Any]


def resized(x: Floats, space: Sequence[int]) -> Floats:
    """(..., *old) -> (..., *space), linear between the centres of cells; averaged over what a larger cell covers."""
    return _along_axes(x, space, linear)


def spread(x: Floats, space: Sequence[int]) -> Floats:
    """The same shape of a map, but so that its sum stays."""
    return _along_axes(x, space, lambda old, new: linear(old, new) / linear(old, new).sum(0))


def blurred(x: Floats, sigma: float, first: int = 2) -> Floats:
    """A Gaussian over the axes from `first` on, sigma in shares of each side; beyond the edges the edge goes on."""
    return _along_axes(x, x.shape[first:], lambda old, _new: _gaussian(old, sigma))


def enlarged(x: Array, space: Sequence[int], array: Callable[[Floats], Array]) -> Array:
    """`resized` of any kind of array (m, *old); `array` makes numpy its kind."""
    for axis, side in enumerate(space, start=1):
        if x.shape[axis] != side:
            x = (x.swapaxes(axis, -1) @ array(linear(x.shape[axis], side).T)).swapaxes(axis, -1)
    return x


def _along_axes(x: Floats, space: Sequence[int], weights: Callable[[int, int], Floats]) -> Floats:
    kind = x.dtype
    for axis, side in enumerate(space, start=x.ndim - len(space)):
        x = np.moveaxis(np.moveaxis(x, axis, -1) @ weights(x.shape[axis], side).T.astype(x.dtype), -1, axis)
    return x.astype(kind)


def linear(old: int, new: int) -> Floats:
    """(new, old): rows sum to one."""
    width = max(1.0, old / new)
    at = (np.arange(new) + 0.5) * old / new - 0.5
    if width == 1:
        at = np.clip(at, 0, old - 1)
    weight = np.maximum(0, 1 - abs(at[:, None] - np.arange(old)) / width)
    return weight / weight.sum(1, keepdims=True)


def _gaussian(side: int, sigma: float) -> Floats:
    reach = np.arange(-3 * side, 4 * side)
    bell = np.exp(-((np.arange(side)[:, None] - reach) ** 2) / (2 * (sigma * side) ** 2))
    rows = np.zeros((side, side))
    for column, place in enumerate(reach.clip(0, side - 1)):
        rows[:, place] += bell[:, column]
    return rows / rows.sum(1, keepdims=True)
