"""A network that stands in for the person's own while it is explained: other module objects over the very same weights.

What is explained is that network in eval mode, and its own modules are not written to: no mode, no hook, no buffer.
"""

import gc
import sys
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from enum import Enum
from functools import partial
from itertools import chain
from operator import attrgetter
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any
from weakref import ProxyTypes, ref

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from seewhy.models.torch.passes.taps import every_module

from .containers import Foreign, slots_of
from .identity import NetworkState, Structure
from .own_containers import KINDS, OwnContainers, all_same
from .snapshot import HOOKS, STANDARD, Change, Snapshot

PLAIN = {Foreign, int, float, str, bool, bytes, type(None), torch.Size, torch.dtype, torch.device, type, range}
WORDS = {int, float, str, bool, type(None)}
FAR = (type, ModuleType, str, bytes, int, float, Tensor, torch.fx.Graph, BuiltinFunctionType)  # lead to no module of interest
FURTHEST = 20_000  # objects that are looked at behind one attribute
VERSION = attrgetter("_version")


class CannotStandIn(Exception):
    """A network of which no copy of modules would be sure to run as it does."""


class StandIn:
    """What stands in for a network: the same in eval mode, of other modules that share all parameters and buffers.

    No tensor is copied.  Buffers are seen without their count of writes: those that a training thread writes meanwhile, as the
    statistics of a BatchNorm, do not stop a way back.  Attributes that hold modules of the network (lists, dicts, methods,
    weak references) hold the new ones.  Raises CannotStandIn.

    structure: what the network is made of, `made_of` its token; right: a stand-in of that was found to run as the network does.
    apart: nothing that the network's code may write on is shared with another stand-in, but for tensors, whose writes count.
    """

    def __init__(self, network: nn.Module, structure: Structure | None = None, right: bool = False) -> None:
        modules = {id(module): module for module in every_module(network)}
        if any(isinstance(module, torch.jit.ScriptModule) or "_hf_hook" in module.__dict__ for module in modules.values()):
            raise CannotStandIn  # not made of Python, or of weights that come and go by accelerate
        if any(map(_more_than_its_dict, {type(module) for module in modules.values()})) or any(map(_unmade, modules.values())):
            raise CannotStandIn
        try:
            made = {at: object.__new__(type(module)) for at, module in modules.items()}
        except TypeError as error:  # a class that is also one of C
            raise CannotStandIn from error
        self.originals = [*modules.values()]
        hooks = [hook for module in self.originals for key in HOOKS for hook in module.__dict__[key].values()]
        self.apart = all(type(hook) is MethodType and id(hook.__self__) in modules for hook in hooks)
        states = self._states(made)
        if self.apart and not all(map(_only_read, self.odd)):  # of others it is not known what they keep, and with whom
            self.apart = False
            states = self._states(made)
        for new, state in zip(made.values(), states, strict=True):
            object.__setattr__(new, "__dict__", state)
        self.structure, self.made_of = structure, () if structure is None else structure.token
        if not right and any(_leads(value, modules) for value in {id(value): value for value in self.odd}.values()):
            raise CannotStandIn
        self.network, self.ids = made[id(network)], {*map(id, made.values())}
        self.made_state = Snapshot(states)
        self.weights = [value for module in self.originals for value in module._parameters.values() if value is not None]
        self.written: list[Change] = []  # what the network's code wrote
        self.places = [*map(Tensor.data_ptr, self.aliases)]
        self.memory: object = None  # where the network's tensors lay when it was seen that its buffers lie there, too
        self.lasting = True

    def lasts(self, state: NetworkState) -> bool:
        """Can it still stand in for the network, which is now so?"""
        in_place = self._in_place if state.memory is self.memory else self._buffers_in_place
        self.memory = state.memory
        return self.lasting and state.structure is self.structure and in_place() and self.containers.same()

    def writes(self) -> int:
        """How often any of the weights was written to, as far as torch counts it."""
        return _writes(self.weights)

    def writes_beside(self) -> int:
        """How often any other tensor that it shares was written to, and by this stand-in where it is a buffer."""
        return _writes(self.tensors)

    def give_back(self) -> bool:
        """Let the network's modules have the numbers and words that its code wrote on itself: a counter counts on.

        Not where it wrote anything else, too: of a cache and its length, both stay as they are.  Layers and parameters that
        the network made as it first ran are its own from then on, and so is what it put into its lists, sets and dicts.
        Was there anything to give?
        """
        self.written = [(at, "") for at in self.containers.written()]
        gave = bool(self.written) and self.containers.give_back()
        if self.made_state.same():
            return gave
        self.lasting = False
        gave |= self._give_layers()
        written = [
            (module, key, now[key])
            for module, now, then in zip(self.originals, self.made_state.states, self.made_state.first, strict=True)
            for key in now.keys() - STANDARD
            if then.get(key, self) is not now[key]
        ]
        self.written += [(id(module), key) for module, key, _ in written]
        if not self.made_state.holds() or not all(type(value) in WORDS for _, _, value in written):
            return gave
        for module, key, value in written:
            module.__dict__[key] = value
        return gave or bool(written)

    def _give_layers(self) -> bool:
        gave = False
        for module, now in zip(self.originals, self.made_state.states, strict=True):
            for key in ("_modules", "_parameters"):
                for name, part in now[key].items():
                    inside = every_module(part) if isinstance(part, nn.Module) else ()
                    if part is not None and module.__dict__[key].get(name) is None and self.ids.isdisjoint(map(id, inside)):
                        module.__dict__.pop(name, None)  # the None that stood for it
                        module.__dict__[key][name] = part
                        gave = True
        return gave

    def _states(self, made: Mapping[int, nn.Module]) -> list[dict[str, Any]]:
        """What the new modules hold."""
        self.odd: list[Any] = []  # values that may lead to modules in ways of their own
        self.containers = OwnContainers(self.apart)
        self.buffers: list[Tensor] = []
        self.aliases: list[Tensor] = []  # the same memory as the buffers', each
        self.tensors: list[Tensor] = []  # these, and all others that are no parameters
        return [self._state(module, made) for module in self.originals]

    def _state(self, module: nn.Module, made: Mapping[int, nn.Module]) -> dict[str, Any]:
        state = dict(module.__dict__)
        inner = state["_modules"]
        if state.get("_compiled_call_impl") is not None:  # module.compile(): hooks set later would not be seen
            state["_compiled_call_impl"] = None
        if "_orig_mod" in inner and "forward" in state:  # torch.compile(a part): run it as it is written
            state["forward"] = made[id(inner["_orig_mod"])]
        else:
            for key in state.keys() - STANDARD:
                if type(state[key]) not in PLAIN or type(state[key]) is int:
                    state[key] = self._anew(state[key], made)
        state["training"] = False
        state["_modules"] = {name: part if part is None else made[id(part)] for name, part in inner.items()} if inner else {}
        state["_parameters"] = dict(state["_parameters"])
        state["_buffers"] = {name: self._alias(buffer) for name, buffer in state["_buffers"].items()}
        for key in HOOKS:
            state[key] = OrderedDict((at, self._anew(hook, made)) for at, hook in state[key].items())
        return state

    def _in_place(self) -> bool:
        """Do its own buffers lie where they did?"""
        return [*map(Tensor.data_ptr, self.aliases)] == self.places

    def _buffers_in_place(self) -> bool:
        """Do the buffers still lie where the stand-in's do?"""
        return [*map(Tensor.data_ptr, self.buffers)] == [*map(Tensor.data_ptr, self.aliases)]

    def _alias(self, buffer: Tensor | None) -> Tensor | None:
        alias = buffer
        if type(buffer) is Tensor and buffer.layout is torch.strided and not buffer.is_inference():
            alias = buffer.data
            self.buffers.append(buffer)
            self.aliases.append(alias)
        if alias is not None:
            self.tensors.append(alias)
        return alias

    def _anew(self, value: Any, made: Mapping[int, nn.Module]) -> Any:
        """The value, with the new modules in the place of those that they stand in for."""
        if type(value) in PLAIN:
            if type(value) is int and value in made:  # the id of a module
                raise CannotStandIn
            return value
        if isinstance(value, Tensor):
            self.tensors.append(value)
            return value
        if type(value) in ProxyTypes:
            owner = _behind(value)
            return made.get(id(owner), value)  # a strong one: no longer kept than the others
        if isinstance(value, nn.Module):
            return made.get(id(value), value)
        if type(value) in KINDS:
            return self.containers.of(value, lambda item: self._anew(item, made))
        if type(value) is MethodType:
            owner = self._anew(value.__self__, made)
            return value if owner is value.__self__ else MethodType(value.__func__, owner)
        if type(value) is partial:
            parts = [value.func, value.args, value.keywords]
            new = [self._anew(part, made) for part in parts]
            return value if all_same(parts, new) else partial(new[0], *new[1], **new[2])
        if type(value) is ref and id(value()) in made:
            return ref(made[id(value())])
        if not (type(value) is FunctionType and not value.__closure__ and not value.__defaults__):
            self.odd.append(value)
        return value


