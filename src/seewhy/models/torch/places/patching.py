"""Calls that cut maps into patches and put patches together: unfold, fold, pixel shuffles.  Each rule gives the mark."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from torch import Tensor

from .marks import Mark, plain
from .merging import level, summed
from .moves import chosen, inserted, permuted, regrouped
from .windows import each, moved, spread, trailing


def unshuffled(mark: Mark, out: Tensor, downscale_factor: int) -> Mark:
    (*lead, c, h, w), r = mark.shape, downscale_factor
    apart = regrouped(mark, (*lead, c, h // r, r, w // r, r))
    return apart if apart.lost else regrouped(permuted(apart, _order(len(lead), (0, 2, 4, 1, 3))), out.shape)


def shuffled(mark: Mark, out: Tensor, upscale_factor: int) -> Mark:
    (*lead, c, h, w), r = mark.shape, upscale_factor
    parts = regrouped(mark, (*lead, c // r**2, r, r, h, w))
    return parts if parts.lost else whole_again(permuted(parts, _order(len(lead), (0, 3, 1, 4, 2))), out)


def whole_again(mark: Mark, out: Tensor) -> Mark:
    """The mark of cells and their parts, side by side, as those of one map of the shape of `out`."""
    mark = regrouped(mark, out.shape)
    for j, _ in mark.spots:
        mark = level(mark, j)
    return mark


def _order(before: int, order: Sequence[int]) -> list[int]:
    return [*range(before), *(before + j for j in order)]


def patches(mark: Mark, out: Tensor, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Mark:
    """The rule of F.unfold: (n, c, h, w) -> (n, c * k * k, windows)."""
    kernel, spans, before, steps = (each(value, 2) for value in (kernel_size, dilation, padding, stride))
    (*lead, c, h, w) = mark.shape
    if (kernel, spans, before) == (steps, (1, 1), (0, 0)) and h % kernel[0] == w % kernel[1] == 0:  # nothing overlaps
        cut = regrouped(mark, (*lead, c, h // kernel[0], kernel[0], w // kernel[1], kernel[1]))
        return cut if cut.lost else regrouped(permuted(cut, _order(len(lead), (0, 2, 4, 1, 3))), out.shape)
    reach = [span * (k - 1) for span, k in zip(spans, kernel, strict=True)]
    cells = [(side + 2 * p - r - 1) // s + 1 for side, p, r, s in zip((h, w), before, reach, steps, strict=True)]
    windows = trailing(steps, [-p for p in before], [r - p for r, p in zip(reach, before, strict=True)])
    return regrouped(moved(mark, windows, (*lead, out.shape[-2], *cells), mixes=-3), out.shape)


def folded(mark: Mark, out: Tensor, output_size: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0,
           stride: Any = 1) -> Mark:  # fmt: skip
    """The rule of F.fold: (n, c * k * k, windows) -> (n, c, h, w), the sum of windows where they overlap."""
    kernel, spans, before, steps = (each(value, 2) for value in (kernel_size, dilation, padding, stride))
    (*lead, c, h, w) = out.shape
    reach = [span * (k - 1) for span, k in zip(spans, kernel, strict=True)]
    cells = [(side + 2 * p - r - 1) // s + 1 for side, p, r, s in zip((h, w), before, reach, steps, strict=True)]
    cut = regrouped(mark, (*lead, c, *kernel, *cells))
    if cut.lost:
        return cut
    if (kernel, spans, before) == (steps, (1, 1), (0, 0)) and (h, w) == (cells[0] * kernel[0], cells[1] * kernel[1]):
        return whole_again(permuted(cut, _order(len(lead), (0, 3, 1, 4, 2))), out)
    sums = summed(summed(cut, -3, None), -3, None)
    return sums if sums.lost else moved(sums, spread(kernel, steps, before, spans), out.shape)


def unfolded(mark: Mark, out: Tensor, dimension: int, size: int, step: int) -> Mark:
    """The rule of Tensor.unfold: one dimension is cut into windows, whose cells become the last dimension."""
    j, count = dimension % len(mark.dims), out.shape[dimension % len(mark.dims)]
    if size == step:
        cut = chosen(mark, j, np.arange(count * size))
        cut = regrouped(cut, (*cut.shape[:j], count, size, *cut.shape[j + 1 :]))
        return cut if cut.lost else permuted(cut, [*range(j + 1), *range(j + 2, len(cut.dims)), j + 1])
    cells = moved(mark, {j - len(mark.dims): (step, 0, size - 1)}, out.shape[:-1])
    return inserted(cells, len(cells.dims), plain(size))
