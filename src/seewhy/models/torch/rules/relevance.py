"""Layer-wise relevance propagation in torch: every layer hands down relevance while a block runs.

What travels back is relevance over activation, R / a: then additions, pooling, reshaping and concatenation need no rule of
their own, since their plain gradient shares relevance out as LRP wants it, and a * g is the relevance at every layer.  So
does a softmax's: x (R - s sum R) over x, with R = s g, is its gradient.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from weakref import ref

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from seewhy.errors import NotApplicable
from seewhy.models.rule import Relevance
from seewhy.models.torch.passes.backward import WITHOUT
from seewhy.models.torch.passes.graph import SLOPELESS, between, kind_of, rests_on_image
from seewhy.models.torch.passes.torch_calls import known_as, spelled, version_of
from seewhy.models.torch.scores import is_distribution, plain

from .batch_norm import PARAMETERS, arguments, scale_and_shift
from .products import MATRIX_PRODUCTS, conserving
from .relus import CLAMP, CLAMP_MIN, HARDTANH, LEAKY, RELU, RELU6, THRESHOLD, overwrites, relu_call
from .shares import shared
from .unfused import STEPS

CONVS = spelled("conv1d", "conv2d", "conv3d")
UNCONVS = spelled("conv_transpose1d", "conv_transpose2d", "conv_transpose3d")
SMOOTH = spelled("silu", "gelu", "mish", "hardswish", "tanh", "tanh_", "softsign")
GATES = spelled("sigmoid", "sigmoid_", "hardsigmoid")  # what they weigh is relevant
ERFS = spelled("erf", "erf_")  # the gates of a GELU written by hand
UNRULED = {  # linear layers that are none of torch's, and what hides a product or the batch's own statistics
    **dict.fromkeys(MATRIX_PRODUCTS | spelled("addmm", "baddbmm"), "matrix product"),
    **{fn: name for name in ("einsum", "addcmul", "addcdiv") for fn in spelled(name)},
    **dict.fromkeys(spelled("instance_norm"), "InstanceNorm"),
}
ADDITIONS = spelled("add", "__add__", "add_", "__iadd__")
COPIES = spelled("clone", "contiguous", "detach", "requires_grad_")
PLAIN = (  # graph nodes whose plain gradient shares relevance out in proportion
    "Accumulate", "Add", "Addmm", "AdaptiveAvgPool", "AdaptiveMaxPool", "Alias", "Amax", "Amin", "AsStrided", "AvgPool", "Cat",
    "ChannelShuffle", "Chunk", "Clone",
    "ConstantPad", "Convolution", "CopyBackwards", "CopySlices", "Div", "Expand", "Flip", "Gather", "Index",
    "MaxPool", "Max", "Mean", "MkldnnMaxPool", "Mm", "Mul", "Narrow", "NativeBatchNorm", "CudnnBatchNorm", "MiopenBatchNorm",
    "Neg", "PermuteBackward", "PixelShuffle", "PixelUnshuffle", "Reflection", "Repeat", "Replication", "Reshape", "Roll",
    "Select", "Slice", "Split", "Squeeze", "Stack", "Sub", "Sum", "Swap", "TBackward", "To", "Transpose", "Unbind", "Unsafe",
    "Unsqueeze", "Upsample", "View", "Where", "Bmm", "Linear", "Dropout", "Detach", "Unfold", "Im2Col", "Col2Im", "Movedim",
    "Cumsum", "Diagonal", "GridSampler", "MaskedFill", "MaskedScatter", "MaskedSelect", "NanToNum", "Rot90", "ScatterAdd",
    "ScatterBackward", "Sort", "Take", "Topk", "Tril", "Triu",
)  # fmt: skip
PLACING = (  # graph nodes that put values elsewhere, and change none
    "Alias", "Clone", "ConstantPad", "Flip", "Movedim", "Permute", "PixelUnshuffle", "Reshape", "Roll", "Squeeze", "Swap",
    "TBackward", "To", "Transpose", "Unsafe", "Unsqueeze", "View",
)  # fmt: skip
BILINEAR = (  # linear only while one factor is fixed
    "Mul", "Mm", "Bmm", "Div", "Addmm", "Convolution", "Linear", "Baddbmm", "Addbmm", "Addmv", "Addcmul", "Addcdiv", "Mv",
    "Dot", "GridSampler", "ScaledDotProduct",
)  # fmt: skip
HOMOGENEOUS = ("LinalgVectorNorm", "Norm")  # |x| is the sum of x times x / |x|
RULED = "convolutions, linear layers, BatchNorm, activations, pooling and additions"


class WeightedOutput(NamedTuple):
    """The latest output of a layer with weights, and how it was made: a BatchNorm right behind it becomes part of it."""

    z: Tensor
    fn: Any
    x: Tensor
    w: Tensor
    b: Tensor | None
    rest: tuple[Any, ...]
    named: dict[str, Any]
    version: int  # of z, which an activation in place would raise


class Propagation(TorchFunctionMode):
    """While it is entered, layers share out relevance by `rule`."""

    def __init__(self, rule: Relevance) -> None:
        super().__init__()
        self.rule = rule
        self.latest: WeightedOutput | None = None
        self.unruled: Counter[str] = Counter()
        self.origins: dict[int, tuple[Any, object]] = {}  # of a tensor by its id: a weak reference, and what all copies share
        self.first: set[Any] = set()  # nodes of the graph: where layers that read the image itself share out to it
        self.aside: dict[object, str] = {}  # origins that relevance goes past, and why

    def __torch_function__(self, fn: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        fn, kwargs = known_as(fn), kwargs or {}
        if self.rule.attention and torch.is_grad_enabled():
            if fn in STEPS:
                with self:
                    return STEPS[fn](*args, **kwargs)
            if (out := conserving(fn, args, kwargs)) is not None:
                return out
        if fn in CONVS or fn in UNCONVS or fn is F.linear:
            x, w, b, *rest = _weighted(args, kwargs)
            self.unruled["layer whose weights are made of the image"] += rests_on_image(w)
            return self._layer(fn, x, w.detach(), b if b is None else b.detach(), *rest)
        if fn in PARAMETERS:
            return self._normalised((), arguments(args, kwargs, fn))
        if fn in COPIES:
            copy = fn(*args, **kwargs)
            if self.latest is not None and args[0] is self.latest.z:
                self.latest = self.latest._replace(z=copy, version=version_of(copy))
            self.origins[id(copy)] = (ref(copy), self._origin(args[0]))
            return copy
        if fn in UNRULED and not self.rule.attention:
            self.unruled[UNRULED[fn]] += any(isinstance(a, Tensor) and rests_on_image(a) for a in args)
        if fn in ADDITIONS and not self.rule.bias and (sum_ := _parts(fn, args, kwargs)) is not None:
            return sum_
        if fn in GATES or (fn in ERFS and self.rule.attention):
            gate = fn(*args, **kwargs).detach()
            self.aside[self._origin(gate)] = "is a gate, which relevance does not enter: read what it weighs"
            return gate
        over = activation(fn, args, kwargs)
        return fn(*args, **kwargs) if over is None else _kept_by_activation(fn, args, kwargs, over)

    def _layer(self, fn: Any, x: Tensor, w: Tensor, b: Tensor | None, rest: Any, named: Any) -> Tensor:
        by, at = self.rule.dense if fn is F.linear else self.rule.conv, x
        graphed = torch.is_grad_enabled() and x.requires_grad
        if first := graphed and bool(self.rule.first) and self._reads_image(x):
            at, by = self._units(x), by if self.rule.first == "z-box" and fn is F.linear else self.rule.first
        by_output = by == "epsilon" and self.rule.bias and not first  # shared out by the very output
        with torch.set_grad_enabled(torch.is_grad_enabled() and by_output):
            out = z = fn(x, w, b, *rest, **named)
        if graphed:
            shares = (
                [(1.0, z)] if by_output else shared(by, self.rule, lambda x, w, b: fn(x, w, b, *rest, **named), x, at, w, b)
            )
            out = self._rated(z, shares)
        self.latest = WeightedOutput(out, fn, x, w, b, rest, named, version_of(out))
        return out

    def _rated(self, z: Tensor, shares: Sequence[tuple[float, Tensor]]) -> Tensor:
        """The output z, whose relevance goes back over what it is shared out by, so many times over each."""
        out = z.detach()
        for times, share in shares:
            with torch.no_grad():
                below = plain(share)
                above = plain(z) if self.rule.bias else away_from_zero(plain(z))
                ratio = times * above / (below + torch.where(below < 0, -1, 1) * self.rule.epsilon)
                ratio = (ratio.nan_to_num(0, 0, 0) if self.rule.epsilon == 0 else ratio).to(z.dtype)
            out = out + (share - share.detach()) * ratio
        return out

    def _reads_image(self, x: Tensor) -> bool:
        """Is x the image itself, at most put elsewhere?"""
        node = x.grad_fn
        while node is not None and kind_of(node).startswith(PLACING):
            node = next((before for before, _ in node.next_functions if before is not None), None)
        leaf = getattr(node, "variable", None)
        return (leaf is not None and not isinstance(leaf, nn.Parameter)) or (x.is_leaf and not isinstance(x, nn.Parameter))

    def _units(self, x: Tensor) -> Tensor:
        """x as ones times it: what comes back to the ones, and as that to the image, is its relevance itself."""
        change = x - x.detach()
        self.first.add(change.grad_fn)
        return 1 + change

    def _check_first(self, way: set[Any], leaves: Sequence[Tensor]) -> None:
        """NotApplicable where the image goes another way than through layers that read it themselves."""
        users: dict[Any, list[Any]] = {}
        for user in way:
            for before, _ in user.next_functions:
                users.setdefault(before, []).append(user)
        waiting = [node for node in way if any(getattr(node, "variable", None) is leaf for leaf in leaves)]
        while waiting:
            for user in users.get(waiting.pop(), []):
                if kind_of(user).startswith(PLACING):
                    waiting.append(user)
                elif user not in self.first:
                    what = kind_of(user).removesuffix("Backward")
                    raise NotApplicable(
                        f"The {self.rule.first} rule is one for layers that read the image itself, and here {what} reads it, "
                        "such as a normalisation inside the network. Wrap the part behind it, or take a composite without it."
                    )

    def _normalised(self, args: Any, kwargs: Any) -> Tensor:
        given = arguments(args, kwargs)
        z, latest = given["input"], self.latest
        fixed = given["running_mean"] is not None and not given.get("training")
        behind = latest is not None and _is(z, latest.z) and version_of(z) == latest.version and latest.fn not in UNCONVS
        if not fixed:
            self.unruled["BatchNorm by the batch's own statistics"] += rests_on_image(z)
        if latest is None or not behind or not fixed or not z.requires_grad:
            plainly = self.rule.bias or not z.requires_grad  # affine, by its plain gradient; or its bias takes no share
            return F.batch_norm(*args, **kwargs) if plainly else _kept_by_activation(F.batch_norm, args, kwargs, False)
        self.aside[self._origin(z)] = "and the BatchNorm behind it are one layer to relevance: read the BatchNorm"
        with torch.no_grad():
            scale, shift = scale_and_shift(given)
            w = latest.w * scale.reshape(-1, *[1] * (latest.w.ndim - 1))
            b = shift if latest.b is None else latest.b * scale + shift
        return self._layer(latest.fn, latest.x, w, b, latest.rest, latest.named)

    def _origin(self, x: Tensor) -> object:
        """What x shares with its copies."""
        known, origin = self.origins.get(id(x), (None, None))
        if known is None or known() is not x or origin is None:
            origin = object()
            self.origins[id(x)] = (ref(x), origin)
        return origin

    def notes(self, scores: Tensor, leaves: Sequence[Tensor]) -> tuple[str, ...]:
        """NotApplicable where the network holds what no rule is known for."""
        way = {*between(scores, leaves)}
        known = (*PLAIN, *HOMOGENEOUS, "Softmax") if self.rule.attention else PLAIN
        if self.rule.first:
            self._check_first(way, leaves)
        strange = Counter(kind for node in way if (kind := kind_of(node)) and not shares(node, kind, way, known))
        strange.update({what: count for what, count in self.unruled.items() if count})
        if not scores.requires_grad and self.aside:
            strange["sigmoids that cut every way to the image"] += len(self.aside)
        if strange:
            what = ", ".join(f"{count} {kind.removesuffix('Backward')}" for kind, count in strange.most_common(4))
            also = f"{RULED}, attention, norms and products of activations" if self.rule.attention else RULED
            more = "" if self.rule.attention else " attn-lrp knows attention, norms and products of activations, too;"
            other = (
                WITHOUT if any(kind.startswith(SLOPELESS) for kind in strange) else "integrated-gradients has no such limit."
            )
            raise NotApplicable(
                f"Relevance propagation knows {also}; on the way of this network lie also {what}.{more} {other}"
            )
        if self.rule.attention and scores.ndim == 2 and is_distribution(scores):
            raise NotApplicable("Relevance is shared out from logits; this network ends in a softmax. Wrap the part before it.")
        return ()

    def check(self, layers: Mapping[str, Tensor]) -> None:
        """NotApplicable where a layer is read that relevance goes past."""
        for name, activation in layers.items():
            if why := self.aside.get(self._origin(activation)):
                raise NotApplicable(f"{name} {why}.")


def shares(node: Any, kind: str, way: set[Any], known: tuple[str, ...] = PLAIN) -> bool:
    """Does its plain gradient, times what came in, add up to that of what came out, but for constants that were added?"""
    if kind.startswith(BILINEAR):
        return sum(before in way for before, _ in node.next_functions) < 2
    return kind.startswith(known)


def away_from_zero(x: Tensor) -> Tensor:
    """So that relevance over it is finite: where a score is exactly zero, its class still was asked for."""
    return torch.where(x.abs() < 1e-12, 1e-12, x)


def _is(x: Tensor, z: Tensor) -> bool:
    """Is it z, or a view of it that was turned and turned back?"""
    return x is z or (x._base is z and x.shape == z.shape and x.stride() == z.stride() and x.data_ptr() == z.data_ptr())


def _weighted(args: Any, kwargs: Any) -> tuple[Tensor, Tensor, Tensor | None, tuple[Any, ...], dict[str, Any]]:
    given = list(args)
    named = dict(kwargs)
    for key in ("input", "weight", "bias")[len(given) :]:
        given.append(named.pop(key, None))
    x, w, b, *rest = given
    return x, w, b, tuple(rest), named


def activation(fn: Any, args: Any, kwargs: Any) -> bool | None:
    """None for what is no activation; else, whether it writes over its input."""
    known = fn in RELU or fn in RELU6 or fn in HARDTANH or fn in THRESHOLD or fn in LEAKY or fn in CLAMP or fn in CLAMP_MIN
    if known or fn in SMOOTH:
        relu = relu_call(fn, args, kwargs)
        if relu is not None:
            return relu.inplace
        if fn in SMOOTH:
            return overwrites(fn, args, kwargs)
    return None


def _parts(fn: Any, args: Any, kwargs: Any) -> Tensor | None:
    """A sum of two branches, of which only what has the sum's own sign takes a share, so that no share exceeds one."""
    a, b = args if len(args) == 2 and not kwargs else (None, None)
    if not (isinstance(a, Tensor) and isinstance(b, Tensor) and a.shape == b.shape and a.requires_grad and b.requires_grad):
        return None
    with torch.no_grad():
        z = a + b
        of_a, of_b = (a * z > 0).to(z.dtype), (b * z > 0).to(z.dtype)
        both = a * of_a + b * of_b
        ratio = torch.where(both == 0, 0, z / torch.where(both == 0, 1, both))
    before = a.clone() if fn in (Tensor.add_, Tensor.__iadd__) else a
    shared = before * of_a + b * of_b
    out = z + (shared - shared.detach()) * ratio
    return a.copy_(out) if before is not a else out


def _kept_by_activation(fn: Any, args: Any, kwargs: Any, over: bool) -> Tensor:
    """An activation keeps relevance: R / x = (R / y) (y / x)."""
    x = args[0] if args else kwargs["input"]
    before = x.clone() if over else x
    with torch.no_grad():
        y = fn(*args, **kwargs)
        y = y.clone() if over else y
        ratio = torch.where(before == 0, 0.0, y / torch.where(before == 0, 1.0, before))
    out = y + (before - before.detach()) * ratio
    return x.copy_(out) if over else out
