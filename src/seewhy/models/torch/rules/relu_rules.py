"""ReLUs that pass the gradient back by another rule: modules, functions, methods, in place or not, while a block runs.

No module is touched: a function mode sees every call, and tells a ReLU by its name or by what it does.  What it cannot see, it
finds in the graph, and refuses or tells.
"""

import math
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from seewhy.errors import NotApplicable
from seewhy.models.rule import ReluRule, deconv, guided
from seewhy.models.torch.passes.graph import between, kind_of
from seewhy.models.torch.passes.outputs import tensors_in
from seewhy.models.torch.passes.torch_calls import name_of, running, version_of

from .relus import RELU, Masks, ReluCall, overwrites, relu_call
from .shapes import MIXING, MOVES, Descent, Earlier, Lineage, ReluShape, shape_of

KINKED = ("Relu", "Threshold", "Hardtanh", "LeakyRelu", "Elu", "Prelu", "Rrelu", "Celu", "Selu")  # graph nodes of ReLUs
SMOOTH = {"Silu": "SiLU", "Gelu": "GELU", "Glu": "GLU", "Mish": "Mish", "Softplus": "Softplus", "Hardswish": "Hardswish",
          "Sigmoid": "Sigmoid", "Tanh": "Tanh", "Hardsigmoid": "Hardsigmoid", "LogSigmoid": "LogSigmoid",
          "Erf": "erf", "Exp": "exp", "Exp2": "exp2", "Expm1": "expm1", "Log1P": "log1p", "Logaddexp": "logaddexp",
          "SpecialNdtr": "ndtr", "Atan": "atan"}  # fmt: skip
OPAQUE = {"CheckpointFunctionBackward": "a checkpointed block", "DifferentiableGraphBackward": "a TorchScript part"}
MOST = 4  # results that what comes out of code without calls is held against


