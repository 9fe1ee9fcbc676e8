"""How each call of torch carries the codes of tokens on; what a call without a rule makes counts as a mixture of tokens."""

from collections.abc import Callable, Sequence
from functools import partial
from string import ascii_letters
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.nn import functional as F

from seewhy.models.torch.passes.outputs import tensors_in
from seewhy.models.torch.passes.torch_calls import name_of
from seewhy.models.torch.places.calls import CELL_BY_CELL, ORDERS, SAME_ORDER

from .codes import CONSTANT, Coded, combined, constant, moved, seen_by, summed, thin


class CodesOf(Protocol):
    def __call__(self, tensor: Any, /) -> Coded | None:
        """What a tensor was computed from; None of one that was computed from no token."""
        ...

    def fresh(self, count: int) -> Tensor:
        """Codes of so many tokens of no place, which no other tokens have."""
        ...


Carried = Coded | Sequence[Coded | None] | None
MOVES = frozenset(
    f"{' '.join(ORDERS)} getitem select narrow chunk split split_with_sizes tensor_split unsafe_chunk unsafe_split unbind iter "
    "hsplit vsplit dsplit index_select squeeze unsqueeze repeat tile repeat_interleave flip fliplr flipud rot90 roll "
    "diagonal expand expand_as broadcast_to".split()
)
MAY_BE_ZERO = frozenset(
    ["mul", "imul", "rmul", "multiply", "linear", "matmul", "conv1d", "conv2d", "conv3d"]
)  # which may make nothing but zeros


def carried(of: CodesOf, fn: Any, args: Any, kwargs: Any, out: Any) -> Carried:
    """What the results of a call were computed from.  Raises where no rule tells."""
    name = name_of(fn).partition(".")[0].strip("_")
    if name in MOVES:
        return _moved(of, fn, args, kwargs)
    options = {key: value for key, value in kwargs.items() if key not in ("input", "out")}
    return RULES[name](of, out, *((kwargs["input"],) if "input" in kwargs else ()), *args, **options)


def _moved(of: CodesOf, fn: Any, args: Any, kwargs: Any) -> Carried:
    x, *rest = args if args else (kwargs["input"],)
    options = {key: value for key, value in kwargs.items() if key not in ("input", "out")}
    if name_of(fn) != "expand_as" and any(of(value) is not None for value in tensors_in([rest, options])):
        raise NotImplementedError  # what is chosen is computed from tokens
    coded = of(x)
    return None if coded is None else moved(coded, x.shape, lambda codes: fn(codes, *rest, **options))


def _cell_by_cell(of: CodesOf, out: Any, *args: Any, **kwargs: Any) -> Carried:
    known = [coded for value in (*args, *kwargs.values()) if isinstance(value, Tensor) and (coded := of(value)) is not None]
    if not known or not isinstance(out, Tensor):
        raise NotImplementedError
    return combined([_wide(coded, out.ndim) for coded in known]) if len(known) > 1 else _wide(known[0], out.ndim)


def _wide(coded: Coded, count: int) -> Coded:
    """The same of a tensor that is broadcast to more dimensions."""
    if coded.codes.ndim == count:
        return coded
    sides = [None if side is None else side.reshape(*[1] * (count - side.ndim), *side.shape) for side in coded[:2]]
    return Coded(sides[0], sides[1], coded.seen)  # pyright: ignore[reportArgumentType]


def _first(of: CodesOf, out: Tensor, x: Any, *_: Any, **__: Any) -> Carried:
    """The rule of calls that change the type, or nothing."""
    coded = of(x)
    return coded if coded is None or out.shape == x.shape else moved(coded, x.shape, lambda codes: codes.expand(out.shape))


def _regrouped(of: CodesOf, out: Tensor, x: Tensor, *_: Any, **__: Any) -> Carried:
    coded = of(x)
    return None if coded is None else moved(coded, x.shape, lambda codes: codes.reshape(out.shape))


def _joined(of: CodesOf, out: Tensor, tensors: Sequence[Tensor], dim: int = 0, *, axis: int | None = None, **_: Any) -> Carried:
    """The rule of concatenation: what is computed from no token, as a class token is, becomes a token of its own."""
    j = (dim if axis is None else axis) % out.ndim
    parts = [(tensor, of(tensor)) for tensor in tensors if tensor.ndim == out.ndim]
    known = [coded for _, coded in parts if coded is not None]
    if any(coded.pairs is not None for coded in known):
        raise NotImplementedError
    row = any(coded.codes.shape[j] > 1 for coded in known)
    made = []
    for tensor, coded in parts:
        codes = coded.codes if coded is not None else constant(out)
        if row and bool((codes == CONSTANT).all()):
            codes = of.fresh(tensor.shape[j]).reshape([-1 if i == j else 1 for i in range(out.ndim)])
        made.append(codes.expand(tensor.shape))
    return Coded(thin(torch.cat(made, j)), None, seen_by(known))


