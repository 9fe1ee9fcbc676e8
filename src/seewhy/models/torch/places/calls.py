"""How each call of torch changes where cells lie: one rule per name, the same for functions, methods and in-place calls.

A rule takes `of` (tensor -> Mark, or None for a tensor that was not computed from the image), the result of the call, and its
arguments; `cell_by_cell`, by far the most frequent rule, takes the marks of the arguments and the result.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from itertools import accumulate, pairwise
from typing import Any

import numpy as np
from torch import Tensor
from torch.nn import functional as F

from seewhy.models.torch.passes.torch_calls import name_of

from . import windows
from .marks import NOWHERE, Dim, Mark, merged, mixed, moved, permuted, plain, regrouped, replace, shaped
from .windows import Marks, each, for_each

CallRule = Callable[..., Marks]


@lru_cache(1024)
def rule_of(fn: Any) -> CallRule:
    """The rule of a function, a method, or a property; without a rule, the result lies in no known place."""
    if fn is F.unfold:
        return _first(windows.patches)
    return RULES.get(name_of(fn).strip("_"), _nowhere)


def _nowhere(*_: Any, **__: Any) -> Mark:
    return NOWHERE


def _first(rule: Callable[..., Marks]) -> CallRule:
    """A rule that reads the mark of the first tensor alone, with the other arguments under torch's names."""

    def run(of: Any, out: Any, *args: Any, **kwargs: Any) -> Marks:
        named = {key: value for key, value in kwargs.items() if key not in ("input", "self", "out")}
        x, *rest = args if args else (kwargs["input"] if "input" in kwargs else kwargs["self"],)
        mark = of(x)
        return rule(mark, out, *rest, **named) if mark is not None and mark.spots else NOWHERE

    return run


def cell_by_cell(marks: Sequence[Mark], out: Any) -> Mark:
    """The rule of activations, sums and products, which act on each cell alone and broadcast."""
    first = marks[0]
    if all(mark is first for mark in marks):
        return shaped(first, out.shape)
    return merged(marks, out.shape)


def _copied(of: Any, out: Tensor, _into: Any, source: Tensor, *_: Any, **__: Any) -> Mark:
    return shaped(of(source) or NOWHERE, out.shape)


def _same_order(mark: Mark, out: Tensor, *_: Any, **__: Any) -> Mark:
    return regrouped(mark, out.shape)


def _turned(order: Callable[..., Any], mark: Mark, _out: Tensor, *args: Any, **kwargs: Any) -> Mark:
    sides = range(2, 2 + len(mark.dims))  # all sides differ, so that the shape shows the order
    return permuted(mark, [side - 2 for side in order(np.broadcast_to(np.int8(0), sides), *args, *kwargs.values()).shape])


def _linear(mark: Mark, out: Tensor, *_: Any, **__: Any) -> Mark:
    return mixed(mark, -1, out.shape[-1])


def _product(of: Any, out: Tensor, a: Tensor, b: Tensor, *_: Any, **__: Any) -> Mark:
    """A matrix of weights times cells, or cells times such a matrix; the product of cells and cells is that of an attention."""
    left, right = of(a), of(b)
    if left is not None and right is None and left.spots and b.ndim == 2:
        return mixed(left, -1, out.shape[-1])
    if right is not None and left is None and right.spots and b.ndim > 1 and a.ndim > 1:
        return shaped(mixed(right, -2, out.shape[-2]), out.shape)
    return NOWHERE


def _attended(of: Any, out: Any, query: Tensor, *_: Any, **__: Any) -> Marks:
    """The cells of the query, each of which now depends on the whole image."""
    mark = (of(query) or NOWHERE).everywhere()
    return shaped(mark, out.shape) if isinstance(out, Tensor) else [shaped(mark, out[0].shape), NOWHERE]


