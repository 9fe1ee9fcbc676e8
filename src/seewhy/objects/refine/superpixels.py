"""Superpixels: each piece of like colour is object as a whole or not at all."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from seewhy.arrays import Floats
from seewhy.objects.scikit import skimage

from .small import SmallImage

MOST = 2**14  # cells of the grid that is cut into pieces, as 128 x 128


def superpixels(
    values: Floats, cut: float, pixels: NDArray[Any], *, segments: int = 150, compactness: float = 10.0
) -> NDArray[np.bool_]:
    """The pieces on which the mean of the map is above the cut.

    segments: about how many pieces; compactness: how much nearness counts beside colour.
    Source: Achanta et al., SLIC Superpixels, 2012; scikit-image's `slic`.
    """
    small = SmallImage.of(values, pixels, MOST)
    if small.colours.shape[-1] != 3:
        compactness /= 100  # three channels become Lab, in which white is 100
    slic = skimage("segmentation").slic
    pieces = slic(small.colours, n_segments=segments, compactness=compactness, start_label=0, channel_axis=-1)
    sizes = np.bincount(pieces.ravel())
    means = np.bincount(pieces.ravel(), small.values.ravel()) / np.maximum(sizes, 1)
    chosen = (means > cut)[pieces]
    cells = [
        np.minimum(np.arange(side) * count // side, count - 1) for side, count in zip(values.shape, small.grid, strict=True)
    ]
    return chosen[np.ix_(*cells)]
