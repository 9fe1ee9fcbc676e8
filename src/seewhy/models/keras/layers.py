"""The layers of a Keras model by name, and functions in the place of their calls: the same on every backend."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from threading import Lock, local
from typing import Any

import keras

CALLS = ("call", "quantized_call")  # the methods that compute what a layer emits
LayerCall = Callable[..., Any]  # what stands in for them: it is given the method, and what that was called with


def named_layers(model: Any) -> dict[str, Any]:
    """Every layer of a model at any depth but for its inputs, by name: one inside of another is `block/conv`.

    A layer that lies in several has the name of the first.  Of two that Keras calls the same, which subclassed models allow,
    the second is `conv_2`.  What would mean something else in a layer's name here ("." and "#") becomes "_".
    """
    named: dict[str, Any] = {}
    _name(model, "", named, {id(model)})
    return named


def _name(model: Any, prefix: str, named: dict[str, Any], met: set[int]) -> None:
    for layer in model._flatten_layers(include_self=False, recursive=False):
        if id(layer) in met or isinstance(layer, keras.layers.InputLayer):
            continue
        met.add(id(layer))
        own = prefix + layer.name.replace(".", "_").replace("#", "_")
        name, count = own, 2
        while name in named:
            name, count = f"{own}_{count}", count + 1
        named[name] = layer
        _name(layer, f"{name}/", named, met)


class FunctionsHere(local):
    """What is called in this thread in the place of layers' calls, by the id of each: the first is the innermost."""

    def __init__(self) -> None:
        self.functions: Mapping[int, Sequence[LayerCall]] = {}


HERE, LOCK = FunctionsHere(), Lock()
LENT: dict[int, tuple[int, list[tuple[str, Any]]]] = {}  # layers whose calls are replaced: how many blocks do, what they held
NOTHING = object()


@contextmanager
def tapped(functions: Iterable[tuple[Any, LayerCall]]) -> Iterator[None]:
    """While the block runs, and in this thread alone, each layer (or operation) is called through its function.

    A function is given the layer's own method and what that was called with, function(call, *args, **kwargs), and returns
    what the layer emits.  Of several functions for one layer the later are called around the earlier ones, and those of a
    block around those of the blocks around it.  The layers come back as they were.
    """
    pairs = [*functions]
    before = HERE.functions
    here = {key: [*earlier] for key, earlier in before.items()}
    for layer, function in pairs:
        here.setdefault(id(layer), []).append(function)
    layers = [*{id(layer): layer for layer, _ in pairs}.values()]
    with LOCK:
        for layer in layers:
            _lend(layer)
    HERE.functions = here
    try:
        yield
    finally:
        HERE.functions = before
        with LOCK:
            for layer in layers:
                _give_back(layer)


def _lend(layer: Any) -> None:
    count, held = LENT.get(id(layer), (0, []))
    if not count:
        own = vars(layer)
        held = [(name, own.get(name, NOTHING)) for name in CALLS if hasattr(layer, name)]
        for name, _ in held:
            own[name] = partial(_called, id(layer), getattr(layer, name))
    LENT[id(layer)] = count + 1, held


def _give_back(layer: Any) -> None:
    count, held = LENT.pop(id(layer))
    if count > 1:
        LENT[id(layer)] = count - 1, held
        return
    for name, value in held:
        if value is NOTHING:
            del vars(layer)[name]
        else:
            vars(layer)[name] = value


def _called(key: int, call: LayerCall, *args: Any, **kwargs: Any) -> Any:
    """The call of a layer, through the functions of this thread; in other threads, as it is."""
    for function in HERE.functions.get(key, ()):
        call = partial(function, call)
    return call(*args, **kwargs)


def channels_of(model: Any) -> int:
    """Which dimension of its batches holds the channels: 1 where the first layer that says so is `channels_first`, else -1."""
    formats = (getattr(layer, "data_format", None) for layer in named_layers(model).values())
    return 1 if next(filter(None, formats), "") == "channels_first" else -1


def packed(model: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """What a model is called with, of inputs given one by one, or by name: as many as it has, in its own structure."""
    names = [each.name for each in getattr(model, "inputs", None) or ()]
    if kwargs and set(kwargs) == set(names):
        args, kwargs = tuple(kwargs[name] for name in names), {}
    if len(args) > 1 and len(args) == len(names):
        return (keras.tree.pack_sequence_as(model._inputs_struct, [*args]),), dict(kwargs)
    return args, dict(kwargs)
