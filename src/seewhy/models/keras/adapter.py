"""What `wrap` does with a Keras model: on torch the torch adapter reads it, on other backends this folder's own."""

from collections.abc import Mapping
from dataclasses import replace
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import keras

from seewhy.errors import BadParameter
from seewhy.models.settings import Settings
from seewhy.prepare.volume_fit import means_volumes
from seewhy.printable import printable

from .layers import channels_of, photo_settings

READERS = {  # by backend: module, class, called with the Keras model and its settings
    "torch": ("seewhy.models.keras.torch_model", "TorchKerasModel"),
    "tensorflow": ("seewhy.models.keras.model", "KerasModel"),
    "jax": ("seewhy.models.keras.model", "KerasModel"),
}


def keras_model(network: Any, settings: Settings) -> Any:
    """The model behind a Keras model or layer, on whichever backend Keras runs.

    Raises BadParameter for one that is not built yet, and for a backend that seewhy does not read.
    """
    if not keras.__version__.startswith("3."):
        raise BadParameter(f"seewhy reads models of Keras 3; this one is of Keras {keras.__version__}.")
    name = settings.name or network.name
    if not network.built:
        raise BadParameter(
            f"The Keras model {printable(name, 100)} has no weights yet: it gets them when it first runs. Call it on a batch, "
            "or build it, as in network.build((None, 224, 224, 3))."
        )
    backend = keras.backend.backend()
    module, model = READERS.get(backend, ("", ""))
    if not module or find_spec(module) is None:
        raise BadParameter(
            f"Keras runs on the {backend} backend here, which seewhy does not read yet. Set KERAS_BACKEND=torch before keras "
            "is imported."
        )
    channels = channels_of(network) if settings.channels is None else settings.channels
    prepare = settings.prepare
    if isinstance(prepare, Mapping) and not means_volumes(prepare) and "count" not in prepare:
        prepare = photo_settings(network, prepare)
    return getattr(import_module(module), model)(network, replace(settings, name=name, channels=channels, prepare=prepare))
