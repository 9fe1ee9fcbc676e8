"""The random walker: a cell is object if a walk from it, which shuns edges, meets sure object before sure background."""

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seewhy.arrays import Floats
from seewhy.images.resample import resized
from seewhy.objects.scikit import skimage

from .small import SmallImage

MOST = 2**14  # cells of the grid that is walked on, as 128 x 128
OBJECT, BACKGROUND = 1, 2


def random_walker(
    values: Floats, cut: float, pixels: NDArray[Any], *, sure: float = 0.2, beta: float = 130.0
) -> NDArray[np.bool_]:
    """Where a random walk is likelier to end at sure object than at sure background.

    sure: object is sure where the map lies further above the cut than this share of how far its greatest value does; background
    where it lies further below the cut than this share of it.
    beta: how strongly a walk shuns steps between cells whose colours differ.
    Where nothing is sure background, nothing sure object, nothing unsure, or all is of one grey, the mask stays as it is.
    Source: Grady, Random Walks for Image Segmentation, 2006; scikit-image's `random_walker`.
    """
    small = SmallImage.of(values, pixels, MOST)
    inside, outside = small.sure(cut, sure)
    alike = small.colours.min() == small.colours.max()  # scikit-image divides by their spread
    if alike or not inside.any() or not outside.any() or (inside | outside).all():
        return values > cut
    seeds = np.where(inside, OBJECT, np.where(outside, BACKGROUND, 0)).astype(np.int32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its advice to install faster solvers
        walk = skimage("segmentation").random_walker
        # "bf" solves the equations; "cg_j" stops at errors of up to 0.4, and was slower here
        likely = walk(small.colours, seeds, beta=beta, mode="bf", channel_axis=-1, return_full_prob=True)[OBJECT - 1]
    return resized(likely.astype(np.float32), values.shape) > 0.5
