"""Lists, dicts and sets that the modules of a network keep: a stand-in has its own, so that no other writes on them."""

from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterable
from copy import copy
from operator import is_
from typing import Any, NamedTuple

KINDS = (list, tuple, set, dict, OrderedDict, defaultdict)


class Pair(NamedTuple):
    """A container of the network, and the one that stands in for it; what both held at first, keys before values."""

    original: Any
    own: Any
    held: list[Any]
    new: list[Any]

    def same(self) -> bool:
        """Do both still hold the very same objects?"""
        return alike(held_by(self.original), self.held) and (self.own is self.original or alike(held_by(self.own), self.new))


class OwnContainers:
    """The containers of a stand-in.  apart: none is shared with the network, also of those that lead to no module."""

    def __init__(self, apart: bool) -> None:
        self.apart = apart
        self.pairs: dict[int, Pair] = {}  # by the id of the original: two modules that share one still do

    def of(self, value: Any, anew: Callable[[Any], Any]) -> Any:
        """What stands in for a container; anew: what stands in for each thing in it."""
        if (pair := self.pairs.get(id(value))) is not None:
            return pair.own
        held = held_by(value)
        new = [anew(item) for item in held]
        unchanged = all_same(held, new)
        if type(value) is tuple:
            return value if unchanged else tuple(new)
        own = _filled(value, new) if not unchanged else copy(value) if self.apart else value
        self.pairs[id(value)] = Pair(value, own, held, held_by(own))
        return own

    def same(self) -> bool:
        """Do all of them, and those of the network, still hold the very same objects?"""
        return all(pair.same() for pair in self.pairs.values())

    def written(self) -> list[int]:
        """The ids of those of the network of which the stand-in's own holds something else since."""
        return [at for at, pair in self.pairs.items() if not alike(held_by(pair.own), pair.new)]


def held_by(container: Any) -> list[Any]:
    """What a container holds; of a dict all keys, then all values."""
    return [*container.keys(), *container.values()] if isinstance(container, dict) else [*container]


def all_same(before: Iterable[Any], after: Iterable[Any]) -> bool:
    return all(map(is_, before, after))


def alike(now: list[Any], then: list[Any]) -> bool:
    return len(now) == len(then) and all_same(now, then)


def _filled(like: Any, held: list[Any]) -> Any:
    """A container like `like` that holds this; of a dict all keys first."""
    if not isinstance(like, dict):
        return type(like)(held)
    new, half = copy(like), len(held) // 2
    new.clear()
    new.update(zip(held[:half], held[half:], strict=True))
    return new
