"""What is held against an image (n, c, *space) in [0, 1]: a cost for each, averaged over its values, and its gradient."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Costs = NDArray[Any]  # (n,)
SMOOTH = 1e-3  # below such differences of neighbours the total variation is a parabola, so that it has a gradient everywhere


def total_variation(image: NDArray[Any]) -> tuple[Costs, NDArray[Any]]:
    """The mean length of the spatial gradient, by differences to the next neighbour along each axis: sqrt(sum d^2 + SMOOTH^2).

    Source: Rudin, Osher & Fatemi 1992; against images of networks, Mahendran & Vedaldi 2015.
    """
    axes = range(2, image.ndim)
    steps = [np.diff(image, axis=axis, append=image.take([-1], axis)) for axis in axes]
    length = np.sqrt(sum(step**2 for step in steps) + SMOOTH**2)
    gradient = np.zeros_like(image)
    for axis, step in zip(axes, steps, strict=True):
        share = step / length
        gradient -= share
        gradient += np.roll(share, 1, axis)  # the last step along an axis is 0, so nothing comes round
    return _per_image(length - SMOOTH), gradient / image[0].size


def squares(image: NDArray[Any]) -> tuple[Costs, NDArray[Any]]:
    """The mean squared distance from grey, 0.5."""
    return _per_image((image - 0.5) ** 2), 2 * (image - 0.5) / image[0].size


def roughness(image: NDArray[Any]) -> tuple[Costs, NDArray[Any]]:
    """The mean squared distance from the image blurred: by the weights 1/4, 1/2, 1/4 along each axis, its rim repeated.

    Source: after Yosinski et al. 2015, Understanding Neural Networks Through Deep Visualization, who blur at each step.
    """
    rough = image - blurred(image)  # the blur is symmetric, so it is its own adjoint
    return _per_image(rough**2), 2 * (rough - blurred(rough)) / image[0].size


def blurred(image: NDArray[Any]) -> NDArray[Any]:
    """The image (n, c, *space) blurred by 1/4, 1/2, 1/4 along each axis of space."""
    for axis in range(2, image.ndim):
        before = np.concatenate([image.take([0], axis), image.take(range(image.shape[axis] - 1), axis)], axis)
        after = np.concatenate([image.take(range(1, image.shape[axis]), axis), image.take([-1], axis)], axis)
        image = image / 2 + (before + after) / 4
    return image


def _per_image(values: NDArray[Any]) -> Costs:
    return values.reshape(len(values), -1).mean(1)


REGULARISERS: dict[str, Callable[[NDArray[Any]], tuple[Costs, NDArray[Any]]]] = {
    "tv": total_variation,
    "l2": squares,
    "blur": roughness,
}