def _stacked(of: CodesOf, out: Tensor, tensors: Sequence[Tensor], dim: int = 0, **_: Any) -> Carried:
    known = [of(tensor) for tensor in tensors]
    parts = [coded.codes if coded is not None else constant(tensor) for coded, tensor in zip(known, tensors, strict=True)]
    there = [coded for coded in known if coded is not None]
    if any(coded.pairs is not None for coded in there):
        raise NotImplementedError
    made = torch.stack([codes.expand(tensor.shape) for codes, tensor in zip(parts, tensors, strict=True)], dim)
    return Coded(thin(made), None, seen_by(there))


def _padded(of: CodesOf, _out: Tensor, x: Tensor, pad: Any, mode: str = "constant", value: Any = None, **_: Any) -> Carried:
    coded = of(x)
    if coded is None or mode != "constant":
        raise NotImplementedError
    return moved(coded, x.shape, lambda codes: F.pad(codes, pad, value=CONSTANT))


def _over(coded: Coded, dims: Sequence[int], keep: bool = True) -> Coded:
    """The same after a sum over dimensions, which then are of size 1, or gone."""
    if coded.pairs is not None and any(side.shape[j] > 1 for side in (coded.codes, coded.pairs) for j in dims):
        raise NotImplementedError  # a sum over queries or keys
    sides = [None if side is None else summed(side, dims) for side in (coded.codes, coded.pairs)]
    gone = sorted({j % coded.codes.ndim for j in dims}, reverse=True)
    for j in gone if not keep else ():
        sides = [None if side is None else side.squeeze(j) for side in sides]
    return Coded(sides[0], sides[1], coded.seen)  # pyright: ignore[reportArgumentType]


def _reduced(of: CodesOf, out: Any, x: Tensor, dim: Any = None, *_: Any, axis: Any = None, **__: Any) -> Carried:
    dims = dim if axis is None else axis
    coded, first = of(x), out if isinstance(out, Tensor) else out[0]
    if coded is None or isinstance(dim, Tensor):
        raise NotImplementedError
    if coded.pairs is not None and first.dtype == torch.bool and dims in (-1, x.ndim - 1):  # of a mask, for each query
        coded = coded._replace(pairs=None)
    over = range(x.ndim) if dims is None or isinstance(dims, bool) or dims == () else [dims] if isinstance(dims, int) else dims
    made = _over(coded, [*over], first.ndim == x.ndim)
    return made if isinstance(out, Tensor) else [made] * len(out)


def _shares(of: CodesOf, _out: Tensor, x: Tensor, dim: Any = None, *_: Any, **__: Any) -> Carried:
    """The rule of a softmax: over the keys of weights, or over numbers of one token."""
    coded = of(x)
    if coded is None or not isinstance(dim, int):
        raise NotImplementedError
    if dim % x.ndim == x.ndim - 1 and (coded.pairs is not None or coded.codes.shape[-1] > 1):
        return (
            coded if coded.pairs is not None else Coded(constant(x), coded.codes, coded.seen)
        )  # of queries that are no tokens
    return _over(coded, [dim])


def _normalized(of: CodesOf, out: Tensor, x: Tensor, p: Any = 2, dim: int = 1, *_: Any, **__: Any) -> Carried:
    return _shares(of, out, x, dim)


def _normed(of: CodesOf, _out: Tensor, x: Tensor, shape: Any, *_: Any, **__: Any) -> Carried:
    """The rule of layer_norm and rms_norm."""
    coded = of(x)
    if coded is None:
        raise NotImplementedError
    return _over(coded, [*range(-len(shape), 0)])


def _batch_normed(
    of: CodesOf, _out: Tensor, x: Tensor, mean: Any, var: Any, weight: Any = None, bias: Any = None,
    training: bool = False, *_: Any, **__: Any,
) -> Carried:  # fmt: skip
    if training or mean is None:
        raise NotImplementedError
    return of(x)


def _linear(of: CodesOf, _out: Tensor, x: Tensor, weight: Tensor, bias: Any = None) -> Carried:
    coded = of(x)
    if coded is None or of(weight) is not None:
        raise NotImplementedError
    return _over(coded, [-1])


def _convolved(d: int, of: CodesOf, out: Tensor, x: Tensor, weight: Tensor, *_: Any, **__: Any) -> Carried:
    """The rule of convolutions of single cells."""
    if any(side > 1 for side in weight.shape[2:]) or out.shape[-d:] != x.shape[-d:]:
        raise NotImplementedError
    coded = of(x)
    if coded is None or of(weight) is not None:
        raise NotImplementedError
    return _over(coded, [x.ndim - d - 1])


