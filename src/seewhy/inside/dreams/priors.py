"""What natural photos are like, as costs of an image and their gradients: bounded, and smooth but for edges."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

ALPHA, BETA = 6, 2  # exponents of the two norms
TYPICAL = 80 / 255  # of the length of a colour's distance from grey, in photos from 0 to 1: B of the source
TYPICAL_STEP = TYPICAL / 6.5  # of a difference to the next pixel: V of the source


class Cost(NamedTuple):
    """A cost, and its gradient at the image (1, c, h, w)."""

    value: float
    g: NDArray[Any]


def alpha_norm(image: NDArray[Any]) -> Cost:
    """The mean over pixels of (|x - grey| / TYPICAL)^ALPHA, of an image (1, c, *space) in [0, 1]; |.| is a colour's length.

    Source: Mahendran & Vedaldi 2016, Visualizing Deep Convolutional Neural Networks Using Natural Pre-images, eq. 5, the alpha
    norm of their paper of 2015 in units of TYPICAL.
    """
    x = (image - 0.5) / TYPICAL
    squares = (x**2).sum(1, keepdims=True)
    value = (squares ** (ALPHA / 2)).mean()
    return Cost(float(value), ALPHA * squares ** (ALPHA / 2 - 1) * x / (TYPICAL * squares.size))


def total_variation(image: NDArray[Any]) -> Cost:
    """The mean over pixels of (|gradient| / TYPICAL_STEP)^BETA, by differences to the next pixel along each axis of space.

    image: (1, c, *space) in [0, 1]; |.| is the length over channels and axes.  Source: as above, eq. 6.
    """
    axes = range(2, image.ndim)
    steps = [np.diff(image, axis=axis, append=image.take([-1], axis)) / TYPICAL_STEP for axis in axes]
    squares = np.sum([(step**2).sum(1, keepdims=True) for step in steps], 0)
    g = np.zeros_like(image)
    for axis, step in zip(axes, steps, strict=True):
        share = BETA * squares ** (BETA / 2 - 1) * step
        g += np.roll(share, 1, axis) - share  # the last step along an axis is 0, so nothing comes round
    return Cost(float((squares ** (BETA / 2)).mean()), g / (TYPICAL_STEP * squares.size))
