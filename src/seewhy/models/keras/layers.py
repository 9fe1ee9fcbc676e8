"""The layers of a Keras model by name, and functions in the place of their calls: the same on every backend."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from threading import Lock, local
from types import MappingProxyType
from typing import Any

import keras

from seewhy.errors import BadParameter
from seewhy.printable import printable

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


def photo_settings(model: Any, given: Mapping[str, Any] = MappingProxyType({})) -> dict[str, Any]:
    """The numbers of preprocessing that were given, with the size of photos, and whether they are grey, as the model says.

    given: as `wrap(prepare=)` takes them.  Raises BadParameter where they say nothing of the colours.
    """
    shapes = (tuple(each.shape) for each in getattr(model, "inputs", None) or ())
    _, *sides = next((shape for shape in shapes if len(shape) == 4), (None, None, None, None))
    channels = sides.pop(0 if channels_of(model) == 1 else -1)
    made = dict(given)
    if not {"size", "crop"} & {*given} and None not in sides:
        made |= {"size": tuple(sides), "crop": None}
    if not {"mean", "std"} & {*given}:
        raise BadParameter(COLOURS.format(printable(model.name, 100)))
    made = {"mean": 0.0, "std": 1.0, **made}
    return {name: (value,) if channels == 1 and name in ("mean", "std") and isinstance(value, int | float) else value
            for name, value in made.items()}  # fmt: skip


COLOURS = (
    "How photos were prepared for {} is not known: say mean and std, on the scale from 0 to 1. Values from 0 to 1 are mean=0 "
    "std=1, from -1 to 1 mean=0.5 std=0.5, from 0 to 255 mean=0 std=1/255 (0.00392157); bgr=true where blue comes first."
)


def packed(model: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """What a model is called with, of inputs given one by one, or by name: as many as it has, in its own structure."""
    names = [each.name for each in getattr(model, "inputs", None) or ()]
    if kwargs and set(kwargs) == set(names):
        args, kwargs = tuple(kwargs[name] for name in names), {}
    if len(args) > 1 and len(args) == len(names):
        return (keras.tree.pack_sequence_as(model._inputs_struct, [*args]),), dict(kwargs)
    return args, dict(kwargs)