def _reduced(mark: Mark, out: Any, dim: Any = None, *_: Any, axis: Any = None, **__: Any) -> Marks:
    """The rule of the mean, sum or maximum over some dimensions."""
    dims = dim if axis is None else axis
    if dims is None or isinstance(dims, bool):
        return NOWHERE
    count = len(mark.dims)
    keeps = (out if isinstance(out, Tensor) else out[0]).ndim == count
    for j in sorted({j % count for j in each(dims, 1)}, reverse=True):
        mark = mixed(mark, j, 1 if keeps else None)
    return for_each(out, lambda _: mark)


def _larger(of: Any, out: Any, *args: Any, **kwargs: Any) -> Marks:
    """The rule of torch.max(x, y), or of torch.max(x, dim)."""
    two = (len(args) > 1 and isinstance(args[1], Tensor)) or isinstance(kwargs.get("other"), Tensor)
    if two:
        tensors = [*args, kwargs.get("other")]
        return cell_by_cell([mark for part in tensors if isinstance(part, Tensor) and (mark := of(part)) is not None], out)
    return _first(_reduced)(of, out, *args, **kwargs)


def _normed(mark: Mark, out: Tensor, p: Any = None, dim: Any = None, *_: Any, **__: Any) -> Marks:
    return _reduced(mark, out, dim)


def _shares(mark: Mark, out: Tensor, dim: Any = None, *_: Any, **__: Any) -> Mark:
    """The rule of softmax: over space, every cell depends on the whole image."""
    over_space = dim is None or bool(mark.dims[dim].axes)
    return shaped(mark.everywhere() if over_space else mark, out.shape)


def _layer_norm(mark: Mark, out: Tensor, normalized_shape: Sequence[int], *_: Any, **__: Any) -> Mark:
    return mark.everywhere() if any(dim.axes for dim in mark.dims[-len(normalized_shape) :]) else mark


def _statistics(mark: Mark, _out: Tensor, *_: Any, **__: Any) -> Mark:
    """The rule of group and instance norms, whose statistics are taken over the whole image."""
    return mark.everywhere()


def _joined(of: Any, out: Tensor, tensors: Sequence[Tensor], dim: int = 0, *, axis: int | None = None, **_: Any) -> Mark:
    """The rule of concatenation: along space, of other tokens to those of a map; along other dimensions, of maps."""
    j = (dim if axis is None else axis) % out.ndim - out.ndim
    marks = [of(tensor) for tensor in tensors]
    spatial = [i for i, mark in enumerate(marks) if mark is not None and mark.spots]
    along = [i for i in spatial if marks[i].dims[j].axes and (marks[i].settled or marks[i]).dims[j].axes]
    if not along:
        known = [(mark.settled or mark, tensor.shape[j]) for mark, tensor in zip(marks, tensors, strict=True) if mark]
        return merged([mark for mark, _ in known], out.shape, [size for _, size in known])
    if len(along) > 1:
        return NOWHERE
    (i,) = along
    edges = [0, *accumulate(tensor.shape[j] for tensor in tensors)]
    return _between(marks[i], j, edges[i], edges[-1] - edges[i + 1])


def _between(mark: Mark, j: int, before: int, after: int) -> Mark:
    """The mark with more entries before and after along a dimension: a border round a map, or tokens beside those of a map."""
    dim = mark.dims[j]
    if dim.single is not None and len(mark.axes) > 1:
        shape = [d.size for d in mark.dims]
        shape[j] += before + after
        return moved(mark, {j: (1, -before, -before)}, shape)
    return _with(mark, j, dim._replace(before=dim.before + before, after=dim.after + after))


def _stacked(of: Any, out: Tensor, tensors: Sequence[Tensor], dim: int = 0, **_: Any) -> Mark:
    j = dim % out.ndim
    marks = [mark for tensor in tensors if (mark := of(tensor)) is not None]
    return merged([replace(m, dims=(*m.dims[:j], Dim(()), *m.dims[j:])) if m.spots else m for m in marks], out.shape)


