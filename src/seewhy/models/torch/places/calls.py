"""How each call of torch changes where cells lie: one rule per name, the same for functions, methods and in-place calls.

A rule takes `of` (tensor -> Mark, or None for a tensor that was not computed from the image), the result of the call, and its
arguments; `cell_by_cell`, by far the most frequent rule, takes the marks of the arguments and the result.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from itertools import chain
from typing import Any

import numpy as np
from torch import Tensor
from torch.nn import functional as F

from seewhy.models.torch.passes.torch_calls import name_of

from . import choosing, operators, patching, products, windows, writing
from .joining import joined, stacked
from .marks import Mark, lost, plain
from .merging import MIXED, flat, merged, summed
from .moves import inserted, permuted, regrouped, shaped, unsqueezed
from .windows import Marks, each, for_each

CallRule = Callable[..., Any]
UNKNOWN = "{}, which no rule follows"


@lru_cache(1024)
def rule_of(fn: Any) -> CallRule:
    """The rule of a function, a method, or a property; without a rule, the result lies in no known place."""
    if fn is F.unfold:
        return _first(patching.patches)
    return RULES.get(name_of(fn).partition(".")[0].strip("_")) or partial(_unknown, UNKNOWN.format(name_of(fn) or "a call"))


def _unknown(why: str, *_: Any, **__: Any) -> Mark:
    return lost(why)


def _first(rule: Callable[..., Marks], weighs: bool = False, unmixed: bool = False) -> CallRule:
    """A rule that reads the mark of the first tensor alone, with the other arguments under torch's names.

    weighs: other tensors are weights; where they are computed from the image, every cell may depend on all of it.
    unmixed: of other tensors it takes the shape or the type alone.
    """

    def run(of: Any, out: Any, *args: Any, **kwargs: Any) -> Marks | None:
        named = {key: value for key, value in kwargs.items() if key not in ("input", "self", "out")} if kwargs else kwargs
        x, *rest = args if args else (kwargs["input"] if "input" in kwargs else kwargs["self"],)
        mark = of(x)
        if mark is None and unmixed and isinstance(x, Tensor):
            return None
        if mark is None:
            return lost("weights that are computed from the image")
        if mark.lost:
            return mark
        if not weighs:
            return rule(mark, out, *rest, **named)
        others = [m for value in chain(rest, named.values()) if isinstance(value, Tensor) and (m := of(value)) is not None]
        if gone := next((other for other in others if other.lost), None):
            return gone
        made = rule(mark, out, *rest, **named)
        return made.everywhere() if others and isinstance(made, Mark) else made

    return run


def cell_by_cell(marks: Sequence[Mark], out: Any) -> Mark:
    """The rule of activations, sums and products, which act on each cell alone and broadcast."""
    first = marks[0]
    if all(mark is first for mark in marks):
        return shaped(first, out.shape)
    return merged(marks, out.shape)


def gated(of: Any, out: Any, tensors: Sequence[Tensor]) -> Mark:
    """The rule of the same calls where the mark of a tensor is lost: as a gate, alike for all cells, it changes no place."""
    marked = [(tensor, mark) for tensor in tensors if (mark := of(tensor)) is not None]
    known = [mark for _, mark in marked if not mark.lost]
    gates = [(tensor, mark) for tensor, mark in marked if mark.lost]
    made = merged(known, out.shape) if known else gates[0][1]
    if made.lost:
        return made
    for tensor, mark in gates:
        if mark.lost == MIXED or not made.spots or any(-j <= tensor.ndim and tensor.shape[j] > 1 for j, _ in made.spots):
            return mark
    return made.everywhere()


def _copied(of: Any, out: Tensor, _into: Any, source: Any, *_: Any, **__: Any) -> Mark | None:
    mark = of(source) if isinstance(source, Tensor) else None
    return mark and shaped(mark, out.shape)


def _same_order(mark: Mark, out: Tensor, *_: Any, **__: Any) -> Mark:
    return regrouped(mark, out.shape)


def _squeezed(mark: Mark, out: Tensor, dim: Any = None, **_: Any) -> Mark:
    count = len(mark.dims)
    among = {j % count for j in each(dim, 1)} if dim is not None else range(count)
    for j in sorted((j for j in among if mark.dims[j].size == 1), reverse=True):
        mark = choosing.one(mark, out, j, 0)
    return mark


def _unsqueezed(mark: Mark, out: Tensor, dim: int) -> Mark:
    return unsqueezed(mark, dim % out.ndim)


def _turned(order: Callable[..., Any], mark: Mark, _out: Tensor, *args: Any, **kwargs: Any) -> Mark:
    sides = range(2, 2 + len(mark.dims))  # all sides differ, so that the shape shows the order
    return permuted(mark, [side - 2 for side in order(np.broadcast_to(np.int8(0), sides), *args, *kwargs.values()).shape])


def _linear(mark: Mark, out: Tensor, *_: Any, **__: Any) -> Mark:
    return summed(mark, -1, out.shape[-1])


def _reduced(mark: Mark, out: Any, dim: Any = None, *_: Any, axis: Any = None, **__: Any) -> Marks:
    """The rule of the mean, sum or maximum over some dimensions."""
    dims = dim if axis is None else axis
    count = len(mark.dims)
    over = range(count) if dims is None or isinstance(dims, bool) or dims == () else each(dims, 1)
    keeps = (out if isinstance(out, Tensor) else out[0]).ndim == count
    for j in sorted({j % count for j in over}, reverse=True):
        mark = summed(mark, j, 1 if keeps else None)
    return for_each(out, lambda _: mark)


def _larger(of: Any, out: Any, *args: Any, **kwargs: Any) -> Marks:
    """The rule of torch.max(x, y), or of torch.max(x, dim)."""
    two = (len(args) > 1 and isinstance(args[1], Tensor)) or isinstance(kwargs.get("other"), Tensor)
    if two:
        return gated(of, out, [part for part in (*args, kwargs.get("other")) if isinstance(part, Tensor)])
    return _first(_reduced)(of, out, *args, **kwargs)


def _normed(mark: Mark, out: Tensor, p: Any = None, dim: Any = None, *_: Any, **__: Any) -> Marks:
    return _reduced(mark, out, dim)


def _similar(of: Any, out: Tensor, a: Tensor, b: Tensor, dim: int = 1, *_: Any, **__: Any) -> Marks:
    """The rule of cosine_similarity."""
    marks = [mark for tensor in (a, b) if (mark := of(tensor)) is not None]
    shape = np.broadcast_shapes(a.shape, b.shape)
    return summed(merged(marks, shape), dim, None)


def _shares(mark: Mark, out: Tensor, dim: Any = None, *_: Any, **__: Any) -> Mark:
    """The rule of softmax and cumulative sums: over space, every cell depends on the whole image."""
    if dim is None:
        return mark.everywhere()
    if mark.dims[dim].images:
        return lost(MIXED)
    mixed = flat(mark, dim)
    return mixed.everywhere() if mixed is mark and mark.dims[dim].axes else mixed


def _normalized(mark: Mark, out: Tensor, p: Any = 2, dim: int = 1, *_: Any, **__: Any) -> Mark:
    return _shares(mark, out, dim)


def _layer_norm(mark: Mark, out: Tensor, normalized_shape: Sequence[int], *_: Any, **__: Any) -> Mark:
    for j in range(-len(normalized_shape), 0):
        mark = _shares(mark, out, j)
    return mark


def _statistics(mark: Mark, _out: Tensor, *_: Any, **__: Any) -> Mark:
    """The rule of group and instance norms, whose statistics are taken over the whole image."""
    return mark.everywhere()


def _batch_norm(mark: Mark, _out: Tensor, mean: Any = None, *args: Any, training: bool = False, **__: Any) -> Mark:
    trains = training or (len(args) > 3 and args[3] is True) or mean is None
    return mark.everywhere() if trains else mark


def _channels_shuffled(mark: Mark, out: Tensor, *_: Any, **__: Any) -> Mark:
    return lost("channels that hold cells are shuffled") if mark.dims[1].informed else mark


def _cat(of: Any, out: Tensor, tensors: Sequence[Tensor], dim: int = 0, *, axis: int | None = None, **_: Any) -> Mark:
    """The rule of concatenation: of maps along channels, of rows of tokens, of a map and a border."""
    j = (dim if axis is None else axis) % out.ndim - out.ndim
    parts = [(of(tensor), tensor.shape[j]) for tensor in tensors if tensor.ndim == out.ndim]
    return joined([mark for mark, _ in parts], j, [size for _, size in parts], out.shape)


def _stacked(of: Any, out: Tensor, tensors: Sequence[Tensor], dim: int = 0, **_: Any) -> Mark:
    return stacked([of(tensor) for tensor in tensors], dim % out.ndim - out.ndim, out.shape)


def _looked_up(of: Any, out: Tensor, index: Tensor, weight: Tensor, *_: Any, **__: Any) -> Mark:
    """The rule of embedding; the operator of this name has its arguments the other way round."""
    mark = of(weight if index.is_floating_point() else index)
    if mark is None:
        return lost("weights that are computed from the image")
    return inserted(mark, len(mark.dims), plain(out.shape[-1]))


def _set(of: Any, _out: Any, x: Tensor, index: Any, value: Any, accumulate: Any = False) -> Mark | None:
    index = tuple(index) if isinstance(index, list) else index
    return lost("adding to a part of a tensor") if accumulate else writing.assigned(of, x, index, value)


def _sampled(of: Any, out: Tensor, x: Tensor, grid: Tensor, *args: Any, **kwargs: Any) -> Mark:
    mark = of(x)
    if of(grid) is not None or mark is None:
        return lost("grid_sample, which samples at places that the network computes")
    return mark if mark.lost else windows.sampled(mark, out, np.array(grid.tolist()), *args, **kwargs)


def _complex(mark: Mark, out: Tensor) -> Mark:
    """The rule of view_as_real and view_as_complex: pairs of numbers along the last dimension."""
    return inserted(mark, len(mark.dims), plain(2)) if out.ndim > len(mark.dims) else summed(mark, -1, None)


CELL_BY_CELL = """
    relu relu6 leaky_relu prelu rrelu elu celu selu gelu silu mish glu hardswish hardsigmoid hardtanh hardshrink softshrink
    tanhshrink threshold sigmoid tanh softplus softsign logsigmoid log_sigmoid erf erfc exp exp2 expm1 log log2 log10 log1p
    sin cos tan asin acos atan atan2 sinh cosh sqrt rsqrt square reciprocal neg negative positive abs absolute sign sgn
    floor ceil round trunc frac clamp clamp_min clamp_max clip nan_to_num sinc logit special_expit
    add sub subtract mul multiply div divide true_divide truediv floordiv floor_divide mod remainder fmod pow float_power
    iadd isub imul itruediv idiv ipow radd rsub rmul rtruediv rdiv rpow rsub maximum minimum fmax fmin where lerp addcmul
    addcdiv masked_fill xlogy hypot gt ge lt le eq ne greater greater_equal less less_equal logical_not logical_and
    logical_or logical_xor invert and or xor bitwise_and bitwise_or bitwise_not isfinite isnan isinf
    dropout dropout1d dropout2d dropout3d alpha_dropout feature_alpha_dropout feature_dropout bernoulli
    local_response_norm clone contiguous detach requires_grad type float double half bfloat16 long int bool cpu cuda mps data
    alias real imag conj angle complex polar as_subclass native_dropout
