"""Files as Keras 2.2.4 wrote them, made of models of today: settings and weights in the words of then."""

import json
from pathlib import Path
from typing import Any

import h5py
import keras

from seewhy.arrays import numbers

OLD: dict[str, dict[str, Any]] = {  # what layers said of themselves then, and take no more
    "DepthwiseConv2D": {"groups": 1}, "SeparableConv2D": {"groups": 1, "kernel_initializer": None},
    "LSTM": {"time_major": False},
}  # fmt: skip
LATER = ("module", "registered_name", "build_config")


def old_settings(layer: Any, **more: Any) -> dict[str, Any]:
    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            value = {
                key: plain(part) for key, part in value.items() if key not in ("module", "registered_name", "build_config")
            }
            return "float32" if value.get("class_name") == "DTypePolicy" else value
        return [plain(part) for part in value] if isinstance(value, list | tuple) else value

    kind = type(layer).__name__
    config = plain(layer.get_config())
    if kind == "InputLayer":
        shape = config["batch_shape"]
        config = {"batch_input_shape": shape, "dtype": "float32", "sparse": False, "name": config["name"]}
    return {"class_name": kind, "config": {**config, **OLD.get(kind, {}), **more}}


def old_sequential(model: Any, as_list: bool = False) -> dict[str, Any]:
    first, *rest = model.layers
    layers = [old_settings(first, batch_input_shape=[None, *model.input_shape[1:]]), *map(old_settings, rest)]
    return {"class_name": "Sequential", "config": layers if as_list else {"name": model.name, "layers": layers}}


def old_functional(model: Any) -> dict[str, Any]:
    layers = []
    for layer in model.layers:
        before = [[tensor._keras_history.operation.name, 0, 0, {}] for tensor in layer._inbound_nodes[0].input_tensors]
        settings = old_functional(layer) if isinstance(layer, keras.Model) else old_settings(layer)
        layers.append({**settings, "name": layer.name, "inbound_nodes": [before] if before else []})
    ends = {"input_layers": model.inputs, "output_layers": model.outputs}
    config = {"name": model.name, "layers": layers}
    config |= {key: [[each._keras_history.operation.name, 0, 0] for each in tensors] for key, tensors in ends.items()}
    return {"class_name": "Model", "config": config}


def write(path: Path, model: Any, config: Any, version: str = "2.2.4", backend: str = "tensorflow") -> Path:
    """The file; config: None for one that holds weights alone."""
    with h5py.File(path, "w") as file:
        group = file
        if config is not None:
            file.attrs["model_config"] = json.dumps(config).encode()
            file.attrs["keras_version"], file.attrs["backend"] = version.encode(), backend.encode()
            group = file.create_group("model_weights")
        group.attrs["keras_version"], group.attrs["backend"] = version.encode(), backend.encode()
        group.attrs["layer_names"] = [layer.name.encode() for layer in model.layers]
        for layer in model.layers:
            variables = layer.trainable_weights + layer.non_trainable_weights  # also of a nested model, in that order
            names = [f"{layer.name}/{variable.path}:0" for variable in variables]
            part = group.create_group(layer.name)
            part.attrs["weight_names"] = [name.encode() for name in names]
            for name, value in zip(names, variables, strict=True):
                part.create_dataset(name, data=numbers(value.value))
    return path
