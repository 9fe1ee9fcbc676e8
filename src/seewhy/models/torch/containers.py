"""What lies behind the attributes of modules: lists, dicts and helper objects, such as configurations, and their classes."""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Set
from functools import partial
from logging import Logger
from types import BuiltinFunctionType, CellType, FunctionType, MethodType, ModuleType
from typing import Any
from weakref import ProxyTypes, ref

import torch
from torch import Tensor, nn

from .snapshot import NOTHING, equal


class Foreign:
    """An object of another framework behind an attribute of a module: nobody here looks into it, and copies share it."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __deepcopy__(self, memo: Any) -> "Foreign":
        return self


PLAIN = {Foreign, int, float, complex, str, bool, bytes, type(None), torch.Size, torch.dtype, torch.device, type, range}
FAR = (type, ModuleType, str, bytes, torch.fx.Graph, BuiltinFunctionType, Logger, *ProxyTypes, ref)  # not looked into
FURTHEST = 5_000  # values that are looked at
WORLD = {nn.Module, object}  # classes that are not looked over


class Containers:
    """What can be changed behind the attributes of modules, and what it held when this was made.

    start: the attributes' values; modules: by id, those that are looked over elsewhere; ignored: ids of what may change.
    Helper objects are looked into, and those that they hold, but no further.
    """

    def __init__(self, start: Iterable[Any], modules: Mapping[int, nn.Module], ignored: Set[int] = frozenset()) -> None:
        self.modules, self.ignored = modules, ignored
        self.kept: list[Any] = []  # lists, sets and dicts
        self.owners: list[Any] = []  # of these: they themselves, or the object whose attributes they are
        self.cells: list[CellType] = []  # what functions took along
        self.slots: list[tuple[Any, str]] = []
        self.tensors: list[Tensor] = []
        kinds = {type(module) for module in modules.values()}
        slotted = {each for each in kinds if slots_of(each)}
        for module in modules.values() if slotted else ():
            self._keep_slots(module)
        for kind in sorted({base for each in kinds for base in each.__mro__} - WORLD, key=id):
            self._keep(vars(kind), kind)
        self._walk(start)
        self.then = [_copied(value) for value in self.kept]
        self.in_cells, self.in_slots = [*map(_held, self.cells)], self._in_slots()

    def same(self) -> bool:
        """Do they hold what they held?"""
        functions = equal([*map(_held, self.cells)], self.in_cells) and equal(self._in_slots(), self.in_slots)
        return functions and equal(self.kept, self.then)

    def changes(self) -> Iterator[int]:
        """The ids of those that hold something else."""
        slotted = [owner for owner, _ in self.slots]
        now = [*self.kept, *map(_held, self.cells), *self._in_slots()]
        then = [*self.then, *self.in_cells, *self.in_slots]
        for owner, value, before in zip([*self.owners, *self.cells, *slotted], now, then, strict=True):
            if not equal([value], [before]):
                yield id(owner)

    def _in_slots(self) -> list[Any]:
        return [getattr(owner, name, NOTHING) for owner, name in self.slots]

    def _walk(self, start: Iterable[Any]) -> None:
        waiting, visited = [(value, 0) for value in start], set[int]()
        while waiting and len(visited) < FURTHEST:
            value, depth = waiting.pop()
            far = type(value) in PLAIN or isinstance(value, FAR) or id(value) in self.modules
            if far or id(value) in visited or id(value) in self.ignored:
                continue
            visited.add(id(value))
            if isinstance(value, Tensor):
                self.tensors.append(value)
                continue
            inside = self._inside(value)
            if inside is None:  # an object of a class of its own
                inside, depth = (self._attributes(value), depth + 1) if depth < 2 else ((), depth)
            waiting += [(each, depth) for each in inside]

    def _inside(self, value: Any) -> Iterable[Any] | None:
        """What a container, a function or a module that no other holds has inside; None of other objects."""
        if isinstance(value, tuple | frozenset):
            return () if PLAIN.issuperset(map(type, value)) else value
        if isinstance(value, list | deque | set):
            self._keep(value, value)
            return [*value]
        if isinstance(value, dict):
            return self._keep(value, value)
        if isinstance(value, MethodType):
            return (value.__self__,)
        if isinstance(value, partial):
            return (value.func, value.args, value.keywords)
        if isinstance(value, FunctionType):
            self.cells += value.__closure__ or ()
            return (*map(_held, value.__closure__ or ()), value.__defaults__, value.__kwdefaults__, value.__dict__)
        return self._attributes(value) if isinstance(value, nn.Module) else None

    def _attributes(self, value: Any) -> list[Any]:
        attributes = getattr(value, "__dict__", None)
        own = self._keep(attributes, value) if isinstance(attributes, dict) else ()
        return [*own, *self._keep_slots(value)]

    def _keep(self, held: Any, owner: Any) -> Any:
        if id(owner) not in self.ignored:
            self.kept.append(held)
            self.owners.append(owner)
        return held.values() if isinstance(held, Mapping) else held

    def _keep_slots(self, owner: Any) -> list[Any]:
        slots = [(owner, name) for name in slots_of(type(owner))]
        self.slots += slots if id(owner) not in self.ignored else ()
        return [getattr(owner, name, None) for _, name in slots]


def slots_of(kind: type) -> list[str]:
    """The names of the attributes that objects of a class keep outside of their `__dict__`."""
    found = [base.__dict__.get("__slots__", ()) for base in kind.__mro__]
    names = [name for slots in found for name in ((slots,) if isinstance(slots, str) else slots)]
    return [name for name in names if name not in ("__dict__", "__weakref__")]


def _copied(held: Any) -> Any:
    return dict(held) if isinstance(held, Mapping) else held.copy()


def _held(cell: CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # not filled yet
        return NOTHING