def _more_than_its_dict(kind: type) -> bool:
    """Does a module of that class keep attributes in slots, or run code when it is deleted?"""
    return bool(slots_of(kind)) or hasattr(kind, "__del__")


def _unmade(module: nn.Module) -> bool:
    """Does the module have weights that only its first pass makes?"""
    return any(is_lazy(tensor) for tensor in chain(module._parameters.values(), module._buffers.values()))  # type: ignore[arg-type]


def _only_read(value: Any) -> bool:
    """Is it what a network's code does not write on: one of an enum, a function of torch's own, settings of transformers?"""
    settings = sys.modules.get("transformers.configuration_utils")
    if settings is not None and isinstance(value, settings.PretrainedConfig):
        return True
    bare = type(value) is BuiltinFunctionType and isinstance(value.__self__, type | ModuleType | None)
    return bare or isinstance(value, Enum)


def _writes(tensors: Iterable[Tensor]) -> int:
    """How often these were written to, as far as torch counts it."""
    try:
        return sum(map(VERSION, tensors))
    except RuntimeError:  # of tensors made in inference mode torch counts nothing
        return sum(0 if tensor.is_inference() else tensor._version for tensor in tensors)


def _behind(proxy: Any) -> Any:
    """What a weak proxy stands for; None if that is gone."""
    try:
        return proxy.__init__.__self__
    except (ReferenceError, AttributeError):
        return None


def _leads(start: Any, modules: Mapping[int, nn.Module]) -> bool:
    """Can one of the modules be reached from an object that is not a module itself?"""
    waiting, visited = [start], set[int]()
    while waiting and len(visited) < FURTHEST:
        value = waiting.pop()
        if modules.get(id(value), modules) is value or (type(value) is int and value in modules):  # itself, or its id
            return True
        if id(value) in visited or issubclass(type(value), FAR):
            continue
        visited.add(id(value))
        if type(value) is FunctionType:  # not into its globals
            cells = [_held(cell) for cell in value.__closure__ or ()]
            waiting += [value.__defaults__, value.__kwdefaults__, value.__dict__, *cells]
        elif type(value) in ProxyTypes:
            waiting.append(_behind(value))
        elif isinstance(value, ref):
            waiting.append(value())
        elif type(value) is np.ndarray:
            waiting += value.ravel().tolist() if value.dtype.hasobject else []
        else:
            waiting += gc.get_referents(value)
    return False


def _held(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # not filled yet
        return None
