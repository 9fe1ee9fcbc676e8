"""Models that Keras 2 saved as HDF5: their settings in the words of Keras 3, and their weights."""

from collections.abc import Iterator, Mapping
from inspect import signature
from typing import Any

import numpy as np

from seewhy.errors import BadWeights
from seewhy.printable import printable

from .keras import imported_keras

GONE: Mapping[str, tuple[Any, ...]] = {  # settings that Keras 3 no longer takes, with the values that changed nothing
    "groups": (1,), "time_major": (False,), "ragged": (False,), "fused": (None, True, False), "renorm": (False,),
    "virtual_batch_size": (None,), "implementation": (0, 1, 2), "data_format": (None, "channels_last"), "sparse": (False,),
    "batch_input_shape": (), "kernel_initializer": (), "kernel_regularizer": (None,), "kernel_constraint": (None,),
    "input_dtype": (None,), "mode": (0,), "reset_after": (False, True),
}  # fmt: skip
RENAMED = {"Model": "Functional", "Merge": "Concatenate"}
ACTIVATIONS = {"softmax_v2": "softmax", "swish": "silu"}
TURNED = "Its kernels lie the other way round. Load it with Keras 2 on TensorFlow, which turns them, and save it again."


def check_origin(attributes: Mapping[str, Any], name: str) -> str:
    """By which Keras a file was saved, in words; BadWeights where its weights lie in another order than today's."""
    version, backend = (text_of(attributes.get(key)) for key in ("keras_version", "backend"))
    if version.startswith(("0.", "1.")):
        raise BadWeights(f"{name} was saved by Keras {printable(version, 20)}, whose weights lie in another order. {TURNED}")
    if backend == "theano":
        raise BadWeights(f"{name} was saved by Keras {printable(version, 20)} on Theano. {TURNED}")
    return f"Keras {version or 'of an unknown version'}" + (f" on {backend}" if backend else "")


def text_of(value: Any) -> str:
    """An attribute of an HDF5 file as text."""
    if isinstance(value, np.ndarray) and value.shape == ():
        value = value.item()
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value) if value is not None else ""


def of_today(config: Any) -> Any:
    """A model's settings as Keras 2 wrote them, in the words of Keras 3."""
    if isinstance(config, list):
        return [of_today(part) for part in config]
    if not isinstance(config, dict):
        return config
    if isinstance(config.get("class_name"), str) and isinstance(config.get("config"), dict | list):
        config = _layer(config)
    return {key: of_today(value) for key, value in config.items()}


def _layer(layer: Mapping[str, Any]) -> dict[str, Any]:
    kind, config = str(layer["class_name"]), layer["config"]
    kind = RENAMED.get(kind, kind)
    if kind == "Sequential" and isinstance(config, list):
        config = {"name": "sequential", "layers": config}
    if kind == "Sequential" and isinstance(config, dict):
        config = {**config, "layers": [*_with_input(config.get("layers", []))]}
    if isinstance(config, dict) and kind not in ("Sequential", "Functional"):
        config = _settings(kind, config)
    return {**layer, "class_name": kind, "config": config}


def _with_input(layers: Any) -> Iterator[Any]:
    """The layers of a Sequential; what the first says of the batches it takes is a layer of its own today."""
    for place, layer in enumerate(layers):
        given = layer.get("config") if isinstance(layer, dict) else None
        config = given if isinstance(given, dict) else {}
        shape = config.get("batch_input_shape")
        if place == 0 and shape is not None and layer.get("class_name") != "InputLayer":
            dtype = config.get("dtype") if isinstance(config.get("dtype"), str) else "float32"
            name = f"{config.get('name', 'first')}_input"
            yield {"class_name": "InputLayer", "config": {"batch_shape": shape, "dtype": dtype, "name": name}}
        yield layer


def _settings(kind: str, config: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a layer without those that Keras 3 does not take, where these changed nothing."""
    made = {key: ACTIVATIONS.get(value, value) if "activation" in key and isinstance(value, str) else value
            for key, value in config.items()}  # fmt: skip
    if kind == "InputLayer" and "batch_input_shape" in made:
        made["batch_shape"] = made.pop("batch_input_shape")
    if kind == "BatchNormalization" and isinstance(made.get("axis"), list) and len(made["axis"]) == 1:
        made["axis"] = made["axis"][0]
    taken = _taken(kind)
    harmless = (key for key in GONE if key in made and taken and key not in taken)
    for key in [*harmless]:
        value = made[key]
        if not GONE[key] or any(value is each or value == each for each in GONE[key]):
            del made[key]
    return made


def _taken(kind: str) -> set[str]:
    """The settings that a layer of Keras takes, by name; of others nothing is known."""
    layer = getattr(imported_keras().layers, kind, None)
    if not isinstance(layer, type):
        return set()
    return {name for base in layer.__mro__ if "__init__" in vars(base) for name in signature(base.__init__).parameters}
