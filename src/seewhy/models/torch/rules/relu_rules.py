"""ReLUs that pass the gradient back by another rule: modules, functions, methods, in place or not, while a block runs.

No module is touched: a function mode sees every call.  What it cannot see, it finds in the graph, and refuses or tells.
"""

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from seewhy.errors import NotApplicable
from seewhy.models.rule import ReluRule, deconv, guided
from seewhy.models.torch.passes.graph import between, kind_of

from .relus import RELU, Masks, ReluCall, relu_call

KINKED = ("Relu", "Threshold", "Hardtanh", "LeakyRelu", "Elu", "Prelu", "Rrelu", "Celu", "Selu")  # graph nodes of ReLUs
SMOOTH = {"Silu": "SiLU", "Gelu": "GELU", "Glu": "GLU", "Mish": "Mish", "Softplus": "Softplus", "Hardswish": "Hardswish",
          "Sigmoid": "Sigmoid", "Tanh": "Tanh", "Hardsigmoid": "Hardsigmoid", "LogSigmoid": "LogSigmoid",
          "Erf": "erf"}  # fmt: skip
DISGUISES = ("Abs", "Where", "MaskedFill", "IndexPut", "Maximum", "Minimum", "Clamp", "ClampMax")  # ReLUs can be made of these
OPAQUE = {"CheckpointFunctionBackward": "a checkpointed block", "DifferentiableGraphBackward": "a TorchScript part"}


class Rewiring(TorchFunctionMode):
    """While it is entered, every ReLU passes gradient by `rule`."""

    def __init__(self, rule: ReluRule) -> None:
        super().__init__()
        self.rule, self.masks = rule, Masks()

    def __torch_function__(self, fn: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        relu = relu_call(fn, args, kwargs, self.masks)
        if relu is None:
            out = fn(*args, **kwargs)
            self.masks.note(fn, args, out)
            return out
        x = relu.x
        if not relu.inplace or (not x._is_view() and not x.is_leaf):
            return Ruled.apply(x, relu, fn, args, kwargs, self.rule)
        x.copy_(Ruled.apply(x.clone(), relu, fn, args, kwargs, self.rule))  # type: ignore[arg-type] - autograd follows
        return x

    def notes(self, scores: Tensor, leaves: Sequence[Tensor]) -> tuple[str, ...]:
        """What the rule could not be kept for; NotApplicable where it was kept nowhere, or broken somewhere."""
        name = f"The {self.rule.__name__} rule"
        nodes = Counter(kind_of(node) for node in between(scores, leaves))
        hidden = sum(count for kind, count in nodes.items() if kind.startswith(KINKED))
        sealed = [what for kind, what in OPAQUE.items() if kind in nodes]
        if hidden or sealed:
            what = f"{hidden} ReLUs" if hidden else sealed[0]
            raise NotApplicable(
                f"{name} has to reach every ReLU, and {what} of this network run where no rule reaches them (compiled, "
                "scripted or checkpointed code). Give the plain Python network, or use gradient."
            )
        smooth = {said: nodes[f"{kind}Backward"] for kind, said in SMOOTH.items() if nodes[f"{kind}Backward"]}
        custom, others = nodes["custom"], {kind: nodes[f"{kind}Backward"] for kind in DISGUISES if nodes[f"{kind}Backward"]}
        if nodes and not nodes["RuledBackward"]:
            has = f"it has {_listed(smooth)}, which are never simply off" if smooth else "there is none on the way"
            raise NotApplicable(
                f"{name} is one for ReLUs: {has}. It would give the plain gradient under another name; ask for gradient."
            )
        notes = []
        if smooth:
            notes.append(f"{_listed(smooth)} have no state in which they are off: the plain gradient passes them")
        if others:
            notes.append(f"{_listed(others)} pass the plain gradient: a ReLU written with them is not reached")
        if custom:
            notes.append(f"{custom} custom autograd functions pass the gradient as they do: the rule cannot look into them")
        return tuple(notes)


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {said}" for said, count in counts.items())


class Ruled(torch.autograd.Function):
    """A ReLU of whatever kind, forward; the rule, backward."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, relu: ReluCall, fn: Any, args: Any, kwargs: Any, rule: ReluRule) -> Tensor:
        ctx.rule, ctx.fused = rule, rule is guided and fn in RELU
        if rule is not deconv and not ctx.fused:  # which does not ask
            above = x > relu.low
            ctx.save_for_backward(above & (x < relu.high) if relu.high < math.inf else above)
        y = fn(*args, **kwargs)
        if relu.inplace and x is relu.x:
            ctx.mark_dirty(x)
            y = x  # x[x < 0] = 0 returns nothing
        elif relu.inplace:
            y = relu.x.clone()  # of which x was a copy, before fn wrote over it
        if ctx.fused:
            ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        (g,) = grads
        active = ctx.saved_tensors[0] if ctx.saved_tensors else None
        if ctx.fused:  # by far the most frequent: less memory to go through, and the output is kept anyhow
            return torch.ops.aten.threshold_backward(g, active, 0).clip_(min=0), None, None, None, None, None
        return ctx.rule(active, g), None, None, None, None, None
