"""Rules of torch's own operators (torch.ops.aten) that take other arguments than the functions: of exported programs."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from torch import Tensor

from . import choosing, patching, windows
from .marks import Mark, lost
from .moves import chosen
from .products import Of, attended

WithOthers = Sequence[Mark | None]


def convolution(mark: Mark, out: Tensor, weight: Tensor, bias: Any, stride: Any, padding: Any, dilation: Any, transposed: bool,
                output_padding: Any, groups: int) -> Mark:  # fmt: skip
    d = out.ndim - 2
    if transposed:
        return windows.conv_transposed(d, mark, out, weight, bias, stride, padding, output_padding, groups, dilation)
    return windows.conv(d, mark, out, weight, bias, stride, padding, dilation, groups)


def sliced(mark: Mark, out: Tensor, dim: int = 0, start: Any = None, end: Any = None, step: int = 1) -> Mark:
    return chosen(mark, dim, np.arange(mark.dims[dim].size)[start:end:step])


def enlarged_to(mode: str, mark: Mark, out: Tensor, size: Any = None, *rest: Any) -> Mark:
    """The rule of the upsample operators: (size, [align_corners], scales), the scales as a list or one by one."""
    corners = rest[0] if rest and isinstance(rest[0], bool) else None
    scales = next((factors for factors in rest if isinstance(factors, Sequence)), None)
    return windows.interpolated(mark, out, size, scales, mode, corners)


def indexed(of: Of, out: Tensor, x: Tensor, indices: Sequence[Any]) -> Mark:
    return choosing.indexed(of, out, x, tuple(slice(None) if index is None else index for index in indices))


def with_statistics(rule: Callable[..., Mark]) -> Callable[..., WithOthers]:
    """A rule whose operator gives mean and spread beside the result."""
    return lambda mark, out, *args, **kwargs: [rule(mark, out[0], *args, **kwargs), *[None] * (len(out) - 1)]


def attended_with_sums(of: Of, out: Sequence[Any], query: Tensor, key: Tensor, value: Tensor, *_: Any, **__: Any) -> WithOthers:
    return [attended(of, out[0], query, key, value), *[None] * (len(out) - 1)]


def strided(of: Of, out: Tensor, x: Tensor, size: Sequence[int], stride: Sequence[int], *_: Any) -> Mark | None:
    """The rule of as_strided, where it changes nothing but how single entries are stored."""
    same = tuple(size) == tuple(x.shape) and all(a == b or n == 1 for a, b, n in zip(stride, x.stride(), size, strict=True))
    return of(x) if same else lost("as_strided, which reads memory as it lies")


MODES = {
    "nearest1d": "nearest", "nearest2d": "nearest", "nearest3d": "nearest", "nearest_exact1d": "nearest-exact",
    "nearest_exact2d": "nearest-exact", "nearest_exact3d": "nearest-exact", "linear1d": "linear", "bilinear2d": "bilinear",
    "trilinear3d": "trilinear", "bicubic2d": "bicubic",
}  # fmt: skip
OF_THE_FIRST: dict[str, Callable[..., Any]] = {
    "slice": sliced, "im2col": patching.patches, "col2im": patching.folded,
    **{f"upsample_{name}": partial(enlarged_to, mode) for name, mode in MODES.items()},
    **{f"{kind}_pad{d}d": windows.padded for kind in ("reflection", "replication") for d in (1, 2, 3)},
}  # fmt: skip
OF_ALL: dict[str, Callable[..., Any]] = {
    "index": indexed,
    "as_strided": strided,
    "scaled_dot_product_flash_attention_for_cpu": attended_with_sums,
    "scaled_dot_product_flash_attention": attended_with_sums,
    "scaled_dot_product_efficient_attention": attended_with_sums,
}
