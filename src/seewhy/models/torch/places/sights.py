"""Where a cell looks by the network's weights: how the energy of its gradient is spread along an axis of the image.

A kernel adds its own spread, by the squares of its weights.  A sum of maps, as of a residual, has that of all of them alike,
save where a branch is scaled by a number or a parameter of its own, as LayerScale does.
"""

from collections.abc import Iterable, Sequence
from math import inf
from typing import Any, NamedTuple

from torch import Tensor

from seewhy.images.places import Gaze
from seewhy.images.sight import Sight

PRODUCTS = ("mul", "imul", "rmul", "multiply")


class Bell(NamedTuple):
    """Where the energy of a cell's gradient lies along an axis."""

    offset: float = 0.0  # of its centre, from the centre of the receptive field
    variance: float = 0.0
    energy: float = 1.0  # how much there is, against that of other terms of a sum

    def through(self, stride: float, offset: float, variance: float) -> "Bell":
        """Where a cell looks that reads cells which look so and lie `stride` pixels apart; offset and variance are in cells."""
        return Bell(self.offset + stride * offset, self.variance + stride**2 * variance, self.energy)

    def over(self, stride: float, cells: float) -> "Bell":
        """Where a cell looks that reads so many of these, all alike."""
        return self.through(stride, 0.0, max(0.0, cells**2 - 1) / 12)

    def scaled(self, energy: float) -> "Bell":
        return self._replace(energy=self.energy * energy)


def mixed(parts: Iterable[tuple[Bell, float, float]], first: float) -> Bell:
    """Several as one, whose receptive field is centred at `first`: each with the centre of its own, and a weight."""
    parts = [(bell, centre + bell.offset, weight) for bell, centre, weight in parts]
    shares = [bell.energy * weight for bell, _, weight in parts]
    shares = shares if 0 < sum(shares) < inf else [1.0] * len(parts)
    total = sum(shares)
    middle = sum(at * share for (_, at, _), share in zip(parts, shares, strict=True)) / total
    variance = sum((bell.variance + (at - middle) ** 2) * share for (bell, at, _), share in zip(parts, shares, strict=True))
    return Bell(middle - first, variance / total, total / sum(weight for *_, weight in parts))


def of_kernel(weight: Tensor) -> list[tuple[float, float] | None]:
    """Where the weights (out, in, *space) of a kernel lie along each axis of space: how far from its middle their energy is
    centred, and its variance, in steps; None where they do not tell.
    """
    sides = weight.shape[2:]
    if sides.numel() == 1 or not weight.is_floating_point():
        return [None] * len(sides)
    energy = weight.detach().flatten(2).flatten(0, 1).float().square().sum(0).view(sides)
    try:
        return [_along(energy.movedim(axis, 0).reshape(side, -1).sum(1).tolist()) for axis, side in enumerate(sides)]
    except RuntimeError:  # the numbers cannot be read: inside a transform such as vmap, or on no device
        return [None] * len(sides)


def _along(energy: Sequence[float]) -> tuple[float, float] | None:
    total, middle = sum(energy), (len(energy) - 1) / 2
    if len(energy) == 1 or not 0 < total < inf:
        return None
    offset = sum((step - middle) * share for step, share in enumerate(energy)) / total
    return offset, sum((step - middle - offset) ** 2 * share for step, share in enumerate(energy)) / total


def scale_of(name: str, args: Sequence[Any], maps: Sequence[Any]) -> float:
    """By how much a call, given by its name, scales the energy of the only map among its arguments, with numbers that are not
    computed from the image.

    maps: the arguments that are.
    """
    if name.strip("_") not in PRODUCTS or len(args) != 2 or len(maps) != 1:
        return 1.0
    factor = args[1] if args[0] is maps[0] else args[0]
    if not isinstance(factor, Tensor):
        return float(factor) ** 2 if isinstance(factor, int | float) else 1.0
    try:
        return float(factor.detach().float().square().mean()) if factor.is_floating_point() and factor.numel() else 1.0
    except RuntimeError:  # as above
        return 1.0


def gaze(first: Sequence[float], axes: Sequence[Any]) -> Gaze | None:
    """Where the cells of a map look whose fields lie as these axes (marks.Axis) say, and that of the first cell around `first`.

    None where all look at the centres of their fields alone.
    """
    bells = [axis.bell for axis in axes]
    if not any(bell.offset or bell.variance for bell in bells):
        return None
    sights = tuple(Sight(axis.bell.variance**0.5, (axis.high - axis.low + 1) / 2) for axis in axes)
    return Gaze(tuple(at + bell.offset for at, bell in zip(first, bells, strict=True)), sights)