def _product(of: CodesOf, out: Tensor, a: Tensor, b: Tensor, *_: Any, **__: Any) -> Carried:
    """The rule of matmul and bmm: of tokens and weights, of queries and keys, or of the weights of an attention and values."""
    if min(a.ndim, b.ndim) < 2:
        raise NotImplementedError
    lead = [f"n{j}" for j in range(max(a.ndim, b.ndim) - 2, 0, -1)]
    return contracted(
        of(a),
        of(b),
        [*lead[len(lead) - a.ndim + 2 :], "q", "sum"],
        [*lead[len(lead) - b.ndim + 2 :], "sum", "k"],
        [*lead, "q", "k"],
    )


def _reversed(of: CodesOf, out: Tensor, b: Tensor, a: Tensor) -> Carried:
    return _product(of, out, a, b)


def _added(of: CodesOf, out: Tensor, to: Tensor, a: Tensor, b: Tensor, *_: Any, **__: Any) -> Carried:
    """The rule of addmm and baddbmm."""
    known = [coded for coded in (of(to), _product(of, out, a, b)) if isinstance(coded, Coded)]
    return combined([_wide(coded, out.ndim) for coded in known])


def _einsum(of: CodesOf, out: Tensor, equation: Any, *operands: Any) -> Carried:
    tensors = operands[0] if len(operands) == 1 and isinstance(operands[0], list | tuple) else operands
    if not isinstance(equation, str) or "." in equation or "->" not in equation or len(tensors) > 2:
        raise NotImplementedError
    read, _, made = equation.replace(" ", "").partition("->")
    names = [[label for label in name if label in ascii_letters] for name in read.split(",")]
    known = [of(tensor) for tensor in tensors]
    if len(names) == 1:
        names, known = [*names, []], [*known, None]
    return contracted(known[0], known[1], names[0], names[1], [*made])


def contracted(a: Coded | None, b: Coded | None, left: Sequence[str], right: Sequence[str], out: Sequence[str]) -> Coded | None:
    """What a sum of products of two tensors was computed from, whose dimensions have these labels, over those not in `out`."""
    if a is None and b is None:
        return None
    if a is None or b is None:
        coded, labels = (a, left) if b is None else (b, right)
        if coded is None or coded.pairs is not None:
            raise NotImplementedError
        return coded._replace(codes=_laid(coded.codes, labels, out))
    if a.pairs is not None or b.pairs is not None:
        raise NotImplementedError  # of weights and values: `Tracing.joined` tells, if that is an attention
    one, other = _laid(a.codes, left, out), _laid(b.codes, right, out)
    own, its = [{*labels} - {*others} for labels, others in ((left, right), (right, left))]
    if not own & {*out} or not its & {*out}:
        return combined([Coded(one, None, a.seen), Coded(other, None, b.seen)])
    return Coded(one, other, a.seen | b.seen)


def _laid(codes: Tensor, labels: Sequence[str], out: Sequence[str]) -> Tensor:
    """Codes whose dimensions have labels, summed up over those that are not in `out`, in its order."""
    if len({*labels}) < len(labels):
        raise NotImplementedError
    codes = summed(codes, [j for j, label in enumerate(labels) if label not in out])
    order = [labels.index(label) for label in out if label in labels]
    gone = [j for j, label in enumerate(labels) if label not in out]
    codes = codes.permute(*order, *gone).flatten(len(order)).squeeze(len(order)) if gone else codes.permute(order)
    for j, label in enumerate(out):
        codes = codes if label in labels else codes.unsqueeze(j)
    return codes


RULES: dict[str, Callable[..., Carried]] = {
    **dict.fromkeys(CELL_BY_CELL.split(), _cell_by_cell),
    **dict.fromkeys(SAME_ORDER.split(), _regrouped),
    **dict.fromkeys(("to", "type_as", "tensor", "as_tensor", "asarray"), _first),
    **dict.fromkeys(["mean", "sum", "amax", "amin", "std", "var", "logsumexp", "all", "any"], _reduced),
    **dict.fromkeys(("cat", "concat", "concatenate"), _joined), "stack": _stacked,
    **dict.fromkeys(("pad", "constant_pad_nd"), _padded), **dict.fromkeys(("softmax", "log_softmax"), _shares),
    "normalize": _normalized, **dict.fromkeys(("layer_norm", "rms_norm"), _normed), "batch_norm": _batch_normed,
    "linear": _linear, **{f"conv{d}d": partial(_convolved, d) for d in (1, 2, 3)},
    **dict.fromkeys(("matmul", "mm", "bmm"), _product), "rmatmul": _reversed,
    **dict.fromkeys(("addmm", "baddbmm"), _added), "einsum": _einsum,
}  # fmt: skip
