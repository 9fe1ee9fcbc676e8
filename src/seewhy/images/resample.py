"""Arrays at another size, or blurred: linear maps along each axis of space."""

from collections.abc import Callable, Sequence

import numpy as np

from seewhy.arrays import Array, Floats

from .places import Cells


def resized(x: Floats, space: Sequence[int], cells: Cells | None = None) -> Floats:
    """(..., *old) -> (..., *space) shares of the image, linear between the centres of cells, which lie evenly or at `cells`;
    beyond the outermost the outermost goes on; averaged over what a larger cell covers.
    """
    return _along_axes(x, space, lambda axis, old, new: linear(old, new, cells and cells.spans(axis, old)))


def spread(x: Floats, space: Sequence[int], cells: Cells | None = None) -> Floats:
    """The same shape of a map, but so that its sum stays."""

    def shares(axis: int, old: int, new: int) -> Floats:
        weight = linear(old, new, cells and cells.spans(axis, old))
        inside = np.flatnonzero(weight.any(0))
        weight[0, : inside[0]], weight[-1, inside[-1] + 1 :] = 1, 1  # cells beyond the border
        return weight / weight.sum(0)

    return _along_axes(x, space, shares)


def brought(x: Floats, cells: Cells | None, space: Sequence[int], onto: Cells | None) -> Floats:
    """(..., *old) that lies at `cells` -> (..., *space) that lies at `onto`; None: evenly."""
    if cells is None and onto is None:
        return resized(x, space)
    size = (cells or onto).size  # type: ignore[union-attr]
    there = onto or Cells.even(space, size)
    here = cells or Cells.even(x.shape[x.ndim - len(space) :], size)
    return _along_axes(x, space, lambda axis, old, new: _between(here, there, axis, old, new))


def blurred(x: Floats, sigma: float, first: int = 2) -> Floats:
    """A Gaussian over the axes from `first` on, sigma in shares of each side; beyond the edges the edge goes on."""
    return _along_axes(x, x.shape[first:], lambda _axis, old, _new: _gaussian(old, sigma))


def enlarged(x: Array, space: Sequence[int], array: Callable[[Floats], Array]) -> Array:
    """`resized` of any kind of array (m, *old); `array` makes numpy its kind."""
    for axis, side in enumerate(space, start=1):
        if x.shape[axis] != side:
            x = (x.swapaxes(axis, -1) @ array(linear(x.shape[axis], side).T)).swapaxes(axis, -1)
    return x


def _along_axes(x: Floats, space: Sequence[int], weights: Callable[[int, int, int], Floats]) -> Floats:
    kind = x.dtype
    for axis, side in enumerate(space):
        at = x.ndim - len(space) + axis
        x = np.moveaxis(np.moveaxis(x, at, -1) @ weights(axis, x.shape[at], side).T.astype(x.dtype), -1, at)
    return x.astype(kind)


def linear(old: int, new: int, spans: tuple[float, float] | None = None) -> Floats:
    """(new, old): rows sum to one.  spans: of the old cells, as `Cells.spans` gives them; None: they lie evenly."""
    span, back = spans or (old, 0.5)
    return _weights((np.arange(new) + 0.5) * span / new - back, old, span / new)


def _between(here: Cells, there: Cells, axis: int, old: int, new: int) -> Floats:
    at = there.first[axis] + there.stride[axis] * np.arange(new)
    return _weights((at - here.first[axis]) / here.stride[axis], old, there.stride[axis] / here.stride[axis])


def _weights(at: Floats, cells: int, width: float) -> Floats:
    """(len(at), cells): what each place, in cells, takes of them, where the new cells are `width` old ones wide."""
    at = np.clip(at, 0, cells - 1)
    weight = np.maximum(0, 1 - abs(at[:, None] - np.arange(cells)) / max(1.0, width))
    return weight / weight.sum(1, keepdims=True)


def _gaussian(side: int, sigma: float) -> Floats:
    reach = np.arange(-3 * side, 4 * side)
    bell = np.exp(-((np.arange(side)[:, None] - reach) ** 2) / (2 * (sigma * side) ** 2))
    rows = np.zeros((side, side))
    for column, place in enumerate(reach.clip(0, side - 1)):
        rows[:, place] += bell[:, column]
    return rows / rows.sum(1, keepdims=True)
