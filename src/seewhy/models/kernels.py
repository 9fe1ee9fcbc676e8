"""What a convolution multiplies with, whatever framework it lives in."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seewhy.arrays import Floats


class Kernels(NamedTuple):
    """The kernels of one convolution, as a pass multiplies with them: after any normalisation or merging of weights."""

    weights: NDArray[Any]  # (filters, channels that a filter reads, *taps)
    groups: int  # a filter reads the channels of its group alone; as many groups as channels is depthwise
    reads_image: bool  # no convolution runs before it, and it reads as many channels as the image has

    @classmethod
    def transposed(cls, weights: NDArray[Any], groups: int) -> "Kernels":
        """Of a transposed convolution, which keeps them (channels, filters of a group, *taps): what each filter paints."""
        parts = [part.swapaxes(0, 1) for part in np.split(weights, groups)]
        return cls(np.concatenate(parts), groups, False)

    def read(self, number: int) -> NDArray[np.intp]:
        """Which channels of the layer's input a filter reads, one for each slice of its weights."""
        filters, channels = self.weights.shape[:2]
        return number // (filters // self.groups) * channels + np.arange(channels)

    def norms(self) -> Floats:
        """How large each slice of each filter is, by its Euclidean norm: (filters, channels)."""
        flat = self.weights.reshape(*self.weights.shape[:2], -1)
        return np.sqrt((flat.astype(np.float64) ** 2).sum(2))
