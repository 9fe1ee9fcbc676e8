"""Effective receptive fields: what in the image the unit in the middle of a layer answers to, and how far around it."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seewhy.arrays import Floats, numbers
from seewhy.errors import BadParameter, NotApplicable
from seewhy.models.model import INPUT, Differentiable
from seewhy.progress import shown, stop_asked
from seewhy.targets.target import Class

from .asked_names import numbers_asked

AT_ONCE = 2**24  # numbers of gradients that one pass leaves
WITHIN = 1 - 0.9545  # of the greatest strength: what counts as inside of the effective field, by Luo et al.


class EffectiveFields(NamedTuple):
    """The gradient of units in the middle of a layer toward the image, over several images."""

    units: tuple[int, ...]
    at: tuple[int, ...]  # the cell; empty of a layer without space
    images: int  # over which it was averaged
    mean: Floats  # (units, c, *space): the mean gradient
    strength: Floats  # (units, *space): the root of the mean over images of the squared gradient, summed over channels
    stopped: bool = False  # before all images were averaged over, by Ctrl-C

    def sides(self) -> Floats:
        """For each unit the side of the square (the cube) with as many pixels as its effective field; 0 where it has none."""
        flat = self.strength.reshape(len(self.units), -1)
        peaks = flat.max(1, keepdims=True)
        return ((flat > WITHIN * peaks) & (peaks > 0)).sum(1) ** (1 / (self.strength.ndim - 1))

    def window(self) -> tuple[slice, ...]:
        """The part of the image outside of which no unit has any gradient; all of the image where there is none at all."""
        some: NDArray[Any] = np.any(self.strength > 0, axis=0)
        parts = list[slice]()
        for axis in range(some.ndim):
            there = np.flatnonzero(np.moveaxis(some, axis, 0).reshape(some.shape[axis], -1).any(1))
            parts.append(slice(int(there[0]), int(there[-1]) + 1) if len(there) else slice(None))
        return tuple(parts)


def effective_fields(
    model: Differentiable, layer: str, units: Sequence[int] | None, images: Iterable[NDArray[Any]], count: int
) -> EffectiveFields:
    """The effective receptive fields of units of a layer, at its middle cell.

    For unit k, whose activation at the cell in the middle of the layer is a_k, and N images x_n:
        mean_k(c, p) = 1/N sum_n d a_k(x_n) / d x_n(c, p)
        strength_k(p) = sqrt(1/N sum_n sum_c (d a_k(x_n) / d x_n(c, p))^2)
    units: their numbers; None for the first `count`.  images: (c, *space) each, all of one size, as the network is given them.
    Ctrl-C inside of `progress.stoppable` leaves the average over the images that are done.
    Source: Luo, Li, Urtasun & Zemel 2016, Understanding the effective receptive field in deep convolutional neural networks.
    Raises BadParameter for units that there are not and images of several sizes, NotApplicable where no image can be had.
    """
    done, stopped, mean, square = 0, False, None, None
    chosen, at, answering = tuple[int, ...](), tuple[int, ...](), None
    for image in images:
        if stopped := bool(done) and stop_asked():
            break
        x = np.asarray(image)[None]
        if answering is None:
            grid = _grid(model, layer, x)
            chosen, at = chosen_units(layer, grid[0], units, count), tuple(side // 2 for side in grid[1:])
            answering = model.upto(layer, at) if at else model.upto(layer)
            mean, square = np.zeros((len(chosen), *x.shape[1:])), np.zeros((len(chosen), *x.shape[2:]))
        assert mean is not None
        assert square is not None
        if x.shape[1:] != mean.shape[1:]:
            raise BadParameter(
                f"Effective fields are averaged over images of one size; there are {x.shape[2:]} and {mean.shape[2:]}. Prepare "
                "photos with a crop, or give photos of one size."
            )
        for start, g in _gradients(answering, x, chosen):
            mean[start : start + len(g)] += g
            square[start : start + len(g)] += (g.astype(np.float64) ** 2).sum(1)
        done += 1
    if mean is None or square is None:
        raise NotApplicable("There is no image to take the gradient at.")
    return EffectiveFields(chosen, at, done, mean / done, np.sqrt(square / done), stopped)


def _grid(model: Differentiable, layer: str, x: NDArray[Any]) -> tuple[int, ...]:
    emitted = [*model.with_flat_layers().activations(x, [layer])[0].values()][-1]  # of several runs the last, as `upto` has it
    return tuple(emitted.shape[1:])


def chosen_units(layer: str, every: int, units: Sequence[int] | None, count: int) -> tuple[int, ...]:
    """The numbers of the units that are shown, of so many; the first `count` for None.  Raises BadParameter for others."""
    if units is None:
        return tuple(range(min(every, count)))
    return tuple(numbers_asked(units, every, "filters: units", layer, "filter"))


def _gradients(model: Differentiable, x: NDArray[Any], units: Sequence[int]) -> Iterator[tuple[int, Floats]]:
    """The gradients (some units, c, *space) of units toward one image, with the place of the first; a few at once."""
    some = max(1, AT_ONCE // x.size)
    parts = range(0, len(units), some)
    for start in shown(parts, len(parts), "gradients of units"):
        targets = [Class(k) for k in units[start : start + some]]
        g = numbers(model.trace(x, targets, [INPUT]).evidence[INPUT].g)
        yield start, g[:, 0]