def _indexed(mark: Mark, out: Tensor, index: Any) -> Mark:
    index = index if isinstance(index, tuple) else (index,)
    if not all(part is None or part is Ellipsis or type(part) in (int, slice) for part in index):
        return NOWHERE
    taken = sum(part is not None and part is not Ellipsis for part in index)
    rest = (slice(None),) * (len(mark.dims) - taken)
    at = index.index(Ellipsis) if Ellipsis in index else len(index)
    j = 0
    for part in (*index[:at], *rest, *index[at + 1 :]):
        if part is None:
            mark = replace(mark, dims=(*mark.dims[:j], Dim(()), *mark.dims[j:]))
        elif isinstance(part, slice):
            mark = _sliced(mark, j, part)
        else:
            mark = _selected(mark, j, part)
        j += not isinstance(part, int)
    return shaped(mark, out.shape)


def _selected(mark: Mark, j: int, at: int) -> Mark:
    """The mark of one entry along a dimension, which is then gone; if it held a part of an axis, the other parts stay."""
    (dim, count) = mark.dims[j], len(mark.dims)
    dims = (*mark.dims[:j], *mark.dims[j % count + 1 :])
    f = dim.factors[0] if dim.single is not None else None
    if f is None or f.axis is None or not any(f.axis in other.axes for other in dims):
        return replace(mark, dims=dims, whole=mark.whole or bool(dim.axes))
    shift = f.step * (at % f.size)
    axes = tuple(axis.through(1, shift, shift) if a == f.axis else axis for a, axis in enumerate(mark.axes))
    return replace(mark, dims=dims, axes=axes)


def _sliced(mark: Mark, j: int, part: slice) -> Mark:
    size = mark.dims[j].size
    start, stop, step = part.indices(size)
    count = len(range(start, stop, step))
    if (start, count) == (0, size):
        return mark
    settled = mark.settled
    if settled is None:
        return NOWHERE if mark.dims[j].axes else _with(mark, j, plain(count))
    dim = settled.dims[j]
    if dim.single is not None or not dim.axes:
        shape = [d.size for d in settled.dims]
        shape[j] = count
        return moved(settled, {j - len(shape): (step, start, start)}, shape)
    last = start + count - (size - dim.after)
    if step != 1 or start > dim.before or last < 0:
        return NOWHERE
    return _with(settled, j, dim._replace(before=dim.before - start, after=last))


def _with(mark: Mark, j: int, dim: Dim) -> Mark:
    j %= len(mark.dims)
    return replace(mark, dims=(*mark.dims[:j], dim, *mark.dims[j + 1 :]))


def _narrowed(mark: Mark, out: Tensor, dim: int, start: int, length: int) -> Mark:
    return _sliced(mark, dim, slice(start, start + length))


def _select(mark: Mark, out: Tensor, dim: int, index: int) -> Mark:
    return _selected(mark, dim % len(mark.dims), index)


def _in_parts(mark: Mark, out: Sequence[Tensor], _sizes: Any = None, dim: int = 0, **__: Any) -> list[Mark]:
    edges = [0, *accumulate(part.shape[dim] for part in out)]
    return [_sliced(mark, dim, slice(a, b)) for a, b in pairwise(edges)]


def _unbound(mark: Mark, out: Sequence[Tensor], dim: int = 0) -> list[Mark]:
    return [_selected(mark, dim % len(mark.dims), i) for i in range(len(out))]


