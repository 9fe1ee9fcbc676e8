"""One small network behind every adapter: the same weights in torch, Keras, ONNX, JAX, numpy, and as a bare function.

What is not installed skips, by name.  Keras runs on the backend that KERAS_BACKEND names, torch where it names none.
"""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

import seewhy
from seewhy.arrays import numbers
from seewhy.models.backend.model import BackendModel
from seewhy.models.settings import Settings
from support import networks
from support.numpy_backend import NumpyNetwork

Floats = NDArray[Any]


class Adapted(NamedTuple):
    """The network behind one adapter."""

    model: Any
    given: Callable[[Floats], Floats]  # images (n, c, h, w) -> as its adapter takes prepared ones
    state: Callable[[], Any]  # all of it that a person could find changed


@cache
def source() -> nn.Module:
    """The network in torch, in float32: conv1, act1, conv2, act2, pool, flat, fc."""
    return networks.pooled().float().eval()


def images(n: int, seed: int = 1) -> Floats:
    return networks.images(n, *networks.SIDES, seed=seed).astype(np.float32)


def weights() -> dict[str, Floats]:
    return {name: value.detach().numpy().copy() for name, value in source().named_parameters()}


def unturned(x: Floats) -> Floats:
    return x


def turned(x: Floats) -> Floats:
    return np.ascontiguousarray(np.moveaxis(x, 1, -1))


def in_torch() -> Adapted:
    network = networks.pooled().float().eval()
    return Adapted(seewhy.wrap(network), unturned, lambda: [t.numpy().tobytes() for t in network.state_dict().values()])


def in_numpy() -> Adapted:
    backend = NumpyNetwork(source())
    return Adapted(BackendModel(backend, Settings("numpy")), unturned, lambda: [v.tobytes() for v in backend.p.values()])


def as_function() -> Adapted:
    network = source()

    def scores(x: Floats) -> Floats:
        with torch.no_grad():
            return network(torch.tensor(x)).numpy()

    return Adapted(seewhy.wrap(scores, takes="float", scores="logits"), unturned, lambda: None)


def keras_network() -> Any:
    """The network in Keras, on its backend, built and filled."""
    keras = pytest.importorskip("keras")
    given = keras.Input((None, None, 3))
    x = given
    for i, (channels, stride) in enumerate(((6, 1), (8, 2)), 1):
        x = keras.layers.ZeroPadding2D(1, name=f"pad{i}")(x)
        x = keras.layers.Conv2D(channels, 3, stride, name=f"conv{i}")(x)
        x = keras.layers.ReLU(name=f"act{i}")(x)
    x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    network = keras.Model(given, keras.layers.Dense(networks.CLASSES, name="fc")(x))
    w = weights()
    for i in (1, 2):
        network.get_layer(f"conv{i}").set_weights([w[f"conv{i}.weight"].transpose(2, 3, 1, 0), w[f"conv{i}.bias"]])
    network.get_layer("fc").set_weights([w["fc.weight"].T, w["fc.bias"]])
    return network


def in_keras() -> Adapted:
    network = keras_network()
    calls = {layer.name: layer.__dict__.get("call") for layer in network.layers}

    def state() -> Any:
        assert {layer.name: layer.__dict__.get("call") for layer in network.layers} == calls
        held = [numbers(variable.value).tobytes() for variable in network.weights]
        return held, [layer.trainable for layer in network.layers]

    return Adapted(seewhy.wrap(network, geometry="plain"), turned, state)


@cache
def onnx_file() -> str:
    """The network as an ONNX file, for any number of images of any size."""
    pytest.importorskip("onnxruntime")
    onnx = pytest.importorskip("onnx")
    make, w = onnx.helper, weights()
    nodes = []
    for i, (before, stride) in enumerate((("image", 1), ("act1", 2)), 1):
        nodes.append(make.make_node("Conv", [before, f"conv{i}.weight", f"conv{i}.bias"], [f"conv{i}"], f"conv{i}",
                                    kernel_shape=[3, 3], pads=[1, 1, 1, 1], strides=[stride, stride]))  # fmt: skip
        nodes.append(make.make_node("Relu", [f"conv{i}"], [f"act{i}"], f"act{i}"))
    nodes.append(make.make_node("GlobalAveragePool", ["act2"], ["pool"], "pool"))
    nodes.append(make.make_node("Flatten", ["pool"], ["flat"], "flat"))
    nodes.append(make.make_node("Gemm", ["flat", "fc.weight", "fc.bias"], ["scores"], "fc", transB=1))
    floats = onnx.TensorProto.FLOAT
    graph = make.make_graph(
        nodes, "pooled", [make.make_tensor_value_info("image", floats, ["n", 3, "h", "w"])],
        [make.make_tensor_value_info("scores", floats, ["n", networks.CLASSES])],
        [onnx.numpy_helper.from_array(value, name) for name, value in w.items()],
    )  # fmt: skip
    path = Path(mkdtemp()) / "pooled.onnx"
    onnx.save(make.make_model(graph, opset_imports=[make.make_opsetid("", 17)], ir_version=8), str(path))
    return str(path)


def in_onnx() -> Adapted:
    path = onnx_file()
    return Adapted(seewhy.load(path, geometry="plain"), unturned, Path(path).read_bytes)


def in_jax() -> Adapted:
    pytest.importorskip("jax")
    from support import jax_networks as networks_in_jax  # which stand on JAX and Flax

    params = networks_in_jax.params()
    model = seewhy.wrap(networks_in_jax.scores, params)
    return Adapted(model, turned, lambda: [numbers(value).tobytes() for value in params.values()])


def in_nnx() -> Adapted:
    jax, nnx = pytest.importorskip("jax"), pytest.importorskip("flax.nnx")
    from support import jax_networks as networks_in_jax  # which stand on JAX and Flax

    network = networks_in_jax.nnx_pooled()

    def state() -> Any:
        graph, held, _counts = nnx.split(network, nnx.Param, ...)
        return hash(graph), [numbers(value).tobytes() for value in jax.tree.leaves(held)]

    return Adapted(seewhy.wrap(network), turned, state)


def in_linen() -> Adapted:
    pytest.importorskip("flax.linen")
    from support import jax_networks as networks_in_jax  # which stand on JAX and Flax

    variables = networks_in_jax.variables()
    model = seewhy.wrap(networks_in_jax.LinenPooled(), variables)
    return Adapted(model, turned, lambda: [numbers(v).tobytes() for p in variables["params"].values() for v in p.values()])


MAKERS: dict[str, Callable[[], Adapted]] = {
    "torch": in_torch, "numpy": in_numpy, "function": as_function, "keras": in_keras, "onnx": in_onnx, "jax": in_jax,
    "nnx": in_nnx, "linen": in_linen,
}  # fmt: skip