"""
SAME_ORDER = "view reshape view_as reshape_as flatten unflatten ravel unsafe_view"
AS_IT_IS = "to type_as expand expand_as broadcast_to tensor as_tensor asarray"
ORDERS: dict[str, Callable[..., Any]] = {
    "permute": lambda x, *dims: x.transpose(*dims),
    **dict.fromkeys(("transpose", "swapaxes", "swapdims"), lambda x, a, b: x.swapaxes(a, b)),
    **dict.fromkeys(("movedim", "moveaxis"), np.moveaxis),
    **dict.fromkeys(("T", "t", "H"), lambda x: x.T),
    **dict.fromkeys(("mT", "mH", "adjoint"), lambda x: x.swapaxes(-1, -2)),
}
REDUCED = (
    "mean sum amax amin prod std var nanmean nansum logsumexp median all any var_mean std_mean argmax argmin count_nonzero "
    "aminmax nanmedian special_logsumexp"
)
BY_CONTENT = (
    "topk sort argsort kthvalue mode nonzero unique unique_consecutive multinomial masked_select searchsorted bucketize"
)
PLACES = "deform_conv2d roi_align roi_pool ps_roi_align ps_roi_pool"
OTHERS: dict[str, Callable[..., Marks]] = {
    "interpolate": windows.interpolated, "pixel_unshuffle": patching.unshuffled, "pixel_shuffle": patching.shuffled,
    "pad": windows.padded, "constant_pad_nd": windows.padded, "roll": windows.rolled, "unfold": patching.unfolded,
    "fold": patching.folded, "norm": _normed, "linalg_vector_norm": _normed, "softmax": _shares,
    "log_softmax": _shares, "softmin": _shares, "gumbel_softmax": _statistics, "cumsum": _shares, "cumprod": _shares,
    "logcumsumexp": _shares, "normalize": _normalized, "layer_norm": _layer_norm, "rms_norm": _layer_norm,
    "group_norm": _statistics, "instance_norm": _statistics, "batch_norm": _batch_norm, "channel_shuffle": _channels_shuffled,
    "native_channel_shuffle": _channels_shuffled, "narrow": choosing.narrowed, "select": choosing.one,
    "chunk": choosing.in_parts, "split": choosing.in_parts, "split_with_sizes": choosing.in_parts,
    "tensor_split": choosing.in_parts, "unsafe_chunk": choosing.in_parts, "unsafe_split": choosing.in_parts,
    "hsplit": choosing.split_along((1, 0)), "vsplit": choosing.split_along((0, 0)), "dsplit": choosing.split_along((2, 2)),
    "unbind": choosing.unbound, "iter": choosing.unbound, "squeeze": _squeezed, "unsqueeze": _unsqueezed,
    "repeat": choosing.repeated, "tile": choosing.repeated, "flip": choosing.flipped, "rot90": choosing.turned,
    "fliplr": lambda mark, out: choosing.flipped(mark, out, 1), "flipud": lambda mark, out: choosing.flipped(mark, out, 0),
    "diagonal": choosing.diagonal, "one_hot": choosing.one_hot, "view_as_real": _complex, "view_as_complex": _complex,
    "transformer_encoder_layer_fwd": _statistics,
}  # fmt: skip
RULES: dict[str, CallRule] = {
    **dict.fromkeys(CELL_BY_CELL.split(), cell_by_cell),
    **dict.fromkeys(SAME_ORDER.split(), _first(_same_order, unmixed=True)),
    **dict.fromkeys(AS_IT_IS.split(), _first(choosing.expanded, unmixed=True)),
    **{name: _first(partial(_turned, order)) for name, order in ORDERS.items()},
    **dict.fromkeys(REDUCED.split(), _first(_reduced)),
    **{name: _first(rule) for name, rule in OTHERS.items()},
    **dict.fromkeys(BY_CONTENT.split(), partial(_unknown, choosing.BY_CONTENT)),
    **{name: partial(_unknown, f"{name}, which reads at places that the network computes") for name in PLACES.split()},
    "linear": _first(_linear, weighs=True),
    **{f"conv{d}d": _first(partial(windows.conv, d), weighs=True) for d in (1, 2, 3)},
    **{f"conv_transpose{d}d": _first(partial(windows.conv_transposed, d), weighs=True) for d in (1, 2, 3)},
    **{f"max_pool{d}d{more}": _first(partial(windows.pool, d)) for d in (1, 2, 3) for more in ("", "_with_indices")},
    **{f"max_unpool{d}d": _first(partial(windows.unpooled, d)) for d in (1, 2, 3)},
    **{f"avg_pool{d}d": _first(partial(windows.avg_pool, d)) for d in (1, 2, 3)},
    **{f"lp_pool{d}d": _first(partial(windows.lp_pool, d)) for d in (1, 2, 3)},
    **{f"adaptive_{kind}_pool{d}d{more}": _first(partial(windows.adaptive, d)) for d in (1, 2, 3)
       for kind, more in (("avg", ""), ("max", ""), ("max", "_with_indices"))},
    **dict.fromkeys(("max", "min"), _larger),
    **dict.fromkeys(("matmul", "mm", "bmm", "mv", "dot"), products.matrices), "rmatmul": products.reversed_matrices,
    **dict.fromkeys(("addmm", "baddbmm", "addmv", "addbmm"), products.added_matrices),
    "inner": products.inner, "outer": products.outer, "ger": products.outer, "tensordot": products.tensordot,
    "einsum": products.einsum, "cdist": products.distances, "bilinear": products.bilinear,
    "scaled_dot_product_attention": products.attended, "multi_head_attention_forward": products.multi_head,
    "native_multi_head_attention": products.native_multi_head,
    **dict.fromkeys(("lstm", "gru", "rnn_tanh", "rnn_relu"), products.recurrent),
    **dict.fromkeys(("lstm_cell", "gru_cell", "rnn_tanh_cell", "rnn_relu_cell"), products.recurrent_cell),
    "pack_padded_sequence": products.packed, "pad_packed_sequence": products.unpacked,
    **dict.fromkeys(("cat", "concat", "concatenate"), _cat), "stack": _stacked, "cosine_similarity": _similar,
    "getitem": choosing.indexed, "index_select": choosing.index_selected,
    "gather": choosing.gathered, "take_along_dim": choosing.taken_along, "repeat_interleave": choosing.repeated_each,
    "setitem": _set, "index_put": _set, "masked_scatter": writing.scattered, "index_copy": writing.index_copied,
    **operators.OF_ALL, **{name: _first(rule) for name, rule in operators.OF_THE_FIRST.items()},
    "convolution": _first(operators.convolution, weighs=True),
    "native_layer_norm": _first(operators.with_statistics(_layer_norm)),
    "native_group_norm": _first(operators.with_statistics(_statistics)),
    "native_batch_norm_legit_no_training": _first(operators.with_statistics(_same_order)),
    "to_copy": _first(choosing.expanded, unmixed=True), "grid_sampler_2d": _sampled,
    "embedding": _looked_up, "copy": _copied, "grid_sample": _sampled, "grid_sampler": _sampled,
}  # fmt: skip
