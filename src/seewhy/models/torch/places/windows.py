"""Calls whose cells each read a window of cells: convolutions, pools, resizing, padding.  Each rule gives the result's mark."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from math import ceil, floor
from typing import Any

import numpy as np
from torch import Size, Tensor

from .marks import Axis, Dim, Factor, Mark, changed, lost, plain
from .merging import MIXED, level, summed
from .moves import chosen, coarser, placed, regrouped, with_dim
from .sights import of_kernel

Marks = Mark | Sequence[Mark | None]
CellWindow = tuple[float, float, float]  # step, begin and end (see Axis.through)
WindowsByAxis = dict[int, CellWindow]  # by the dimension, counted from the end
STAYS = (1, 0, 0)
ROLLED = "windows over a map that was rolled"


def moved(mark: Mark, windows: WindowsByAxis, shape: Sequence[int], mixes: int | None = None) -> Mark:
    """The mark of a tensor of that shape whose cells each read a window of cells.

    mixes: a dimension that is summed over, as channels are by a convolution.
    """
    if mixes is not None:
        mark = summed(mark, mixes, shape[mixes])
    mark = placed(mark)
    if mark.lost or len(mark.dims) != len(shape):
        return mark if mark.lost else lost("windows that are not understood")
    for j, size in enumerate(shape, -len(shape)):
        mark = _moved_along(mark, j, windows.get(j, STAYS), size)
        if mark.lost:
            return mark
    return mark


def _moved_along(mark: Mark, j: int, window: CellWindow, size: int) -> Mark:
    dim = mark.dims[j]
    if not dim.informed or (window == STAYS and dim.size == size):
        return mark if dim.size == size else with_dim(mark, j, plain(size))
    if dim.images:
        return lost(MIXED)
    a = dim.factors[0].axis
    if a is None or {*dim.axes} != {a}:
        return _among_tokens(mark, j, window, size)
    mark = coarser(mark, a)
    dim, axis = mark.dims[j], mark.axes[a]
    if len(mark.parts(a)) == 1 and axis.order is None:
        begin = _row(dim)
        if begin is not None:
            return _with_axis(with_dim(mark, j, Dim((Factor(size, a),))), a, axis.through(1, begin, begin).through(*window))
        if len(dim.factors) == 2 and dim.rows is None:  # cells that were split into parts
            return _moved_along(level(mark, j), j, window, size)
        return lost("windows over cells that do not lie side by side")
    if axis.order is not None and window[1] == window[2]:
        index = np.arange(size) * window[0] + window[1]
        return chosen(mark, j, index.astype(int)) if 0 <= index.min() <= index.max() < dim.size else lost(ROLLED)
    if axis.order is not None:
        return lost(ROLLED)
    step, begin, end = window
    if step == 1 and dim.size == size and dim.rows is None and len(dim.factors) == 1:  # inside windows
        f = dim.factors[0]
        return _with_axis(mark, a, axis.through(1, f.step * begin, f.step * end))
    gathered = mark.gathered(a)
    return (
        lost("windows over a part of the cells")
        if gathered is None or gathered is mark
        else _moved_along(gathered, j, window, size)
    )


def _with_axis(mark: Mark, a: int, axis: Axis) -> Mark:
    return replace(mark, axes=changed(mark.axes, {a: axis}))


def _among_tokens(mark: Mark, j: int, window: CellWindow, size: int) -> Mark:
    """Along rows of tokens cells of several axes lie side by side: a token that sees its neighbours stays where it is.  What
    reads parts of rows one behind the other lies in their middle, where no part goes on in the next row; else nowhere.
    """
    step, begin, end = window
    if step == 1 and mark.dims[j].size == size and begin == -end:
        return mark.everywhere()
    if (begin, end) == (0, step - 1) and size * step <= mark.dims[j].size:
        parts = chosen(mark, j, np.arange(int(size * step)))
        at = j % len(parts.dims)
        cut = regrouped(parts, (*parts.shape[:at], size, int(step), *parts.shape[at + 1 :]))
        if not cut.lost:
            return summed(cut, at + 1, None)
    return replace(with_dim(mark, j, plain(size)), whole=True)


def _row(dim: Dim) -> int | None:
    """The cell of the first entry, where all entries are cells side by side, maybe with others of no place around them."""
    if len(dim.factors) > 1:
        return None
    if dim.rows is None:
        return 0
    rows = np.array(dim.rows)
    (placed,) = np.nonzero(rows >= 0)
    begin = int(rows[placed[0]] - placed[0])
    alike = np.array_equal(rows[placed[0] : placed[-1] + 1], np.arange(placed[0], placed[-1] + 1) + begin)
    return begin if alike else None


def conv(d: int, mark: Mark, out: Tensor, weight: Tensor, bias: Any = None, stride: Any = 1, padding: Any = 0,
         dilation: Any = 1, groups: int = 1) -> Mark:  # fmt: skip
    reach = [span * (k - 1) for span, k in zip(each(dilation, d), weight.shape[2:], strict=True)]
    before = [span // 2 for span in reach] if padding == "same" else each(0 if padding == "valid" else padding, d)
    windows = trailing(each(stride, d), [-p for p in before], [r - p for r, p in zip(reach, before, strict=True)])
    if groups == 1 or not mark.dims[-d - 1].informed:
        return _weighed(moved(mark, windows, out.shape, mixes=-d - 1), mark, weight, each(dilation, d))
    apart = regrouped(mark, (*mark.shape[: -d - 1], groups, mark.shape[-d - 1] // groups, *mark.shape[-d:]))
    shape = (*out.shape[: -d - 1], groups, out.shape[-d - 1] // groups, *out.shape[-d:])
    return apart if apart.lost else regrouped(moved(apart, windows, shape, mixes=-d - 1), out.shape)


def _weighed(made: Mark, mark: Mark, weight: Tensor, dilation: Sequence[int]) -> Mark:
    """The mark after a convolution, whose cells look where the weights of its kernel say, and not at its whole window alike."""
    axes = [*made.axes]
    for j, (dim, read, span) in enumerate(zip(made.dims[-len(dilation) :], of_kernel(weight), dilation, strict=False)):
        a = dim.single
        if read is not None and a is not None and mark.dims[j - len(dilation)].single == a:
            axis = mark.axes[a]
            axes[a] = axes[a]._replace(bell=axis.bell.through(axis.stride, read[0] * span, read[1] * span**2))
    return replace(made, axes=tuple(axes))


def conv_transposed(d: int, mark: Mark, out: Tensor, weight: Tensor, bias: Any = None, stride: Any = 1, padding: Any = 0,
                    output_padding: Any = 0, groups: int = 1, dilation: Any = 1) -> Mark:  # fmt: skip
    windows = spread(weight.shape[2:], each(stride, d), each(padding, d), each(dilation, d))
    return moved(mark, windows, out.shape, mixes=-d - 1)


def spread(kernel: Sequence[int], steps: Sequence[int], before: Sequence[int], spans: Sequence[int]) -> WindowsByAxis:
    """The windows of cells whose kernels reach a cell of the larger map, in the mean."""
    reach = [span * (k - 1) for span, k in zip(spans, kernel, strict=True)]
    middle = [(p - r / 2) / s for p, r, s in zip(before, reach, steps, strict=True)]
    sides = [r // s / 2 for r, s in zip(reach, steps, strict=True)]
    begins, ends = ([m + sign * side for m, side in zip(middle, sides, strict=True)] for sign in (-1, 1))
    return trailing([1 / s for s in steps], begins, ends)


def pool(d: int, mark: Mark, out: Any, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1,
         *_: Any, **__: Any) -> Marks:  # fmt: skip
    kernel, before = each(kernel_size, d), each(padding, d)
    steps = kernel if stride is None or stride == [] else each(stride, d)
    last = [span * (k - 1) - p for span, k, p in zip(each(dilation, d), kernel, before, strict=True)]
    return for_each(out, lambda tensor: moved(mark, trailing(steps, [-p for p in before], last), tensor.shape))


def avg_pool(d: int, mark: Mark, out: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, *_: Any, **__: Any):
    return pool(d, mark, out, kernel_size, stride, padding)


def lp_pool(d: int, mark: Mark, out: Tensor, norm_type: Any, kernel_size: Any, stride: Any = None, *_: Any, **__: Any):
    return pool(d, mark, out, kernel_size, stride)


def unpooled(d: int, mark: Mark, out: Tensor, indices: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0,
             *_: Any, **__: Any) -> Mark:  # fmt: skip
    """The rule of max_unpool: each cell goes back to one of the places that it was taken from."""
    kernel = each(kernel_size, d)
    steps = kernel if stride is None or stride == [] else each(stride, d)
    return moved(mark, spread(kernel, steps, each(padding, d), (1,) * d), out.shape)


def adaptive(d: int, mark: Mark, out: Any, *_: Any, **__: Any) -> Marks:
    return for_each(out, partial(_shared_out, d, mark))


def _shared_out(d: int, mark: Mark, out: Tensor) -> Mark:
    """The mark after adaptive pooling to the shape of `out`: windows lie evenly, and all count as large as the largest."""
    windows: WindowsByAxis = {}
    for j in range(-d, 0):
        old, new = mark.dims[j].size, out.shape[j]
        if new == 1 < old:
            mark = summed(mark, j, 1)
            if mark.lost:
                return mark
            continue
        largest = max(ceil((i + 1) * old / new) - floor(i * old / new) for i in range(new))
        windows[j] = (old / new, (old / new - largest) / 2, (old / new + largest) / 2 - 1)
    return moved(mark, windows, out.shape)


def interpolated(mark: Mark, out: Tensor, size: Any = None, scale_factor: Any = None, mode: str = "nearest",
                 align_corners: bool | None = None, recompute_scale_factor: bool | None = None,
                 antialias: bool = False) -> Mark:  # fmt: skip
    d = out.ndim - 2
    if mode == "area":
        return _shared_out(d, mark, out)
    factors = None if scale_factor is None or recompute_scale_factor else each(scale_factor, d)
    windows: WindowsByAxis = {}
    for i, j in enumerate(range(-d, 0)):
        old, new = mark.dims[j].size, out.shape[j]
        step = 1 / factors[i] if factors else old / new
        if align_corners:
            step = (old - 1) / (new - 1) if new > 1 else 0.0
        windows[j] = _read(step, new, mode, bool(align_corners), antialias)
    return moved(mark, windows, out.shape)


def _read(step: float, new: int, mode: str, corners: bool, antialias: bool) -> tuple[float, float, float]:
    """The window (step, begin, end; see Axis.through) of old cells that each of `new` cells, `step` old ones long, reads."""
    at = np.arange(new)
    if mode.startswith("nearest"):
        half = 0.5 if mode == "nearest-exact" else 0.0
        offset = float((np.floor((at + half) * step) - at * step).mean())
        return step, offset, offset
    offset = 0.0 if corners else step / 2 - 0.5
    if not antialias and np.allclose(at * step + offset, np.round(at * step + offset)):  # each new cell is an old one
        return step, offset, offset
    reach = 2 if mode == "bicubic" else 1  # of its kernel, to each side
    reach = reach * step - 0.5 if antialias and step > 1 else reach - 0.5
    return step, offset - reach, offset + reach


def sampled(mark: Mark, out: Tensor, grid: np.ndarray, mode: str = "bilinear", padding_mode: str = "zeros",
            align_corners: bool | None = False) -> Mark:  # fmt: skip
    """The rule of grid_sample with a grid (n, *cells, d) that only enlarges, moves or mirrors, alike for all images."""
    d, windows = grid.shape[-1], {}
    for i in range(d):  # the last number is the place along the first axis
        old, at = mark.dims[i - d].size, grid[..., d - 1 - i]
        cells = (at + 1) / 2 * (old - 1) if align_corners else ((at + 1) * old - 1) / 2
        line = np.moveaxis(cells, 1 + i, 0).reshape(cells.shape[1 + i], -1)
        step = float(line[1, 0] - line[0, 0]) if len(line) > 1 else 1.0
        if np.abs(line - line[0, 0] - step * np.arange(len(line))[:, None]).max() > 1e-3:
            return lost("grid_sample, which samples along no axis")
        reach = 0.0 if np.allclose(line, np.round(line), atol=1e-4) else 0.5
        step = round(step, 5)
        windows[i - d] = (step, float(line[0, 0]) - reach, float(line[0, 0]) + reach)
    return moved(mark, windows, out.shape)


def padded(mark: Mark, out: Tensor, pad: Sequence[int], mode: str = "constant", *_: Any, **__: Any) -> Mark:
    """The rule of F.pad: a border around a map, or entries of no place beside others."""
    mark = placed(mark)
    for i, (before, after) in enumerate(zip(pad[0::2], pad[1::2], strict=True)):
        if mark.lost:
            return mark
        size = mark.dims[-1 - i].size
        mark = chosen(mark, -1 - i, np.arange(max(-before, 0), size - max(-after, 0)))
        before, after = max(before, 0), max(after, 0)
        mark = mark if before == after == 0 or mark.lost else _bordered(mark, -1 - i, before, after, mode)
    return mark


def _bordered(mark: Mark, j: int, before: int, after: int, mode: str) -> Mark:
    dim, size = mark.dims[j], mark.dims[j].size + before + after
    a = dim.single
    if a is not None and mark.axes[a].order is None and len(mark.parts(a)) == 1:
        return _moved_along(mark, j, (1, -before, -before), size)
    if mode != "constant" and dim.informed:
        return lost(f"a border ({mode}) around a part of the cells")
    return chosen(mark, j, np.concatenate([np.full(before, -1), np.arange(dim.size), np.full(after, -1)]))


def rolled(mark: Mark, out: Tensor, shifts: Any, dims: Any = None) -> Mark:
    if dims is None or dims == ():
        return lost("a roll through all dimensions")
    dims = each(dims, 1)
    for j, by in zip(dims, each(shifts, len(dims)), strict=True):
        size = out.shape[j]
        mark = mark if mark.lost else chosen(mark, j, (np.arange(size) - by) % size)
    return mark


def for_each(out: Any, rule: Callable[[Tensor], Mark]) -> Marks:
    return rule(out) if isinstance(out, Tensor) else [rule(tensor) for tensor in out]


def trailing(steps: Sequence[float], begins: Sequence[float], ends: Sequence[float]) -> WindowsByAxis:
    return {i - len(steps): window for i, window in enumerate(zip(steps, begins, ends, strict=True))}


def each(value: Any, d: int) -> tuple[Any, ...]:
    several = tuple(value) if isinstance(value, tuple | list | Size) else (value,)
    return several * d if len(several) == 1 else several
