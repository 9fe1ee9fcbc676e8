"""Does a network end in a sigmoid?  Told from the graph of its scores, or from its calls."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from seewhy.errors import BadNetwork

from .passes.torch_calls import spelled

VIEWS = (  # what hands numbers on as they are, or cuts them off
    "View", "Reshape", "Squeeze", "Unsqueeze", "Alias", "Clone", "Select", "Slice", "Transpose", "T", "ToCopy", "Flatten",
    "Index", "Permute", "UnsafeView", "Expand", "Clamp", "Upsample",
)  # fmt: skip
JOINS = ("Cat", "Stack")


def by_sigmoid(run: Callable[[Tensor], Tensor], x: Tensor) -> bool:
    """Does a sigmoid make the scores that `run` gives of x, as their graph tells, or, of a network without one, its calls?"""
    try:
        with torch.enable_grad():
            raw = run(x.clone().requires_grad_().clone())
        if raw.grad_fn is not None:
            return ends_in_sigmoid(raw)
    except BadNetwork:  # it runs without a graph alone
        pass
    with torch.no_grad(), SigmoidCalls() as calls:
        raw = run(x.clone())
    return any(made.numel() == raw.numel() and torch.equal(made.flatten(), raw.flatten()) for made in calls.made)


class SigmoidCalls(TorchFunctionMode):
    """While it is entered, keeps what sigmoids make."""

    def __init__(self) -> None:
        super().__init__()
        self.made: list[Tensor] = []

    def __torch_function__(self, fn: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = fn(*args, **(kwargs or {}))
        if fn in SIGMOIDS and isinstance(out, Tensor):
            with torch._C.DisableTorchFunction():
                self.made.append(out.detach().clone())
        return out


SIGMOIDS = spelled("sigmoid", "sigmoid_", "hardsigmoid", "expit")


def ends_in_sigmoid(raw: Tensor) -> bool:
    """Was a sigmoid the last thing that was done to these scores?  Told from their graph."""
    return _from_sigmoid(raw.grad_fn)


def _from_sigmoid(node: Any) -> bool:
    if node is None:
        return False
    name, before = node.name(), [earlier for earlier, _ in node.next_functions]
    if name.startswith(("Sigmoid", "Hardsigmoid", "SpecialExpit")):
        return True
    if name.startswith(JOINS):  # of several heads
        return bool(before) and all(map(_from_sigmoid, before))
    return name.startswith(VIEWS) and bool(before) and _from_sigmoid(before[0])
