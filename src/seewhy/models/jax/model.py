"""Pure functions of JAX, as `wrap` takes them: wrap(function, params)."""

# Nothing of JAX is in the environment that is checked.
# pyright: reportMissingImports=false

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from seewhy.errors import BadParameter
from seewhy.models.backend.inputs import caller, picked
from seewhy.models.backend.model import BackendModel
from seewhy.models.settings import Settings

from .backend import JaxBackend, JaxNetwork


def jax_model(function: Callable[..., Any], settings: Settings) -> BackendModel:
    """The model behind a function (params, images) -> scores (n, k), or of images alone where there are no params.

    Its scores can be asked for, and gradients at the images; no layer.
    """
    called, params = caller(settings.inputs), settings.params
    name = settings.name or getattr(function, "__name__", type(function).__name__)

    def call(state: Any, x: Any) -> Any:
        args, kwargs = called(x)
        output = function(*args, **kwargs) if params is None else function(state, *args, **kwargs)
        return picked(output, settings.output, name)

    network = JaxNetwork("JAX", name, call, lambda: params, channels_of(settings), dict, dtype=dtype_of(params), rank=None)
    return modelled(network, settings)


def modelled(network: JaxNetwork, settings: Settings) -> BackendModel:
    """The model behind a network that JAX runs; BadParameter for what is settled elsewhere."""
    if settings.device is not None or settings.dtype is not None:
        raise BadParameter(
            "JAX runs where the params lie, in the precision that they have: leave device= and dtype= out, and move them, as "
            "in jax.device_put(params, device)."
        )
    return BackendModel(JaxBackend(network), replace(settings, name=network.name))


def channels_of(settings: Settings) -> int:
    """Which dimension of the images holds the channels: the last, as JAX has it, where the person does not say."""
    return -1 if settings.channels is None else settings.channels


def dtype_of(params: Any) -> Any:
    """The precision of images: double where all params are."""
    floats = {str(leaf.dtype) for leaf in jax.tree.leaves(params) if jnp.issubdtype(leaf.dtype, jnp.floating)}
    return np.float64 if floats == {"float64"} else np.float32
