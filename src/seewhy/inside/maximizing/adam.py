"""Gradient ascent by Adam on arrays."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

FORGET = (0.9, 0.999)  # of the mean gradient and the mean square, at each step
TINY = 1e-8


class Adam:
    """Steps uphill, each number by about `rate`, whatever the size of its gradient: that of the first step of each image (along
    the first axis) is the unit which gradients are measured in.

    Source: Kingma & Ba 2015, Adam: A Method for Stochastic Optimization, algorithm 1 with its defaults.
    """

    def __init__(self, rate: float) -> None:
        self.rate, self.done = rate, 0
        self.mean: Any = 0.0
        self.square: Any = 0.0
        self.unit: Any = None

    def step(self, p: NDArray[Any], g: NDArray[Any]) -> NDArray[Any]:
        """The parameters after a step along the gradient g."""
        first, second = FORGET
        self.done += 1
        if self.unit is None:
            size = np.sqrt((g**2).mean(tuple(range(1, g.ndim)), keepdims=True))
            self.unit = np.where(size > 0, size, 1)
        g = g / self.unit
        self.mean = first * self.mean + (1 - first) * g
        self.square = second * self.square + (1 - second) * g**2
        mean, square = self.mean / (1 - first**self.done), self.square / (1 - second**self.done)
        return p + (self.rate * mean / (np.sqrt(square) + TINY)).astype(p.dtype)
