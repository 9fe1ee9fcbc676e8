"""The random number generators that a stranger's callable has of its own: found by following what it is made of."""

import random
from collections import deque
from collections.abc import Iterator, Mapping
from functools import partial
from types import BuiltinMethodType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np

MOST = 4000  # objects that are looked at
GENERATORS = (random.Random, np.random.Generator, np.random.RandomState)
LIBRARIES = ("builtins", "functools", "random", "numpy", "PIL", "torch", "torchvision")  # their code draws from global ones
PLAIN = (str, bytes, int, float, complex, type(None), np.ndarray, ModuleType)  # lead to no generator


def generators(owner: Any) -> list[Any]:
    """Generators of Python and numpy among the attributes, closures and defaults of a callable, of what these hold, and among
    the global names in its code.
    """
    found: list[Any] = []
    waiting, looked_at = deque([owner]), {id(owner): owner}
    while waiting and len(looked_at) < MOST:
        thing = waiting.popleft()
        if isinstance(thing, GENERATORS):
            found.append(thing)
            continue
        for inner in _held(thing):
            if id(inner) not in looked_at and not isinstance(inner, PLAIN):
                looked_at[id(inner)] = inner  # kept, so that no other object gets its id meanwhile
                waiting.append(inner)
    return found


def _held(thing: Any) -> Iterator[Any]:
    """What an object holds."""
    if isinstance(thing, Mapping):
        yield from [*thing.values()]
    elif isinstance(thing, list | tuple | set | frozenset | deque):
        yield from [*thing]
    elif isinstance(thing, FunctionType):
        yield from () if _of_library(thing) else _of_function(thing)
    elif isinstance(thing, MethodType):
        yield from (thing.__self__, thing.__func__)
    elif isinstance(thing, BuiltinMethodType):
        yield thing.__self__
    elif isinstance(thing, partial):
        yield from (thing.func, thing.args, thing.keywords)
    elif isinstance(thing, staticmethod | classmethod):
        yield thing.__func__
    elif isinstance(thing, property):
        yield thing.fget
    elif isinstance(thing, type):
        yield from () if _of_library(thing) else [*vars(thing).values(), *thing.__bases__]
    else:
        yield from [*getattr(thing, "__dict__", {}).values()]
        slots = [name for kind in type(thing).__mro__ for name in np.atleast_1d(vars(kind).get("__slots__", ())).tolist()]
        yield from (getattr(thing, name, None) for name in slots)
        yield type(thing)


def _of_library(thing: Any) -> bool:
    return str(getattr(thing, "__module__", "")).partition(".")[0] in LIBRARIES


def _of_function(function: FunctionType) -> Iterator[Any]:
    """What a function's closure and defaults hold, and what the global names in its code stand for, also behind a module."""
    for cell in function.__closure__ or ():
        try:
            yield cell.cell_contents
        except ValueError:  # not filled yet
            continue
    yield from function.__defaults__ or ()
    yield from (function.__kwdefaults__ or {}).values()
    names = {*_names(function.__code__)}
    for name in names & function.__globals__.keys():
        value = function.__globals__[name]
        yield value
        if isinstance(value, ModuleType) and value.__name__.partition(".")[0] not in LIBRARIES:
            yield from (vars(value)[inner] for inner in names & vars(value).keys())


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            yield from _names(inner)
