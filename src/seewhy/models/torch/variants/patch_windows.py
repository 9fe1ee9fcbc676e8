"""What sliding windows, convolutions and pools, make of copies of a map that differ from it in one box each."""

from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from .patches import Boxes, Positions, Result, Sizes, Unchanged, cut, lasting, paste

CONVS = (torch.conv1d, torch.conv2d, torch.conv3d)
MAX_POOLS = (torch.max_pool1d, torch.max_pool2d, torch.max_pool3d)
SWITCHED = (F.max_pool1d, F.max_pool2d, F.max_pool3d)  # a switch of the two forms, with indices and without
MEAN_POOLS = (F.avg_pool1d, F.avg_pool2d, F.avg_pool3d)
DIMENSIONS = {fn: d for pools in (MAX_POOLS, SWITCHED, MEAN_POOLS) for d, fn in enumerate(pools, 1)}


class SlidingWindow(NamedTuple):
    """How a convolution or pool slides, along each axis."""

    kernel: Sizes
    stride: Sizes
    left: Sizes  # padding before the first cell
    dilation: Sizes

    @property
    def span(self) -> Positions:
        """Cells from a window's first to its last."""
        return np.array(self.dilation) * (np.array(self.kernel) - 1)


def convolved(
    replay: Unchanged, fn: Any, input: Any, weight: Any, bias: Any = None, stride: Any = 1, padding: Any = 0, dilation: Any = 1,
    groups: int = 1,
) -> Result:  # fmt: skip
    known = isinstance(input, Boxes) and isinstance(weight, Tensor) and not isinstance(bias, Boxes)
    if not known or not input.has_channels(weight.ndim - 2):
        return None
    d, kernel = input.d, tuple(weight.shape[2:])
    window = SlidingWindow(kernel, _along(stride, d), (0,) * d, _along(dilation, d))
    same = tuple((window.span // 2).tolist())
    window = window._replace(left=same if padding == "same" else (0,) * d if padding == "valid" else _along(padding, d))
    base = replay(fn, input.base, weight, bias, stride, padding, dilation, groups)
    if kernel == window.stride == (1,) * d and not any(window.left):
        return Boxes(base, fn(input.patch, weight, bias, 1, 0, 1, groups), input.at)
    cells, at = slid(replay, input, base, window, 0.0)
    return Boxes(base, fn(cells, weight, bias, window.stride, 0, window.dilation, groups), at)


def max_pooled(
    replay: Unchanged, fn: Any, input: Any, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1,
    ceil_mode: bool = False, return_indices: bool = False,
) -> Result:  # fmt: skip
    d = DIMENSIONS[fn]
    if return_indices or not isinstance(input, Boxes) or not input.has_channels(d):
        return None
    kernel, pool = _along(kernel_size, d), MAX_POOLS[d - 1]
    window = SlidingWindow(kernel, _along(stride, d) if stride else kernel, _along(padding, d), _along(dilation, d))
    base = replay(pool, input.base, kernel, window.stride, padding, dilation, ceil_mode)
    cells, at = slid(replay, input, base, window, -torch.inf)
    return Boxes(base, pool(cells, kernel, window.stride, 0, window.dilation), at)


def mean_pooled(
    replay: Unchanged, fn: Any, input: Any, kernel_size: Any, stride: Any = None, padding: Any = 0, ceil_mode: bool = False,
    count_include_pad: bool = True, divisor_override: int | None = None,
) -> Result:  # fmt: skip
    d = DIMENSIONS[fn]
    if not isinstance(input, Boxes) or not input.has_channels(d):
        return None
    kernel = _along(kernel_size, d)
    window = SlidingWindow(kernel, _along(stride, d) if stride else kernel, _along(padding, d), (1,) * d)
    override = () if d == 1 else (divisor_override,)
    base = replay(fn, input.base, kernel_size, stride, padding, ceil_mode, count_include_pad, *override)
    cells, at = slid(replay, input, base, window, 0.0)
    patch = fn(cells, kernel, window.stride)
    if divisor_override:
        return Boxes(base, patch * (float(np.prod(kernel)) / divisor_override), at)
    for axis in range(d):
        share = _counted(window, axis, at, patch.shape[2 + axis], input.space[axis], count_include_pad)
        if (share != 1).any():
            shape = [len(at), 1, *(-1 if axis == other else 1 for other in range(d))]
            patch = patch * torch.from_numpy(share).to(patch).reshape(shape)
    return Boxes(base, patch, at)


def _counted(window: SlidingWindow, axis: int, at: Positions, size: int, n: int, with_padding: bool) -> np.ndarray:
    """(m, size): the length of each box's windows over the count of cells they are divided by."""
    k, s, pad = window.kernel[axis], window.stride[axis], window.left[axis]
    start = (at[:, axis, None] + np.arange(size)) * s - pad
    end = np.minimum(start + k, n + pad)
    return k / (end - start if with_padding else np.minimum(end, n) - np.maximum(start, 0))


def _along(value: Any, d: int) -> Sizes:
    """One number per axis."""
    values = tuple(value) if isinstance(value, tuple | list) else (value,)
    return values * d if len(values) == 1 else values


def padded(replay: Unchanged, fn: Any, input: Any, pad: Any, mode: str = "constant", value: Any = None) -> Result:
    if not isinstance(input, Boxes) or mode != "constant" or min(pad) < 0 or len(pad) > 2 * input.d:
        return None
    left = [*pad[::2], *[0] * input.d][: input.d]
    return Boxes(replay(fn, input.base, pad, mode, value), input.patch.clone(), input.at + left[::-1])


def slid(replay: Unchanged, x: Boxes, out: Tensor, window: SlidingWindow, fill: float) -> tuple[Tensor, Positions]:
    """What a sliding window needs to see, (m, c, *cells), and where what it makes of that lies in `out` (1, k, *space)."""
    stride, left, span = np.array(window.stride), np.array(window.left), window.span
    last = np.array(out.shape[out.ndim - x.d :]) - 1
    low = np.clip(-((span - x.at - left) // stride), 0, last)  # the first window that ends behind the box's first cell
    high = np.clip((x.at + x.sizes - 1 + left) // stride, 0, last)
    sizes = np.maximum((high - low).max(0) + 1, 1)
    at = np.minimum(low, last + 1 - sizes)
    right = np.maximum(last * stride + span + 1 - left - x.space, 0)  # ceil_mode and "same" see beyond the padding
    padded = replay(lasting, x.base, x.d, tuple(left.tolist()), tuple(right.tolist()), fill)
    cells = cut(padded, at * stride, tuple(((sizes - 1) * stride + span + 1).tolist()))
    paste(cells, x.patch, x.at + left - at * stride)
    return cells, at
