"""Modules of Flax, NNX and Linen: each of their submodules is a layer, by its path."""

# Nothing of JAX is in the environment that is checked.
# pyright: reportMissingImports=false

import inspect
from collections.abc import Mapping
from functools import cache, partial
from threading import local
from typing import Any

import flax
import jax
import jax.numpy as jnp

from seewhy.errors import BadParameter
from seewhy.models.backend.inputs import caller, picked
from seewhy.models.backend.model import BackendModel
from seewhy.models.settings import Settings
from seewhy.printable import printable

from .backend import JaxNetwork
from .equations import marked
from .model import channels_of, dtype_of, modelled

INFERENCE = {"train": False, "training": False, "is_training": False, "deterministic": True}  # keywords that modules take


class NamesHere(local):
    """The names of NNX modules whose pass is traced in this thread, by their ids."""

    def __init__(self) -> None:
        self.names: Mapping[int, str] = {}


HERE = NamesHere()


def nnx_model(module: Any, settings: Settings) -> BackendModel:
    """The model behind a flax.nnx.Module, run in inference (`eval()`) on a copy: its own mode, weights and counts stay.

    Raises BadParameter where params are given, since an NNX module holds its own.
    """
    from flax import nnx  # of flax's two interfaces, the one that the module is of

    if settings.params is not None:
        raise BadParameter("An NNX module holds its own weights: wrap(module), without params.")
    name = settings.name or type(module).__name__
    called = caller(settings.inputs)
    kinds = {_path(path): type(each).__name__ for path, each in nnx.iter_modules(module) if path}

    def call(state: Any, x: Any) -> Any:
        copy = nnx.merge(nnx.split(module)[0], state)
        copy.eval()
        layers = [(_path(path), each) for path, each in nnx.iter_modules(copy) if path]
        for _, each in layers:
            each.__class__ = _marking(type(each))
        before, HERE.names = HERE.names, {id(each): path for path, each in layers}
        try:
            args, kwargs = called(x)
            return picked(copy(*args, **kwargs), settings.output, name)
        finally:
            HERE.names = before

    network = JaxNetwork(
        "Flax NNX", name, call, lambda: nnx.split(module)[1], channels_of(settings), versions, kinds,
        key=lambda: nnx.split(module)[0], dtype=dtype_of(nnx.state(module, nnx.Param)),
    )  # fmt: skip
    return modelled(network, settings)


@cache
def _marking(kind: type) -> type:
    """A class whose objects are of that kind, and mark what they emit while a pass is traced."""

    def through(self: Any, *args: Any, **kwargs: Any) -> Any:
        emitted = kind.__call__(self, *args, **kwargs)  # type: ignore[operator] - a module is called, or this is never reached
        return _first_marked(emitted, HERE.names[id(self)]) if id(self) in HERE.names else emitted

    return type(kind)(kind.__name__, (kind,), {"__call__": through, "__module__": kind.__module__})


def linen_model(module: Any, settings: Settings) -> BackendModel:
    """The model behind a flax.linen.Module and its variables, wrap(module, variables), run in inference.

    Keywords that say so (train, training, is_training, deterministic) are given where the module takes them and `inputs` does
    not hold them.  Raises BadParameter without variables.
    """
    import flax.linen as nn  # of flax's two interfaces, the one that the module is of

    bound = module.scope is not None
    variables = module.variables if bound and settings.params is None else settings.params
    if variables is None:
        raise BadParameter("A Linen module does not hold its weights: give them, wrap(module, variables).")
    if not isinstance(variables, Mapping) or "params" not in variables:
        raise BadParameter(
            f"params={printable(type(variables).__name__)}: all variables of the module, {{'params': ..., ...}}."
        )
    module = module.clone(parent=None) if bound else module
    name = settings.name or type(module).__name__
    called, kinds = caller(settings.inputs), dict[str, str]()
    taken = {key: value for key, value in INFERENCE.items() if key in inspect.signature(module.__call__).parameters}

    def call(state: Any, x: Any) -> Any:
        args, kwargs = called(x)
        with nn.intercept_methods(partial(_intercepted, kinds)):
            return picked(module.apply(state, *args, **{**taken, **kwargs}), settings.output, name)

    network = JaxNetwork(
        "Flax Linen", name, call, lambda: variables, channels_of(settings), versions, kinds, dtype=dtype_of(variables["params"])
    )
    return modelled(network, settings)


def _intercepted(kinds: dict[str, str], call: Any, args: Any, kwargs: Any, context: Any) -> Any:
    emitted, path = call(*args, **kwargs), _path(context.module.path)
    if context.method_name != "__call__" or not path:
        return emitted
    kinds[path] = type(context.module).__name__
    return _first_marked(emitted, path)


def _path(path: Any) -> str:
    return "/".join(str(part).replace("#", "_") for part in path)


def _first_marked(emitted: Any, layer: str) -> Any:
    """What a layer emits, marked; of several things the first."""
    if isinstance(emitted, tuple | list) and emitted:
        return type(emitted)([_first_marked(emitted[0], layer), *emitted[1:]])
    array: Any = emitted
    return marked(array, layer) if isinstance(array, jax.Array) and jnp.issubdtype(array.dtype, jnp.floating) else array


def versions() -> dict[str, str]:
    return {"flax": flax.__version__}
