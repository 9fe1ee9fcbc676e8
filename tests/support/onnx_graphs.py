"""Small ONNX graphs, made by hand, and networks of torch written as such."""

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, helper, numpy_helper
from torch import nn

node = helper.make_node
FLOAT, UINT8, HALF = TensorProto.FLOAT, TensorProto.UINT8, TensorProto.FLOAT16


def model(
    nodes: Sequence[Any], image: Sequence[Any] = ("n", 3, 12, 16), constants: Mapping[str, Any] | None = None,
    outputs: Mapping[str, Sequence[Any] | None] | None = None, kind: int = FLOAT, opset: int = 17, out: int | None = None,
    domains: Sequence[str] = (),
) -> ModelProto:  # fmt: skip
    """A graph that takes `image`; its outputs by name with their sides, by default what the last node gives."""
    ends = outputs or {nodes[-1].output[0]: None}
    graph = helper.make_graph(
        list(nodes), "made by hand", [helper.make_tensor_value_info("image", kind, list(image))],
        [helper.make_tensor_value_info(name, out or kind, sides) for name, sides in ends.items()],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in (constants or {}).items()],
    )  # fmt: skip
    opsets = [helper.make_opsetid("", opset), *(helper.make_opsetid(domain, 1) for domain in domains)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def drawn(*shape: int, seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng([seed, *shape]).standard_normal(shape).astype(np.float32)


def classifier(classes: int = 5, **changes: Any) -> ModelProto:
    """Two convolutions, pooling over all, and a linear layer: layers conv1, act1, conv2, act2, pool; 5 scores, or more."""
    constants = {"w1": drawn(6, 3, 3, 3), "w2": drawn(8, 6, 3, 3), "fc": drawn(classes, 8), "b": drawn(classes)}
    nodes = [
        node("Conv", ["image", "w1"], ["conv1"], "conv1", pads=[1, 1, 1, 1]),
        node("Relu", ["conv1"], ["act1"], "act1"),
        node("Conv", ["act1", "w2"], ["conv2"], "conv2", pads=[1, 1, 1, 1], strides=[2, 2]),
        node("Relu", ["conv2"], ["act2"], "act2"),
        node("GlobalAveragePool", ["act2"], ["pool"], "pool"),
        node("Flatten", ["pool"], ["flat"], "flat"),
        node("Gemm", ["flat", "fc", "b"], ["scores"], "fc", transB=1),
    ]
    return model(nodes, constants=constants, outputs={"scores": ["n", classes]}, **changes)


def exported(network: nn.Module, x: NDArray[Any], path: Path, dynamo: bool = False, dynamic: bool = True, **more: Any) -> Path:
    """A network of torch as an ONNX file, for any number of images unless `dynamic` is said to be False."""
    given = (torch.from_numpy(x.astype(np.float32)),)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the exporters, about themselves
        if dynamo:
            shapes = ({0: torch.export.Dim("n")},) if dynamic else None
            torch.onnx.export(network, given, str(path), dynamo=True, verbose=False, dynamic_shapes=shapes, **more)
        else:
            names = {"input_names": ["image"], "output_names": ["scores"]}
            axes = {"dynamic_axes": {"image": {0: "n"}}} if dynamic else {}
            torch.onnx.export(network, given, str(path), dynamo=False, opset_version=17, **names, **axes, **more)
    return path


def run(proto: ModelProto, x: NDArray[Any], outputs: Sequence[str] | None = None) -> list[NDArray[Any]]:
    """What onnx's own slow evaluator gives."""
    from onnx.reference import ReferenceEvaluator  # slow to import, and few tests need it

    return ReferenceEvaluator(proto).run(None if outputs is None else list(outputs), {"image": x})  # type: ignore[return-value]


def saved(proto: ModelProto, path: Path) -> Path:
    onnx.save(proto, str(path))
    return path
