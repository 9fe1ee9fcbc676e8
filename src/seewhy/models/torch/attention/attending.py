"""Every attention of a torch network, met while the network runs as it is.

Fused attention gives no weights, so softmax(q k' scale + mask) v takes its place while a block runs, and must give what the
fused one gives.  Attention written out is met where the weights that a softmax made are multiplied with the values.
"""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from seewhy.errors import BadNetwork, NotApplicable
from seewhy.models.torch.passes.taps import modules_of
from seewhy.models.torch.passes.torch_calls import spelled
from seewhy.models.torch.rules.unfused import ATTENTION, STEPS, of_each_query, written_out

SOFTMAX = spelled("softmax")
SAME = spelled(  # what may happen to weights on their way to the values
    "dropout", "to", "float", "double", "half", "bfloat16", "type", "type_as", "contiguous", "clone", "view", "reshape",
    "view_as", "reshape_as", "flatten", "unflatten",
)  # fmt: skip
PRODUCTS = spelled("matmul", "__matmul__", "bmm")
CALL = nn.Module._call_impl.__code__
MIXED = "what its softmax made is changed before it meets the values, as talking heads mix it"


@dataclass(eq=False)
class AttentionCall:
    """One attention, as it ran."""

    layer: str  # the module that ran it
    weights: Tensor  # (..., q, k): the very tensor that the values were multiplied with
    values: Tensor | None = None  # (..., k, c); None of weights that met none
    left_out: str = ""  # why it is no attention that the values follow
    order: tuple[int, ...] | None = None  # of the dimensions of what it makes, as (..., q, c); None: they are in this order


Passed = Callable[[AttentionCall, Tensor], Tensor]


