"""What the modules of a network held at one moment, compared with what they hold now without a Python call for each."""

from collections.abc import Iterator
from typing import Any

from torch import Tensor, nn

STANDARD = {*nn.Module().__dict__}  # what every module has
HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
WEIGHTS = ("_parameters", "_buffers")
HELD = (*WEIGHTS, "_modules", *HOOKS)
NOTHING = object()
Change = tuple[int, str]  # what can differ: the id of the object that holds it, and under which name


class Snapshot:
    """What the attributes of modules were when the snapshot was made.  states: each module's `__dict__`."""

    def __init__(self, states: list[dict[str, Any]]) -> None:
        self.states, self.first = states, [dict(state) for state in states]
        inner = [held for state in states for key in HELD if isinstance(held := state.get(key), dict)]
        self.empty, self.filled = [held for held in inner if not held], [held for held in inner if held]
        self.held = [dict(held) for held in self.filled]
        attributes = [(state, key) for state in states for key in state.keys() - STANDARD if isinstance(state[key], Tensor)]
        weights = [held for state in states for key in WEIGHTS if isinstance(held := state.get(key), dict)]
        single = [(held, key) for held in weights for key, value in held.items() if value is not None and _single(value)]
        self.tensors = [(holder, key, holder[key]) for holder, key in (*attributes, *single)]

    def holds(self) -> bool:
        """Are the parameters, buffers, modules and hooks still the very same objects?"""
        stay = all(holder.get(key) is value for holder, key, value in self.tensors)
        return stay and not any(self.empty) and equal(self.filled, self.held)

    def same(self) -> bool:
        """Do the modules still hold the very same objects in all of their attributes?"""
        return self.holds() and equal(self.states, self.first)

    def changes(self) -> Iterator[tuple[int, str]]:
        """The attributes that are others now: the place of the module, and the name."""
        held = {id(filled): then for filled, then in zip(self.filled, self.held, strict=True)}
        for place, (now, then) in enumerate(zip(self.states, self.first, strict=True)):
            for key in dict.fromkeys((*then, *now)):
                value, before = now.get(key, NOTHING), then.get(key, NOTHING)
                inside = key in HELD and isinstance(value, dict) and value is before
                if not (same_items(value, held.get(id(value), {})) if inside else alike(value, before)):
                    yield place, key


def equal(now: Any, then: Any) -> bool:
    """Are they equal?  Of objects that are the same nothing is asked; arrays that are others are not equal."""
    try:
        return bool(now == then)
    except Exception:  # noqa: BLE001 - what a stranger's class raises where it is compared
        return False


def alike(now: Any, then: Any) -> bool:
    """The same object, or one of the same kind that is equal."""
    return now is then or (type(now) is type(then) and not isinstance(now, Tensor) and equal(now, then))


def same_items(now: dict[str, Any], then: dict[str, Any]) -> bool:
    """Do two dicts hold the very same objects under the same names in the same order?"""
    return [*now] == [*then] and all(value is then[key] for key, value in now.items())


def _single(tensor: Tensor) -> bool:
    """Can it be equal to another tensor?  `==` of larger ones raises an error."""
    return type(tensor) not in (Tensor, nn.Parameter) or tensor.numel() == 1
