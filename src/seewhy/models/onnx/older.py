"""A graph written by the rules of the opset that converters to other frameworks read best: the same numbers."""

from collections.abc import Callable, Mapping
from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, ValueInfoProto, helper, numpy_helper, version_converter

from .batches import ArraysByName
from .graph import OnnxGraph, attributes
from .views import TensorView

LEAST = 13  # below, axes of many operators are attributes
OPSET = 17  # from 18 on, axes of reductions are inputs, among other changes


def older(
    graph: OnnxGraph, tensors: Mapping[str, str], image: str, views: Mapping[str, TensorView], known: ArraysByName
) -> ModelProto:
    """The part of a graph that computes tensors, as outputs of the names that they are given by, with its weights inside.

    known: tensors that are the same whatever image comes in, which take the place of what computes them.  Reshapes that hold
    on to a batch of one keep whatever number of images comes in.
    """
    kind = graph.inputs[image].type.tensor_type.elem_type
    model = graph.part([*tensors.values()], {image: kind})
    body: Any = model.graph
    writer = _Writer(graph, views, known)
    for name, value in known.items():
        writer.constant(name, value)
    for node in graph.needed([*tensors.values()], known):
        writer.write(node)
    for name, tensor in tensors.items():
        writer.nodes.append(helper.make_node("Identity", [writer.renamed.get(tensor, tensor)], [f"{name}#out"], "output"))
    weights = [_whole(graph, tensor.name) if tensor.name in graph.weights else tensor for tensor in body.initializer]
    del body.node[:], body.initializer[:], body.output[:], model.opset_import[:]
    body.node.extend(writer.nodes)
    body.initializer.extend([*weights, *writer.constants])
    body.output.extend(ValueInfoProto(name=f"{name}#out") for name in tensors)
    newest = {each.domain or "": each.version for each in graph.slim.opset_import}
    version = newest.get("", OPSET)
    model.opset_import.extend(helper.make_opsetid(domain, number) for domain, number in newest.items() if domain)
    model.opset_import.append(helper.make_opsetid("", min(version, OPSET)))
    return version_converter.convert_version(model, OPSET) if version < LEAST else model


def _whole(graph: OnnxGraph, name: str) -> Any:
    return numpy_helper.from_array(graph.weights[name], name)


class _Writer:
    """Writes nodes one after the other."""

    def __init__(self, graph: OnnxGraph, views: Mapping[str, TensorView], known: ArraysByName) -> None:
        self.graph, self.views, self.known = graph, views, known
        self.nodes: list[NodeProto] = []
        self.constants: list[Any] = []
        self.renamed: dict[str, str] = {}  # what passed through a node that does nothing, by the name behind it

    def write(self, node: NodeProto) -> None:
        """Write one node as the older opset has it."""
        fresh = NodeProto()
        fresh.CopyFrom(node)
        del fresh.input[:]
        fresh.input.extend(self.renamed.get(name, name) for name in node.input)
        if node.op_type in ("Identity", "Dropout"):
            self.renamed[node.output[0]] = fresh.input[0]
            return
        rewrite = REWRITTEN.get(node.op_type)
        if rewrite is None:
            self.nodes.append(fresh)
        else:
            rewrite(self, fresh)

    def value(self, name: str) -> NDArray[Any] | None:
        return self.known[name] if name in self.known else self.graph.value(name)

    def constant(self, name: str, value: Any) -> str:
        self.constants.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def reduced(self, node: NodeProto) -> None:
        """Axes as an attribute."""
        axes = self.value(node.input[1]) if len(node.input) > 1 and node.input[1] else None
        if axes is not None:
            _without(node, "axes", "noop_with_empty_axes")
            node.attribute.append(helper.make_attribute("axes", [int(axis) for axis in axes]))
            del node.input[1:]
        self.nodes.append(node)

    def reshaped(self, node: NodeProto) -> None:
        """Without allowzero, where nothing is empty; and for any number of images, where the first dimension is theirs."""
        shape = self.value(node.input[1])
        if shape is not None and (shape != 0).all():
            _without(node, "allowzero")
        before, after = self.views.get(node.input[0]), self.views.get(node.output[0])
        if shape is not None and before and after and before.images() == after.images() == 0 and shape[0] > 0:
            node.input[1] = self.constant(f"{node.output[0]}#shape", np.array([0, *shape[1:]], np.int64))
        self.nodes.append(node)

    def split(self, node: NodeProto) -> None:
        _without(node, "num_outputs")
        self.nodes.append(node)

    def gelu(self, node: NodeProto) -> None:
        """x * 0.5 * (1 + erf(x / sqrt(2))), or its approximation by tanh."""
        x, y = node.input[0], node.output[0]
        half, one = self.constant(f"{y}#half", np.float32(0.5)), self.constant(f"{y}#one", np.float32(1))

        def step(kind: str, inputs: list[str], name: str) -> str:
            self.nodes.append(helper.make_node(kind, inputs, [name], f"{node.name}_{name.rpartition('#')[2]}"))
            return name

        if attributes(node).get("approximate", b"none") == b"tanh":
            cube = step("Mul", [step("Mul", [x, x], f"{y}#square"), x], f"{y}#cube")
            more = step("Mul", [cube, self.constant(f"{y}#small", np.float32(0.044715))], f"{y}#more")
            scale = self.constant(f"{y}#scale", np.float32(sqrt(2 / np.pi)))
            bent = step("Tanh", [step("Mul", [step("Add", [x, more], f"{y}#sum"), scale], f"{y}#in")], f"{y}#bent")
        else:
            scaled = step("Div", [x, self.constant(f"{y}#root", np.float32(sqrt(2)))], f"{y}#in")
            bent = step("Erf", [scaled], f"{y}#bent")
        share = step("Mul", [step("Add", [bent, one], f"{y}#up"), half], f"{y}#share")
        step("Mul", [x, share], y)


def _without(node: NodeProto, *names: str) -> None:
    kept = [each for each in node.attribute if each.name not in names]
    del node.attribute[:]
    node.attribute.extend(kept)


REDUCTIONS = (
    "ReduceMean",
    "ReduceMax",
    "ReduceMin",
    "ReduceL1",
    "ReduceL2",
    "ReduceProd",
    "ReduceSumSquare",
    "ReduceLogSumExp",
)
REWRITTEN: dict[str, Callable[[_Writer, NodeProto], None]] = {
    **dict.fromkeys(REDUCTIONS, _Writer.reduced), "Reshape": _Writer.reshaped, "Split": _Writer.split, "Gelu": _Writer.gelu,
}  # fmt: skip