CELL_BY_CELL = """
    relu relu6 leaky_relu prelu rrelu elu celu selu gelu silu mish glu hardswish hardsigmoid hardtanh hardshrink softshrink
    tanhshrink threshold sigmoid tanh softplus softsign logsigmoid log_sigmoid erf erfc exp exp2 expm1 log log2 log10 log1p
    sin cos tan asin acos atan atan2 sinh cosh sqrt rsqrt square reciprocal neg negative positive abs absolute sign sgn
    floor ceil round trunc frac clamp clamp_min clamp_max clip nan_to_num sinc logit special_expit
    add sub subtract mul multiply div divide true_divide truediv floordiv floor_divide mod remainder fmod pow float_power
    iadd isub imul itruediv idiv ipow radd rsub rmul rtruediv rdiv rpow rsub maximum minimum fmax fmin where lerp addcmul
    addcdiv masked_fill xlogy hypot gt ge lt le eq ne greater greater_equal less less_equal logical_not logical_and
    logical_or logical_xor invert and or xor bitwise_and bitwise_or bitwise_not isfinite isnan isinf
    batch_norm dropout dropout1d dropout2d dropout3d alpha_dropout feature_alpha_dropout feature_dropout bernoulli
    local_response_norm normalize channel_shuffle rms_norm
    clone contiguous detach requires_grad to type type_as float double half bfloat16 cpu cuda mps data alias real
    as_subclass expand expand_as repeat broadcast_to zeros_like ones_like
"""
SAME_ORDER = "view reshape view_as reshape_as flatten unflatten squeeze unsqueeze ravel"
ORDERS: dict[str, Callable[..., Any]] = {
    "permute": lambda x, *dims: x.transpose(*dims),
    **dict.fromkeys(("transpose", "swapaxes", "swapdims"), lambda x, a, b: x.swapaxes(a, b)),
    **dict.fromkeys(("movedim", "moveaxis"), np.moveaxis),
    **dict.fromkeys(("T", "t", "H"), lambda x: x.T),
    **dict.fromkeys(("mT", "mH", "adjoint"), lambda x: x.swapaxes(-1, -2)),
}
REDUCED = (
    "mean sum amax amin prod std var nanmean nansum logsumexp median all any var_mean std_mean argmax argmin count_nonzero"
)
OTHERS: dict[str, Callable[..., Marks]] = {
    "interpolate": windows.interpolated, "pixel_unshuffle": windows.unshuffled, "pixel_shuffle": windows.shuffled,
    "pad": windows.padded, "constant_pad_nd": windows.padded, "roll": windows.rolled, "unfold": windows.unfolded,
    "linear": _linear, "norm": _normed, "linalg_vector_norm": _normed, "softmax": _shares, "log_softmax": _shares,
    "layer_norm": _layer_norm, "group_norm": _statistics, "instance_norm": _statistics, "getitem": _indexed,
    "narrow": _narrowed, "select": _select, "chunk": _in_parts, "split": _in_parts, "split_with_sizes": _in_parts,
    "tensor_split": _in_parts, "unbind": _unbound,
}  # fmt: skip
RULES: dict[str, CallRule] = {
    **dict.fromkeys(CELL_BY_CELL.split(), cell_by_cell),
    **dict.fromkeys(SAME_ORDER.split(), _first(_same_order)),
    **{name: _first(partial(_turned, order)) for name, order in ORDERS.items()},
    **dict.fromkeys(REDUCED.split(), _first(_reduced)),
    **{name: _first(rule) for name, rule in OTHERS.items()},
    **{f"conv{d}d": _first(partial(windows.conv, d)) for d in (1, 2, 3)},
    **{f"conv_transpose{d}d": _first(partial(windows.conv_transposed, d)) for d in (1, 2, 3)},
    **{f"max_pool{d}d{more}": _first(partial(windows.pool, d)) for d in (1, 2, 3) for more in ("", "_with_indices")},
    **{f"avg_pool{d}d": _first(partial(windows.avg_pool, d)) for d in (1, 2, 3)},
    **{f"lp_pool{d}d": _first(partial(windows.lp_pool, d)) for d in (1, 2, 3)},
    **{f"adaptive_{kind}_pool{d}d{more}": _first(partial(windows.adaptive, d)) for d in (1, 2, 3)
       for kind, more in (("avg", ""), ("max", ""), ("max", "_with_indices"))},
    **dict.fromkeys(("max", "min"), _larger),
    **dict.fromkeys(("matmul", "mm", "bmm", "rmatmul"), _product),
    **dict.fromkeys(("scaled_dot_product_attention", "multi_head_attention_forward"), _attended),
    **dict.fromkeys(("cat", "concat", "concatenate"), _joined),
    "stack": _stacked,
    "copy": _copied,
}  # fmt: skip