class Attending(TorchFunctionMode):
    """While it is entered, the network's attentions are met, in the order they run, each by the innermost module it is in.

    No number changes beyond rounding: BadNetwork where the written-out form does not give what the fused one gave; that is
    not asked again where it is `checked`, of the same network and images of the same size.
    passed: is told of each attention, and of what it made, and gives what goes on in its place.
    """

    def __init__(self, network: nn.Module, checked: bool = False, passed: Passed = lambda _, out: out) -> None:
        super().__init__()
        self.checked, self.passed = checked, passed
        self.names = {id(module): name for name, module in modules_of(network).items()}
        self.calls: list[AttentionCall] = []
        self.soft: dict[int, tuple[Tensor, AttentionCall]] = {}  # weights on their way, kept so that no other takes their id

    def attentions(self) -> list[AttentionCall]:
        """All that were met, each under a name of its own: of several in one module blocks.0.attn#1, blocks.0.attn#2."""
        layers = [call.layer for call in self.calls]
        count: dict[str, int] = {}
        for call, layer in zip(self.calls, layers, strict=True):
            count[layer] = count.get(layer, 0) + 1
            call.layer = f"{layer}#{count[layer]}" if layers.count(layer) > 1 else layer
        return self.calls

    def __torch_function__(self, fn: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if fn is F.multi_head_attention_forward:
            with self:  # its own calls are met, too
                return STEPS[fn](*args, **kwargs)
        if fn is ATTENTION:
            return self._fused(*args, **kwargs)
        if not self.soft and fn not in SOFTMAX:
            return fn(*args, **kwargs)
        call = self._product(fn, args)
        out = fn(*args, **kwargs)
        if call is not None:
            return self.passed(call, out)
        with torch._C.DisableTorchFunction():
            if fn in SOFTMAX:
                self._softened(out, args, kwargs)
            elif fn in SAME and args and (known := self._known(args[0])) is not None:
                self._follow(out, known)
        return out

    def _fused(
        self, query: Tensor, key: Tensor, value: Tensor, attn_mask: Tensor | None = None, dropout_p: float = 0.0,
        is_causal: bool = False, scale: float | None = None, enable_gqa: bool = False,
    ) -> Tensor:  # fmt: skip
        layer = self._layer()
        if dropout_p:
            raise NotApplicable(
                f"{layer} drops attention by chance even in eval mode (dropout_p={dropout_p}): its weights are another's at "
                "each run. Call it with dropout_p=0 while self.training is False."
            )
        keys, values = of_each_query(query, key, value) if enable_gqa else (key, value)
        wide = torch.promote_types(query.dtype, torch.float32)
        weights = written_out(query.to(wide), keys.to(wide), attn_mask, is_causal, scale).to(value.dtype)
        out = weights @ values
        if not self.checked:
            with torch.no_grad(), torch._C.DisableTorchFunction():
                fused = ATTENTION(query, key, value, attn_mask, 0.0, is_causal, scale=scale, enable_gqa=enable_gqa)
                self._check(out, fused, layer)
        self.calls.append(AttentionCall(layer, weights, values))
        return self.passed(self.calls[-1], out)

    def _check(self, out: Tensor, fused: Tensor, layer: str) -> None:
        if not alike(out, fused):
            off = (out - fused).abs().max().item()
            raise BadNetwork(
                f"{layer}: softmax(q k') v differs from what its fused attention gives by {off:.2g}, so its weights are not "
                "known. Switch fused attention off: timm's set_fused_attn(False), transformers' attn_implementation='eager'."
            )

    def _softened(self, out: Tensor, args: Any, kwargs: Mapping[str, Any]) -> None:
        """A softmax over the last axis of rows: the weights of an attention, if values follow."""
        dim = args[1] if len(args) > 1 else kwargs.get("dim")
        if out.ndim > 2 and dim in (-1, out.ndim - 1):
            call = AttentionCall(self._layer(), out, left_out=MIXED)
            self.calls.append(call)
            self._follow(out, call)

    def _product(self, fn: Any, args: Any) -> AttentionCall | None:
        """The attention whose weights are multiplied here."""
        order = None
        if fn in PRODUCTS:
            weights, values = args[0], args[1]
        elif fn is torch.einsum and (operands := _einsum(args)) is not None:
            weights, values, order = operands
        else:
            return None
        call = self._known(weights)
        if call is None or weights.ndim < 3:
            return None
        with torch._C.DisableTorchFunction():
            call.layer, call.weights, call.left_out = self._layer(), weights, ""
            call.values, call.order = values, order
            self.calls.remove(call)  # where it meets the values is where it ran
            self.calls.append(call)
        return call

    def _known(self, tensor: Any) -> AttentionCall | None:
        known = self.soft.get(id(tensor))
        return known[1] if known is not None else None

    def _follow(self, out: Any, call: AttentionCall) -> None:
        if isinstance(out, Tensor) and out.numel() == call.weights.numel():
            self.soft[id(out)] = (out, call)

    def _layer(self) -> str:
        """The innermost module that runs, told from the stack: hooks would see its end alone."""
        frame = sys._getframe(2)
        while frame is not None:
            if frame.f_code is CALL and (name := self.names.get(id(frame.f_locals["self"]))) is not None:
                return name
            frame = frame.f_back
        return ""


def alike(out: Tensor, expected: Tensor) -> bool:
    """Equal to rounding: 7e-5 of the largest in float32, 4e-10 in float64."""
    if out.shape != expected.shape:
        return False
    with torch.no_grad():
        off = (out - expected).abs().max()
        return not bool(off > torch.finfo(expected.dtype).eps ** 0.6 * expected.abs().max())  # of NaN nothing is told


def _einsum(args: Any) -> tuple[Tensor, Tensor, tuple[int, ...]] | None:
    """Weights (..., q, k), values (..., k, c) and the order of what is made, where einsum sums over the weights' last axis."""
    if len(args) != 3 or not isinstance(args[0], str) or "." in args[0]:
        return None
    read, _, made = args[0].replace(" ", "").partition("->")
    left, _, right = read.partition(",")
    for labels, others, weights, values in ((left, right, args[1], args[2]), (right, left, args[2], args[1])):
        lead, query, key = labels[:-2], labels[-2:-1], labels[-1:]
        channels = [label for label in others if label not in labels]
        if len(labels) == len(others) == len(made) > 2 and {*lead, key} < {*others} and {*lead, query} < {*made} and channels:
            order = tuple(made.index(label) for label in (*lead, query, *channels))
            return weights, values.permute([others.index(label) for label in (*lead, key, *channels)]), order
    return None
