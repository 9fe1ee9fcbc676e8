"""Arrays at another size, or blurred: linear maps along each axis of space."""

from collections.abc import Callable, Sequence

import numpy as np

from seewhy.arrays import Array, Floats

from .places import Cells


def resized(x: Floats, space: Sequence[int], cells: Cells | None = None) -> Floats:
    """(..., *old) -> (..., *space), both over the same image: interpolated linearly between the centres of the old cells.

    These lie at `cells`, or evenly (None).  Beyond the outermost cells their values are repeated; larger new cells average.
    """
    return _along_axes(x, space, lambda axis, old, new: _at_cells(old, new, axis, cells))


def spread(x: Floats, space: Sequence[int], cells: Cells | None = None) -> Floats:
    """The same as `resized`, but so that the sum of the map stays the same: each cell spreads its value over the new cells."""

    def shares(axis: int, old: int, new: int) -> Floats:
        weight = _at_cells(old, new, axis, cells)
        inside = np.flatnonzero(weight.any(0))
        weight[0, : inside[0]], weight[-1, inside[-1] + 1 :] = 1, 1  # cells beyond the border
        return weight / weight.sum(0)

    return _along_axes(x, space, shares)


def brought(x: Floats, cells: Cells | None, space: Sequence[int], onto: Cells | None) -> Floats:
    """A map (..., *old) whose cells lie at `cells` -> (..., *space), whose cells lie at `onto`; None means evenly."""
    if cells is None and onto is None:
        return resized(x, space)
    size = (cells or onto).size  # type: ignore[union-attr]
    there = onto or Cells.even(space, size)
    here = cells or Cells.even(x.shape[x.ndim - len(space) :], size)
    return _along_axes(x, space, lambda axis, old, new: _between(here, there, axis, old, new))


def from_centres(x: Floats, pairs: Sequence[tuple[Floats, Floats]]) -> Floats:
    """A map (*old) whose cells lie at known places -> (*new): for each axis where the old centres lie, and where the new ones.

    Both are in one unit and run one way each, forwards or backwards; linear between old centres, whose outermost values go on
    beyond them; larger new cells average.
    """

    def weights(axis: int, old: int, new: int) -> Floats:
        here, there = pairs[axis]
        way = -1 if old > 1 and here[0] > here[-1] else 1
        at = np.interp(there, here[::way], np.arange(old)[::way])
        apart = [abs(each[-1] - each[0]) / (len(each) - 1) if len(each) > 1 else np.inf for each in (here, there)]
        return _weights(at, old, apart[1] / apart[0] if np.isfinite(apart).all() else 1.0)

    return _along_axes(x, [len(there) for _, there in pairs], weights)


def overlaps(count: int, blocks: int) -> Floats:
    """How much of each of `count` cells lies in each of the blocks that divide them evenly: (blocks, count)."""
    edges, cells = np.linspace(0, count, blocks + 1), np.arange(count)
    low, high = edges[:-1, None], edges[1:, None]
    return np.clip(np.minimum(high, cells + 1) - np.maximum(low, cells), 0, None)


def blurred(x: Floats, sigma: float, first: int = 2) -> Floats:
    """x blurred by a Gaussian along the axes from `first` on; sigma is in shares of each side; edge values are repeated."""
    return _along_axes(x, x.shape[first:], lambda _axis, old, _new: _gaussian(old, sigma))


def enlarged(x: Array, space: Sequence[int], array: Callable[[Floats], Array]) -> Array:
    """`resized` for any kind of array (m, *old); `array` turns an array of numpy into that kind."""
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


def linear(old: int, new: int) -> Floats:
    """The matrix (new, old) of weights, whose rows sum to one, for cells that divide the image evenly."""
    return _at_cells(old, new, 0, None)


def _at_cells(old: int, new: int, axis: int, cells: Cells | None) -> Floats:
    """The same for old cells that lie at `cells` along an axis."""
    span, back = cells.spans(axis, old) if cells else (old, 0.5)
    at = (np.arange(new) + 0.5) * span / new - back
    return _weights(cells.shown(axis, old, at) if cells else at, old, span / new)


def _between(here: Cells, there: Cells, axis: int, old: int, new: int) -> Floats:
    at = (there.centres(axis, new) - here.first[axis]) / here.stride[axis]
    return _weights(here.shown(axis, old, at), old, there.stride[axis] / here.stride[axis])


def _weights(at: Floats, cells: int, width: float) -> Floats:
    """Weights (len(at), cells) of the old cells in new cells, which lie at `at` and are `width` wide, both in old cells."""
    at = np.clip(at, 0, cells - 1)
    weight = np.maximum(0, 1 - abs(at[:, None] - np.arange(cells)) / max(1.0, width))
    return weight / weight.sum(1, keepdims=True)


def _gaussian(side: int, sigma: float) -> Floats:
    reach = np.arange(-3 * side, 4 * side)
    width = max(sigma * side, np.finfo(float).tiny)  # of a bell narrower than numbers go only its own place is left
    with np.errstate(over="ignore"):
        bell = np.exp(-(((np.arange(side)[:, None] - reach) / width) ** 2) / 2)
    rows = np.zeros((side, side))
    for column, place in enumerate(reach.clip(0, side - 1)):
        rows[:, place] += bell[:, column]
    return rows / rows.sum(1, keepdims=True)
