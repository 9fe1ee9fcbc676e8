"""What a network is: an object that stays the same as long as nobody edits the network, and is another after an edit.

Whatever passes of a network showed is kept under its identity, so nothing outlives an edit: other layers, attributes, hooks,
classes, weights of another shape or kind, and weights that were written to, as far as torch counts it.
"""

from collections import Counter
from collections.abc import Iterable, Set
from itertools import chain
from operator import attrgetter
from typing import Any

import torch
from torch import Tensor, nn
from torch.jit import ScriptModule
from torch.nn.parameter import is_lazy

from seewhy.models.torch.passes.taps import every_module

from .containers import PLAIN, Containers
from .snapshot import HOOKS, STANDARD, WEIGHTS, Change, Snapshot, equal

VERSION = attrgetter("_version")
MEMORY = attrgetter("nbytes")
OFTEN = 2  # what passes of the network's own changed so often they change time and again: it is no edit


class Structure:
    """The modules of a network with all that they hold, but for the numbers in their weights, as it was when this was made.

    token: stays the same over changes that are no edits.
    """

    def __init__(self, network: nn.Module, ignored: Set[int] = frozenset()) -> None:
        modules = {id(module): module for module in every_module(network)}
        self.modules, self.kinds = [*modules.values()], [type(module) for module in modules.values()]
        self.states = Snapshot([module.__dict__ for module in self.modules])
        scripted = [module for module in self.modules if isinstance(module, ScriptModule)]
        self.scripted = [(module._c, _settings_of(module)) for module in scripted]
        self.in_scripted = self._in_scripted()
        states = self.states.states
        behind = [value for state in states for key in state.keys() - STANDARD if type(value := state[key]) not in PLAIN]
        hooks = [hook for state in states for key in HOOKS for hook in (state.get(key) or {}).values()]
        self.containers = Containers([*behind, *hooks], modules, ignored)
        weights = [held.values() for state in states for key in WEIGHTS if (held := state.get(key))]
        every = chain(*weights, self.containers.tensors)
        self.tensors = [*{id(tensor): tensor for tensor in every if tensor is not None and not is_lazy(tensor)}.values()]
        self.token = object()

    def same(self) -> bool:
        """Is the network made as it was?"""
        kinds = [*map(type, self.modules)] == self.kinds
        return kinds and self.states.same() and self.containers.same() and equal(self._in_scripted(), self.in_scripted)

    def changes(self) -> set[Change]:
        """What is otherwise now."""
        parts = {(id(self.modules[place]), key) for place, key in self.states.changes()}
        parts |= {(owner, "") for owner in self.containers.changes()}
        kinds = {(id(m), "class") for m, kind in zip(self.modules, self.kinds, strict=True) if type(m) is not kind}
        scripted = zip(self.scripted, self._in_scripted(), self.in_scripted, strict=True)
        return parts | kinds | {(id(part), "") for (part, _), now, then in scripted if not equal(now, then)}

    def _in_scripted(self) -> list[list[Any]]:
        return [[part.getattr(name) for name in names] for part, names in self.scripted]


class Memory:
    """Where the weights of a network lay, and how often they had been written to, when this was made."""

    def __init__(self, tensors: list[Tensor]) -> None:
        self.counted = [tensor for tensor in tensors if not tensor.is_inference()]  # of those made so, torch counts nothing
        self.placed = [t for t in tensors if type(t) in (Tensor, nn.Parameter) and t.layout is torch.strided]
        self.then = self._now()

    def same(self) -> bool:
        """Was none of them written to, moved, or made another kind of number?"""
        return self._now() == self.then

    def changes(self) -> set[Change]:
        """Those that were."""
        every = (self.counted, self.placed, self.placed)
        return {
            (id(tensor), "")
            for tensors, now, then in zip(every, self._now(), self.then, strict=True)
            for tensor, number, before in zip(tensors, now, then, strict=True)
            if number != before
        }

    def _now(self) -> tuple[list[int], list[int], list[int]]:
        return [*map(VERSION, self.counted)], [*map(Tensor.data_ptr, self.placed)], [*map(MEMORY, self.placed)]


class NetworkState:
    """A network as it was looked over: `identity` is its identity."""

    def __init__(self, structure: Structure, weights: Memory, identity: object) -> None:
        self.structure, self.weights, self.identity = structure, weights, identity


class Watch:
    """What a network was when it was last looked over; its pickle is empty.

    What its own passes write on it time and again, such as counters, is no edit.
    """

    def __init__(self) -> None:
        self.last: NetworkState | None = None
        self.written: Counter[Change] = Counter()  # how often passes wrote what

    def __reduce__(self) -> Any:
        return (type(self), ())

    def state(self, network: nn.Module) -> NetworkState:
        """The network as it is now: the same object as long as it stays so."""
        last = self.last
        if last is None or last.structure.modules[0] is not network:
            structure = Structure(network)
            self.last = NetworkState(structure, Memory(structure.tensors), object())
            return self.last
        made, numbers = last.structure.same(), last.weights.same()
        if not (made and numbers):
            self.last = last = self._renewed(network, last, made, numbers)
        return last

    def _renewed(self, network: nn.Module, last: NetworkState, made: bool, numbers: bool) -> NetworkState:
        often = {part for part, times in self.written.items() if times >= OFTEN}
        structure = last.structure if made else Structure(network, {owner for owner, name in often if not name})
        edits = set[Change]() if made else {part for part in last.structure.changes() if part[1] != "training"} - often
        writes = set[Change]() if numbers else last.weights.changes() - often
        if edits:
            there = {*map(id, structure.modules), *map(id, structure.containers.owners), *map(id, structure.tensors)}
            self.written = Counter({part: times for part, times in self.written.items() if part[0] in there})
        else:
            structure.token = last.structure.token
        return NetworkState(structure, Memory(structure.tensors), object() if edits or writes else last.identity)

    def passed(self, state: NetworkState, attributes: Iterable[Change], lent: bool, writes: bool) -> None:
        """Note what passes wrote on the network, as it was in that state before.

        attributes: what they wrote on a stand-in; lent: on the network's own modules; writes: its weights are among it.
        """
        structure, parts = state.structure, {*attributes}
        if not structure.containers.same():
            parts |= {(owner, "") for owner in structure.containers.changes()}
        if lent and not structure.same():
            parts |= structure.changes()
        if (lent or writes) and not state.weights.same():
            parts |= state.weights.changes()
        self.written.update(parts)


def _settings_of(module: ScriptModule) -> list[str]:
    """The names of the attributes of a scripted module that are no weights."""
    kinds = getattr(module, "_concrete_type", None)
    names = kinds.get_attributes() if kinds is not None else ()
    return [name for name in names if name != "training" and not isinstance(module._c.getattr(name), Tensor)]
