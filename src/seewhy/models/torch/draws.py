"""Random numbers that a network draws even in eval mode come from a separate generator; the global one is never advanced."""

import sys
from collections.abc import Iterable
from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

ATEN = torch.ops.aten


class EagerMode(TorchDispatchMode):
    """A mode of torch for which torch does not import its compiler, torch._dynamo, which takes a second or more.

    torch imports it at the first call of any other mode, to tell it not to compile what the mode does.  Here it is told as a
    mode is entered, if anybody imported it: who compiles a network did.
    """

    shielded = False  # the compiler was told

    @classmethod
    def _should_skip_dynamo(cls) -> bool:  # private to torch: a version that does not ask imports its compiler, as always
        return False

    def __enter__(self) -> Any:
        mode = type(self)
        if "torch._dynamo" in sys.modules and not mode.shielded:
            uncompiled: Any = torch.compiler.disable(mode.__torch_dispatch__)
            mode.__torch_dispatch__, mode.shielded = uncompiled, True
        return super().__enter__()


class Drawing(EagerMode):
    """While it is entered, torch draws from a generator of each block of `undisturbed`, and not from its global one.

    It has the seed of torch (torch.manual_seed), so a network that draws gives the same scores twice, whatever other threads
    draw.  What numpy and Python draw is not redirected.
    """

    def __init__(self, weights: Iterable[Tensor] = ()) -> None:
        super().__init__()
        self.drew = False
        self.wrote = False  # the network wrote over weights of its own
        self.weights = {*map(id, weights)}
        self.generators: dict[torch.device, torch.Generator] = {}

    def __torch_dispatch__(self, fn: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = {name: value for name, value in (kwargs or {}).items() if name != "generator" or value is not None}
        if fn._schema.is_mutable and any(id(arg) in self.weights for arg in args):
            self.wrote = True
        if torch.Tag.nondeterministic_seeded not in fn.tags or "generator" in kwargs:
            return fn(*args, **kwargs)
        twin = _taking_generator(fn)
        if twin is None and fn not in REDRAWN:
            return fn(*args, **kwargs)  # attention without dropout, or an operation that only might draw
        self.drew = True
        generator = self._generator(args, kwargs)
        return REDRAWN[fn](generator, *args, **kwargs) if twin is None else twin(*args, **kwargs, generator=generator)

    def _generator(self, args: Any, kwargs: Any) -> torch.Generator:
        beside = next((arg.device for arg in args if isinstance(arg, Tensor)), "cpu")
        device = torch.device(kwargs.get("device") or beside)
        if device not in self.generators:
            self.generators[device] = torch.Generator(device).manual_seed(torch.initial_seed())
        return self.generators[device]


@cache
def _taking_generator(fn: Any) -> Any:
    """The overload of an operation that takes a generator, which may be the operation itself; None where there is none."""
    names = _argument_names(fn) | {"generator"}
    packet = fn.overloadpacket
    overloads = [fn, *(getattr(packet, name) for name in packet.overloads())]
    return next((overload for overload in overloads if _argument_names(overload) == names), None)


def _argument_names(fn: Any) -> set[str]:
    return {argument.name for argument in fn._schema.arguments}


def _like(draw: Any) -> Any:
    def drawn(generator: torch.Generator, x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        given = {name: value for name, value in kwargs.items() if value is not None}
        return draw(torch.empty_like(x, **given), *args, generator=generator)

    return drawn


def _dropped(generator: torch.Generator, x: Tensor, p: float, train: bool | None) -> tuple[Tensor, Tensor]:
    if train is False or p == 1:
        mask = torch.full_like(x, train is False, dtype=torch.bool)
        return x * mask, mask
    mask = torch.empty_like(x, dtype=torch.bool).bernoulli_(1 - p, generator=generator)
    return x * mask / (1 - p), mask


REDRAWN = {  # by hand, where torch has no such twin: in older versions, and on a GPU
    ATEN.rand_like.default: _like(Tensor.uniform_),
    ATEN.randn_like.default: _like(Tensor.normal_),
    ATEN.randint_like.default: _like(lambda empty, high, generator: empty.random_(0, high, generator=generator)),
    ATEN.randint_like.low_dtype: _like(lambda empty, low, high, generator: empty.random_(low, high, generator=generator)),
    ATEN.native_dropout.default: _dropped,
}
