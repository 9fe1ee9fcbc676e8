"""Which call of torch this is: the one name that its many spellings share, and what it was given.

Torch has the same operation as a function, as a method, in place and not: `torch.relu`, `F.relu`, `Tensor.relu`.
"""

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

MODULES = tuple(map(vars, (torch, F, torch.special)))


def spelled(*names: str) -> set[Callable[..., Any]]:
    """Every function and method of torch by one of these names: of "relu" and "relu_", which writes over its input, six."""
    functions = {module[name] for module in MODULES for name in names if callable(module.get(name))}
    return functions | {getattr(Tensor, name) for name in names if hasattr(Tensor, name)}


def known_as(fn: Any) -> Any:
    """The function of torch that an operator of torch.ops.aten is, as exported programs call them; any other as it is."""
    packet = getattr(fn, "overloadpacket", fn)
    if not isinstance(packet, torch._ops.OpOverloadPacket) or not packet._qualified_op_name.startswith("aten::"):
        return fn
    name = packet.__name__
    return getattr(torch, name, None) or getattr(F, name, None) or getattr(Tensor, name, fn)


def name_of(fn: Any) -> str:
    """The name of a function or method, and of a property that is read; "" of what has none."""
    name = getattr(fn, "__name__", "")
    return fn.__self__.__name__ if name == "__get__" else name


def bound(names: Iterable[str], args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of a call by name, where `names` are those that it takes by place, in order."""
    return {**dict(zip(names, args, strict=False)), **kwargs}


def version_of(x: Tensor) -> int:
    """How often a tensor was written to; of one that was made in inference mode torch does not count it."""
    return -1 if x.is_inference() else x._version


def running(network: nn.Module) -> str:
    """The innermost module of the network whose code calls, in words."""
    names, frame = {id(module): name for name, module in network.named_modules()}, sys._getframe(1)
    while frame is not None:
        if name := names.get(id(frame.f_locals.get("self"))):
            return name
        frame = frame.f_back  # type: ignore[assignment]
    return "the network's own forward"
