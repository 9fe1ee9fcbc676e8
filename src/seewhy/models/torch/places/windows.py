"""Calls whose cells each read a window of cells: convolutions, pools, resizing, padding.  Each rule gives the result's mark."""

from collections.abc import Callable, Sequence
from functools import partial
from math import ceil, floor
from typing import Any

import numpy as np
from torch import Size, Tensor

from .marks import NOWHERE, Mark, mixed, moved, plain, regrouped, replace

Marks = Mark | list[Mark]
WindowsByAxis = dict[int, tuple[float, float, float]]


def conv(d: int, mark: Mark, out: Tensor, weight: Tensor, bias: Any = None, stride: Any = 1, padding: Any = 0,
         dilation: Any = 1, groups: int = 1) -> Mark:  # fmt: skip
    reach = [span * (k - 1) for span, k in zip(each(dilation, d), weight.shape[2:], strict=True)]
    before = [span // 2 for span in reach] if padding == "same" else each(0 if padding == "valid" else padding, d)
    windows = _trailing(each(stride, d), [-p for p in before], [r - p for r, p in zip(reach, before, strict=True)])
    return moved(mark, windows, out.shape, mixes=-d - 1)


def conv_transposed(d: int, mark: Mark, out: Tensor, weight: Tensor, bias: Any = None, stride: Any = 1, padding: Any = 0,
                    output_padding: Any = 0, groups: int = 1, dilation: Any = 1) -> Mark:  # fmt: skip
    steps = each(stride, d)
    reach = [span * (k - 1) for span, k in zip(each(dilation, d), weight.shape[2:], strict=True)]
    middle = [(p - r / 2) / s for p, r, s in zip(each(padding, d), reach, steps, strict=True)]
    sides = [r // s / 2 for r, s in zip(reach, steps, strict=True)]
    begins, ends = ([m + sign * side for m, side in zip(middle, sides, strict=True)] for sign in (-1, 1))
    return moved(mark, _trailing([1 / s for s in steps], begins, ends), out.shape, mixes=-d - 1)


def pool(d: int, mark: Mark, out: Any, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1,
         *_: Any, **__: Any) -> Marks:  # fmt: skip
    kernel, before = each(kernel_size, d), each(padding, d)
    steps = kernel if stride is None or stride == [] else each(stride, d)
    last = [span * (k - 1) - p for span, k, p in zip(each(dilation, d), kernel, before, strict=True)]
    return for_each(out, lambda tensor: moved(mark, _trailing(steps, [-p for p in before], last), tensor.shape))


def avg_pool(d: int, mark: Mark, out: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, *_: Any, **__: Any):
    return pool(d, mark, out, kernel_size, stride, padding)


def lp_pool(d: int, mark: Mark, out: Tensor, norm_type: Any, kernel_size: Any, stride: Any = None, *_: Any, **__: Any):
    return pool(d, mark, out, kernel_size, stride)


def adaptive(d: int, mark: Mark, out: Any, *_: Any, **__: Any) -> Marks:
    return for_each(out, partial(_shared_out, d, mark))


def _shared_out(d: int, mark: Mark, out: Tensor) -> Mark:
    """The mark after adaptive pooling to the shape of `out`: windows lie evenly, and all count as large as the largest."""
    windows: WindowsByAxis = {}
    for j in range(-d, 0):
        old, new = mark.dims[j].size, out.shape[j]
        if new == 1 < old:
            mark = mixed(mark, j, 1)
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


def unshuffled(mark: Mark, out: Tensor, downscale_factor: int) -> Mark:
    return moved(mark, _trailing([downscale_factor] * 2, [0, 0], [downscale_factor - 1] * 2), out.shape)


def shuffled(mark: Mark, out: Tensor, upscale_factor: int) -> Mark:
    middle = [(1 / upscale_factor - 1) / 2] * 2
    return moved(mark, _trailing([1 / upscale_factor] * 2, middle, middle), out.shape)


def padded(mark: Mark, out: Tensor, pad: Sequence[int], *_: Any, **__: Any) -> Mark:
    return moved(mark, {-1 - i: (1, -before, -before) for i, before in enumerate(pad[0::2])}, out.shape)


def onto(mark: Mark, part: Tensor, sheet: Tensor) -> Mark:
    """The mark of a blank tensor (`sheet`) after a `part` of it was written to: images of several sizes are batched so."""
    left, begins = part.storage_offset() - sheet.storage_offset(), []
    for step in sheet.stride():
        begins.append(left // step if step else 0)
        left -= begins[-1] * step
    d = len(mark.dims)
    if left or part.stride() != sheet.stride()[sheet.ndim - d :]:
        return NOWHERE
    mark = replace(mark, dims=(*(plain(side) for side in sheet.shape[: sheet.ndim - d]), *mark.dims))
    return moved(mark, {j: (1, -begins[j], -begins[j]) for j in range(-d, 0)}, sheet.shape)


def rolled(mark: Mark, out: Tensor, shifts: Any, dims: Any = None) -> Mark:
    dims = (dims,) if isinstance(dims, int) else dims
    count = len(mark.dims)
    shifted = {j % count - count: (1, -by, -by) for j, by in zip(dims, each(shifts, len(dims)), strict=True)}
    return moved(mark, shifted, out.shape)


def patches(mark: Mark, out: Tensor, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Mark:
    """The rule of F.unfold: (n, c, h, w) -> (n, c * k * k, windows)."""
    kernel, spans, before, steps = (each(value, 2) for value in (kernel_size, dilation, padding, stride))
    reach = [span * (k - 1) for span, k in zip(spans, kernel, strict=True)]
    sides = [dim.size for dim in mark.dims[-2:]]
    cells = [(side + 2 * p - r - 1) // s + 1 for side, p, r, s in zip(sides, before, reach, steps, strict=True)]
    windows = _trailing(steps, [-p for p in before], [r - p for r, p in zip(reach, before, strict=True)])
    return regrouped(moved(mark, windows, (*out.shape[:2], *cells), mixes=-3), out.shape)


def unfolded(mark: Mark, out: Tensor, dimension: int, size: int, step: int) -> Mark:
    """The rule of Tensor.unfold: one dimension is cut into windows, whose cells become the last dimension."""
    cells = moved(mark, {dimension % len(mark.dims) - len(mark.dims): (step, 0, size - 1)}, out.shape[:-1])
    return replace(cells, dims=(*cells.dims, plain(size))) if cells.spots else NOWHERE


def for_each(out: Any, rule: Callable[[Tensor], Mark]) -> Marks:
    return rule(out) if isinstance(out, Tensor) else [rule(tensor) for tensor in out]


def _trailing(steps: Sequence[float], begins: Sequence[float], ends: Sequence[float]) -> WindowsByAxis:
    return {i - len(steps): window for i, window in enumerate(zip(steps, begins, ends, strict=True))}


def each(value: Any, d: int) -> tuple[Any, ...]:
    several = tuple(value) if isinstance(value, tuple | list | Size) else (value,)
    return several * d if len(several) == 1 else several