class Rewiring(TorchFunctionMode):
    """While it is entered, every ReLU of the network passes gradient by `rule`."""

    def __init__(self, rule: ReluRule, network: nn.Module) -> None:
        super().__init__()
        self.rule, self.network, self.masks, self.lineage = rule, network, Masks(), Lineage()
        self.latest: list[Tensor] = []  # results of calls
        self.alike: list[tuple[Any, str]] = []  # what is off below zero as a ReLU is, and curved above: its node, and where
        self.unseen = False  # was there a result of code that makes no calls?

    def __torch_function__(self, fn: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        for x in tensors_in((*args, *kwargs.values())):
            if x.requires_grad and not self.lineage.seen(x) and not isinstance(x, nn.Parameter):
                self._meet(x)
        made, relu = self.lineage.joined(args, kwargs), relu_call(fn, args, kwargs, self.masks)
        if relu is not None:
            out = self._named(relu, fn, args, kwargs)
            made = made.behind_relu()
        else:
            out, made = self._told(fn, args, kwargs, made)
        self.lineage.note(out, made)
        if isinstance(out, Tensor) and out.requires_grad:
            self.latest = [*self.latest[1 - MOST :], out]
        return out

    def _named(self, relu: ReluCall, fn: Any, args: Any, kwargs: Any) -> Any:
        """The result of a call that is a ReLU by its name."""
        x = relu.x
        if not relu.inplace or (not x._is_view() and not x.is_leaf):
            return Ruled.apply(x, relu, fn, args, kwargs, self.rule)
        x.copy_(Ruled.apply(x.clone(), relu, fn, args, kwargs, self.rule))  # type: ignore[arg-type] - autograd follows
        return x

    def _told(self, fn: Any, args: Any, kwargs: Any, made: Descent) -> tuple[Any, Descent]:
        """The result of another call; where it is what a ReLU makes of an earlier tensor, by the rule."""
        made = made._replace(led=made.led and fn in MOVES)
        asked = bool(made.of) and fn not in MIXING and not made.led
        over = args[0] if asked and overwrites(fn, args, kwargs) and isinstance(args[0], Tensor) else None
        if over is not None:
            before = over.clone()
            made = made._replace(of=(Earlier(before, 0), *(each for each in made.of if each.x is not over)))
        out = fn(*args, **kwargs)
        self.masks.note(fn, args, out)
        if fn in MIXING:
            return out, Descent()
        for y in tensors_in((out,) if over is None else (over,)) if asked else ():
            shape = shape_of(y, made.of) if y.requires_grad else None
            if shape is not None and shape.slope is not None:
                if made.by_relu and self.lineage.led(y, made):
                    made = made._replace(led=True)
                    continue
                ruled = self._by_rule(shape, y if y is out and over is None else y.clone())
                made = made.behind_relu()
                if y is out and over is None:
                    return ruled, made
                _become(y, ruled)
            elif shape is not None and not made.by_relu:
                self.alike.append((y.grad_fn, f"{name_of(fn)} in {running(self.network)}"))
        if over is not None:
            self.lineage.note(over, made)
        return out, made

    def _by_rule(self, shape: ReluShape, y: Tensor) -> Tensor:
        """The value y, whose gradient goes back by the rule."""
        return Ruled.apply(shape.x, ReluCall(shape.x, slope=shape.slope or 1), y.detach, (), {}, self.rule)  # type: ignore[return-value]

    def _meet(self, y: Tensor) -> None:
        """A tensor that no call gave: the image; or the result of a custom function or of scripted code."""
        made = Descent()
        if y.grad_fn is not None and any(
            before is not None and not hasattr(before, "variable") for before, _ in y.grad_fn.next_functions
        ):
            shape = shape_of(y, [Earlier(x, version_of(x)) for x in reversed(self.latest)])
            if shape is not None and shape.slope is not None:
                with suppress(RuntimeError):  # a view that may not be written over: it is found in the graph
                    _become(y, self._by_rule(shape, y.clone()))
                    made = Descent(by_relu=True, led=True)
            elif kind_of(y.grad_fn) != "custom":
                self.unseen = True
        self.lineage.note(y, made)

    def notes(self, scores: Tensor, leaves: Sequence[Tensor]) -> tuple[str, ...]:
        """What the rule could not be kept for; NotApplicable where it was kept nowhere, or broken somewhere."""
        name = f"The {self.rule.__name__} rule"
        way = between(scores, leaves)
        nodes = Counter(kind_of(node) for node in way)
        hidden = sum(count for kind, count in nodes.items() if kind.startswith(KINKED))
        sealed = [what for kind, what in OPAQUE.items() if kind in nodes]
        if hidden or sealed:
            what = f"{hidden} ReLUs" if hidden else sealed[0]
            raise NotApplicable(
                f"{name} has to reach every ReLU, and {what} of this network run where no rule reaches them (compiled, "
                "scripted or checkpointed code). Give the plain Python network, or use gradient."
            )
        smooth = {said: nodes[f"{kind}Backward"] for kind, said in SMOOTH.items() if nodes[f"{kind}Backward"]}
        custom = nodes["custom"]
        if nodes and not nodes["RuledBackward"]:
            has = f"it has {_listed(smooth)}, which are never simply off" if smooth else "there is none on the way"
            raise NotApplicable(
                f"{name} is one for ReLUs: {has}. It would give the plain gradient under another name; ask for gradient."
            )
        notes = []
        if smooth:
            notes.append(f"{_listed(smooth)} have no state in which they are off: the plain gradient passes them")
        passed, met = {*way}, Counter[str]()
        met.update(place for node, place in self.alike if node in passed)  # not what is a ReLU with what comes after it
        if met:
            where = ", ".join(f"{place} ({count} times)" if count > 1 else place for place, count in met.most_common(3))
            notes.append(f"off below zero as a ReLU is, but curved above, and passed by the plain gradient: {where}")
        if self.unseen:
            notes.append("there is code that the rule cannot look into, such as a scripted part: a ReLU in it is not reached")
        if custom:
            notes.append(f"{custom} custom autograd functions pass the gradient as they do: the rule cannot look into them")
        return tuple(notes)


def _become(y: Tensor, ruled: Tensor) -> None:
    """Make y, which has that value already, the end of that graph in place of its own."""
    if not y._is_view():
        y.detach_()
    y.copy_(ruled)


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {said}" for said, count in counts.items())


class Ruled(torch.autograd.Function):
    """A ReLU of whatever kind, forward; the rule, backward."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, relu: ReluCall, fn: Any, args: Any, kwargs: Any, rule: ReluRule) -> Tensor:
        ctx.rule, ctx.slope, ctx.fused = rule, relu.slope, rule is guided and fn in RELU
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
        return ctx.rule(active, g if ctx.slope == 1 else g * ctx.slope), None, None, None, None, None
