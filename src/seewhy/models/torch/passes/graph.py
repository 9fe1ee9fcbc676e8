"""The graph that a forward pass left: what lies on the way from the scores back to where gradients are asked."""

from collections import defaultdict
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.autograd.graph import Node

UNDERIVED = "WarnNotImplemented"  # the node of an operation without a derivative, such as a quantised one
STEPS = ("Sign", "Round", "Floor", "Ceil", "Trunc", "Heaviside", "Sgn", "FakeQuantize")  # nodes whose slope is zero anywhere
SLOPELESS = (*STEPS, UNDERIVED)


def between(scores: Tensor, leaves: Sequence[Tensor]) -> list[Node]:
    """Every node of the graph on a way from the scores to one of the leaves, with those of the leaves themselves.

    Nodes that lead to parameters alone are left out.
    """
    users: dict[Node, list[Node]] = defaultdict(list)
    ends, waiting = [], [scores.grad_fn]
    visited = set(waiting)
    while waiting:
        node = waiting.pop()
        if node is None:
            continue
        if any(getattr(node, "variable", None) is leaf for leaf in leaves):
            ends.append(node)
        for before, _ in node.next_functions:
            if before is not None:
                users[before].append(node)
                if before not in visited:
                    visited.add(before)
                    waiting.append(before)
    on_the_way, waiting = dict.fromkeys(ends), ends
    while waiting:
        for user in users[waiting.pop()]:
            if user not in on_the_way:
                on_the_way[user] = None
                waiting.append(user)
    return [*on_the_way]


def rests_on_image(x: Tensor) -> bool:
    """Does it depend on more than parameters?"""
    if x.grad_fn is None:  # a leaf, or a parameter's view made without a graph
        return x.requires_grad and not isinstance(x._base if x._is_view() else x, nn.Parameter)
    waiting: list[Node | None] = [x.grad_fn]
    visited = set(waiting)
    while waiting:
        node = waiting.pop()
        leaf = getattr(node, "variable", None)
        if leaf is not None and not isinstance(leaf, nn.Parameter):
            return True
        for before, _ in node.next_functions if node else ():
            if before not in visited:
                visited.add(before)
                waiting.append(before)
    return False


def kind_of(node: Node) -> str:
    """ReluBackward0 -> ReluBackward; a ReLU written as a clamp by that name, too; custom functions are "custom"."""
    name = node.name().rpartition("::")[2]
    if name.startswith(("ClampMinBackward", "ClampBackward")):
        return "ReluBackward" if _is_zero(getattr(node, "_saved_min", None)) else name.rstrip("0123456789")
    if isinstance(node, torch.autograd.function.BackwardCFunction) and not name.startswith(("Ruled", "Checkpoint")):
        return "custom"
    return name.rstrip("0123456789")


def _is_zero(value: object) -> bool:
    return not bool(value.any()) if isinstance(value, Tensor) else value == 0 and value is not None
