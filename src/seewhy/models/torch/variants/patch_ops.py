"""What each operation does to copies of a map that differ from it in one box each.

A handler takes `replay`, which gives results on the unchanged map, the operation, and its arguments with Boxes in place of
the copies. It returns Boxes, a list of them, or None where it does not know: then the copies are computed in full.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from seewhy.models.torch.passes.torch_calls import spelled

from .patch_windows import CONVS, MAX_POOLS, MEAN_POOLS, SWITCHED, convolved, max_pooled, mean_pooled, padded
from .patches import Boxes, Result, Unchanged, cut, grown, lasting, outer, paste

T = Tensor


class BoxOperation(NamedTuple):
    """An operation that can be done on boxes."""

    handler: Callable[..., Result]
    returns: Literal["new", "view", "itself", "written"] = "new"  # a view shares memory with its input


def pointwise(replay: Unchanged, fn: Any, *args: Any, plain: Any = None, **kwargs: Any) -> Result:
    """Every value by itself, or with numbers and tensors that are the same everywhere in space; plain: fn not in place."""
    arguments = [*args, *kwargs.values()]
    parts = [a for a in arguments if isinstance(a, Boxes)]
    if not all(_fits(a, parts[0]) for a in arguments):
        return None
    at, sizes = outer(parts)
    of_base, named = _each(lambda x: x.base, args, kwargs)
    named.pop("inplace", None)
    base = replay(plain or fn, *of_base, **named)
    of_patch, named = _each(lambda x: grown(replay, x, at, sizes), args, kwargs)
    return Boxes(base, fn(*of_patch, **named), at)


def _fits(a: Any, x: Boxes) -> bool:
    if isinstance(a, Boxes):
        return a.base.ndim == x.base.ndim and a.space == x.space and a.base.dtype == x.base.dtype
    if isinstance(a, Tensor):
        if a.dtype != x.base.dtype and a.ndim > 0:  # in place, the map would keep its own
            return False
        shape = (1,) * (x.base.ndim - a.ndim) + tuple(a.shape)
        return len(shape) == x.base.ndim and shape[0] == 1 and all(n == 1 for n in shape[len(shape) - x.d :])
    return a is None or isinstance(a, bool | int | float | str | torch.dtype | torch.device | torch.memory_format)


def _each(of: Callable[[Boxes], Tensor], args: Any, kwargs: Any) -> tuple[list[Any], dict[str, Any]]:
    """The arguments with a tensor in place of Boxes."""
    tensors = [of(a) if isinstance(a, Boxes) else a for a in args]
    return tensors, {key: of(a) if isinstance(a, Boxes) else a for key, a in kwargs.items()}


def normalised(
    replay: Unchanged, fn: Any, input: Boxes, mean: Any, var: Any, weight: Any = None, bias: Any = None, training: bool = False,
    *rest: Any, **kwargs: Any,
) -> Result:  # fmt: skip
    """BatchNorm with fixed statistics."""
    if training or not input.has_channels(input.d):
        return None
    args = (mean, var, weight, bias, training, *rest)
    return Boxes(replay(fn, input.base, *args, **kwargs), fn(input.patch, *args, **kwargs), input.at)


def by_channel(replay: Unchanged, fn: Any, input: Any, *args: Any, **kwargs: Any) -> Result:
    """What treats every place alike, and knows the channel."""
    arguments = [*args, *kwargs.values()]
    if not isinstance(input, Boxes) or not input.has_channels(input.d) or any(isinstance(a, Boxes) for a in arguments):
        return None
    return Boxes(replay(fn, input.base, *args, **kwargs), fn(input.patch, *args, **kwargs), input.at)


def concatenated(replay: Unchanged, fn: Any, tensors: Any, dim: int = 0) -> Result:
    first = tensors[0]
    if not all(isinstance(x, Boxes) and _fits(x, first) for x in tensors) or not _is_lead(first, dim):
        return None
    base = replay(fn, [x.base for x in tensors], dim)
    at, sizes = outer(tensors)
    if all(x.sizes == sizes and np.array_equal(x.at, at) for x in tensors) or first.base.ndim != first.d + 2:
        return Boxes(base, fn([grown(replay, x, at, sizes) for x in tensors], dim), at)
    patch = cut(replay(lasting, base, first.d), at, sizes)
    for part, x in zip(patch.split([x.base.shape[1] for x in tensors], 1), tensors, strict=True):
        paste(part, x.patch, x.at - at)
    return Boxes(base, patch, at)


def _is_lead(x: Boxes, dim: Any, more: int = 0) -> bool:
    """Whether an axis lies between the copies and space; more: axes that the operation adds."""
    ndim = x.base.ndim + more
    return isinstance(dim, int) and 1 <= (dim + ndim if dim < 0 else dim) < ndim - x.d


def along_lead(replay: Unchanged, fn: Any, input: Any, *args: Any, place: int, more: int = 0, **kwargs: Any) -> Result:
    """What cuts or turns only axes between the copies and space; place: which argument names the axis."""
    dim = args[place] if len(args) > place else kwargs.get("dim", 0)
    return _both(replay, fn, input, *args, **kwargs) if isinstance(input, Boxes) and _is_lead(input, dim, more) else None


def turned(replay: Unchanged, fn: Any, input: Any, dim0: int, dim1: int) -> Result:
    possible = isinstance(input, Boxes) and _is_lead(input, dim0) and _is_lead(input, dim1)
    return _both(replay, fn, input, dim0, dim1) if possible else None


def indexed(replay: Unchanged, fn: Any, input: Any, index: Any) -> Result:
    index = index if isinstance(index, tuple) else (index,)
    possible = all(i is None or isinstance(i, slice) or type(i) is int for i in index) and index[:1] == (slice(None),)
    if not possible or not isinstance(input, Boxes) or sum(i is not None for i in index) > input.base.ndim - input.d:
        return None
    return _both(replay, fn, input, index)


def _both(replay: Unchanged, fn: Any, input: Boxes, *args: Any, **kwargs: Any) -> Result:
    base, patch = replay(fn, input.base, *args, **kwargs), fn(input.patch, *args, **kwargs)
    if isinstance(base, Tensor):
        return Boxes(base, patch, input.at)
    return [Boxes(b, p, input.at) for b, p in zip(base, patch, strict=True)]


def reshaped(replay: Unchanged, fn: Any, input: Any, *shape: Any) -> Result:
    """Only the axes between the copies and space."""
    sizes = list(shape[0] if len(shape) == 1 and isinstance(shape[0], tuple | list) else shape)
    if not isinstance(input, Boxes) or not all(type(n) is int for n in sizes) or len(sizes) <= input.d:
        return None
    if -1 in sizes:
        rest = -int(np.prod(sizes))
        sizes[sizes.index(-1)] = int(np.prod(input.shape)) // rest if rest > 0 else -1
    if sizes[0] != len(input.patch) or tuple(sizes[len(sizes) - input.d :]) != input.space:
        return None
    lead = sizes[1 : len(sizes) - input.d]
    base = replay(torch.reshape, input.base, (1, *lead, *input.space))
    return Boxes(base, input.patch.reshape(len(input.patch), *lead, *input.sizes), input.at)


def unchanged(replay: Unchanged, fn: Any, input: Any, p: float = 0.5, training: bool = True, inplace: bool = False) -> Result:
    """Dropout, where nothing is dropped, hands its input on."""
    return None if training else input


_BY_VALUE = (
    "abs", "add", "celu", "clamp", "clamp_max", "clamp_min", "clip", "clone", "cos", "div", "elu", "erf", "exp", "gelu",
    "hardshrink", "hardsigmoid", "hardswish", "hardtanh", "leaky_relu", "log", "log1p", "logsigmoid", "maximum",
    "minimum", "mish", "mul", "neg", "pow", "reciprocal", "relu", "relu6", "rsqrt", "rsub", "selu", "sigmoid", "sign",
    "silu", "sin", "softplus", "softshrink", "softsign", "sqrt", "square", "sub", "tanh", "tanhshrink", "threshold",
    "true_divide", "__abs__", "__add__", "__mul__", "__neg__", "__pow__", "__radd__", "__rdiv__", "__rmul__", "__rpow__",
    "__rsub__", "__rtruediv__", "__sub__", "__truediv__", "multiply", "subtract", "divide",
)  # fmt: skip
_IN_PLACE = {"__iadd__": "__add__", "__isub__": "__sub__", "__imul__": "__mul__", "__itruediv__": "__truediv__"}
_OWNERS = (torch, T, F)


def _operations() -> dict[Any, BoxOperation]:
    values = {fn: BoxOperation(pointwise) for fn in spelled(*_BY_VALUE)}
    for written, name in {**{f"{name}_": name for name in _BY_VALUE}, **_IN_PLACE}.items():
        for owner in _OWNERS:
            if hasattr(owner, written) and hasattr(owner, name):
                values[getattr(owner, written)] = BoxOperation(partial(pointwise, plain=getattr(owner, name)), "written")
    cuts = {"chunk": 1, "split": 1, "narrow": 0, "select": 0, "unbind": 0, "squeeze": 0}
    return {
        **values,
        **dict.fromkeys(CONVS, BoxOperation(convolved)),
        **dict.fromkeys((*MAX_POOLS, *SWITCHED), BoxOperation(max_pooled)),
        **dict.fromkeys(MEAN_POOLS, BoxOperation(mean_pooled)),
        F.batch_norm: BoxOperation(normalised),
        **dict.fromkeys(spelled("prelu", "channel_shuffle"), BoxOperation(by_channel)),
        F.pad: BoxOperation(padded),
        **dict.fromkeys((torch.cat, torch.concat, torch.concatenate), BoxOperation(concatenated)),
        **{fn: BoxOperation(partial(along_lead, place=place), "view") for name, place in cuts.items() for fn in spelled(name)},
        **dict.fromkeys(spelled("unsqueeze"), BoxOperation(partial(along_lead, place=0, more=1), "view")),
        **dict.fromkeys(spelled("transpose", "swapaxes"), BoxOperation(turned, "view")),
        T.__getitem__: BoxOperation(indexed, "view"),
        **dict.fromkeys((T.view, T.reshape, torch.reshape), BoxOperation(reshaped, "view")),
        **dict.fromkeys((T.contiguous, T.detach, T.float, T.double, T.to), BoxOperation(pointwise, "view")),
        **dict.fromkeys((F.dropout, F.dropout1d, F.dropout2d, F.dropout3d, F.alpha_dropout), BoxOperation(unchanged, "itself")),
    }


ORDERS = spelled("movedim", "moveaxis", "permute")  # which put channels last, and first again
OPERATIONS = {**_operations(), **dict.fromkeys(ORDERS, BoxOperation(unchanged, "view"))}
