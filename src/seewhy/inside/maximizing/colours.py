"""Colours in which natural photos are uncorrelated, and the range of values that an image may take."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Pullback = Callable[[NDArray[Any]], NDArray[Any]]

_ROOT = np.array([[0.26, 0.09, 0.02], [0.27, 0.00, -0.05], [0.27, -0.09, 0.03]])
MATRIX = _ROOT / np.linalg.norm(_ROOT, axis=0).max()
"""(3, 3): from uncorrelated colours to red, green and blue: the square root of the covariance of colours in photos of ImageNet.

Source: lucid (Olah, Mordvintsev & Schubert 2017, Feature Visualization), scaled as there.
"""
EDGE = 0.01  # of the range from 0 to 1 that photos are held off its ends, where the logit is infinite


def recorrelated(x: NDArray[Any]) -> tuple[NDArray[Any], Pullback]:
    """Images (n, 3, *space) in uncorrelated colours as red, green and blue, before the sigmoid."""
    matrix = MATRIX.astype(x.dtype)
    return _mixed(matrix, x), lambda g: _mixed(matrix.T, g)


def decorrelated(x: NDArray[Any]) -> NDArray[Any]:
    """The inverse of `recorrelated`."""
    return _mixed(np.linalg.inv(MATRIX).astype(x.dtype), x)


def _mixed(matrix: NDArray[Any], x: NDArray[Any]) -> NDArray[Any]:
    return np.einsum("oc,nc...->no...", matrix, x, optimize=True)


def bounded(x: NDArray[Any]) -> tuple[NDArray[Any], Pullback]:
    """Any numbers as values between 0 and 1, by the sigmoid."""
    y = 1 / (1 + np.exp(-np.clip(x, -60, 60)))
    return y, lambda g: g * y * (1 - y)


def unbounded(y: NDArray[Any]) -> NDArray[Any]:
    """The inverse of `bounded`: the logit; values within EDGE of 0 and 1 are taken for those at EDGE."""
    y = np.clip(y, EDGE, 1 - EDGE)
    return np.log(y / (1 - y))
