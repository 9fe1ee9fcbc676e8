"""A graph of ONNX as it stands in a file: which tensor is computed of which, and parts of it that run on their own."""

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper
from onnx.inliner import inline_local_functions

from seewhy.errors import BadNetwork
from seewhy.printable import printable

SMALL = 1024  # bytes up to which a constant stays in the graph itself
SHARED = (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE, TensorProto.INT8, TensorProto.UINT8, TensorProto.INT32,
          TensorProto.INT64)  # fmt: skip  # kinds of numbers that arrays of numpy hold, too
FLOATS = (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE, TensorProto.BFLOAT16)
SHAPE_ALONE = ("Shape", "Size")  # operators whose results depend on no number of the image


class OnnxGraph:
    """The graph of a model; its large constants apart, so that all parts of it that run share them."""

    def __init__(self, proto: ModelProto) -> None:
        model = inline_local_functions(proto) if proto.functions else proto
        self.slim = ModelProto(ir_version=model.ir_version, producer_name=model.producer_name)
        self.slim.opset_import.extend(model.opset_import)
        self.slim.graph.name = "part"
        graph: Any = model.graph
        _check_names(graph)
        self.nodes: list[NodeProto] = list(graph.node)
        self.constants: dict[str, TensorProto] = {}
        self.weights: dict[str, NDArray[Any]] = {}
        for tensor in graph.initializer:
            self._keep(tensor)
        self.sparse = {tensor.values.name: tensor for tensor in graph.sparse_initializer}
        self.inputs: dict[str, ValueInfoProto] = {
            each.name: each for each in graph.input if each.name not in self.constants and each.name not in self.sparse
        }
        self.outputs: dict[str, ValueInfoProto] = {each.name: each for each in graph.output}
        self.made_by: dict[str, NodeProto] = {name: node for node in self.nodes for name in node.output if name}
        self.facts: dict[str, str] = {entry.key: entry.value for entry in model.metadata_props}

    def _keep(self, tensor: TensorProto) -> None:
        """Keep a constant: a large one as an array, and in the graph a note in place of its numbers."""
        if tensor.data_location == TensorProto.EXTERNAL:
            where = next((entry.value for entry in tensor.external_data if entry.key == "location"), "?")
            raise BadNetwork(
                f"The weights of the model lie in another file, {printable(where, 200)}: give the path, "
                "seewhy.load('model.onnx'), or read them into it with onnx.load."
            )
        try:
            array = numpy_helper.to_array(tensor)
        except (ValueError, TypeError) as error:
            raise BadNetwork(f"The constant {printable(tensor.name, 100)} of the model is broken: {error}") from None
        if tensor.data_type not in SHARED or array.nbytes <= SMALL:
            self.constants[tensor.name] = tensor
            return
        note = TensorProto(name=tensor.name, data_type=tensor.data_type, dims=tensor.dims)
        note.data_location = TensorProto.EXTERNAL
        for key, value in (("location", "shared"), ("offset", "0"), ("length", str(array.nbytes))):
            note.external_data.add(key=key, value=value)
        self.constants[tensor.name], self.weights[tensor.name] = note, array

    def value(self, name: str) -> NDArray[Any] | None:
        """The numbers of a constant that stands in the graph; None of anything else."""
        if name in self.weights:
            return self.weights[name]
        if name in self.constants:
            return numpy_helper.to_array(self.constants[name])
        node = self.made_by.get(name)
        if node is None or node.op_type != "Constant":
            return None
        given = attributes(node)
        tensor = given.get("value")
        if tensor is not None:
            return numpy_helper.to_array(tensor)
        return next((np.asarray(given[key]) for key in CONSTANTS if key in given), None)

    def numbers(self) -> Iterator[tuple[str, NDArray[Any]]]:
        """All constants of the graph itself, by name and in the order of the names: its weights."""
        made = {name for name, node in self.made_by.items() if node.op_type == "Constant"}
        for name in sorted({*self.constants, *made}):
            value = self.value(name)
            if value is not None:
                yield name, value
        for name, tensor in sorted(self.sparse.items()):
            yield name, numpy_helper.to_array(tensor.values)
            yield f"{name}, where", numpy_helper.to_array(tensor.indices)

    def depending(self, on: str, shapes: bool = False) -> set[str]:
        """The tensors whose numbers depend on those of that tensor, itself among them; with `shapes`, also on its shape."""
        found = {on}
        for node in self.nodes:
            if (shapes or node.op_type not in SHAPE_ALONE) and not found.isdisjoint(read_by(node)):
                found.update(name for name in node.output if name)
        return found

    def needed(self, outputs: Iterable[str], given: Iterable[str] = ()) -> list[NodeProto]:
        """The nodes that compute those tensors, where others are given; in the graph's order."""
        wanted, chosen = {*outputs}, []
        wanted -= {*given}
        for node in reversed(self.nodes):
            if not wanted.isdisjoint(node.output):
                chosen.append(node)
                wanted |= {*read_by(node)} - {*given}
        return chosen[::-1]

    def part(self, outputs: Sequence[str], given: Mapping[str, int]) -> ModelProto:
        """The part of the graph that computes `outputs` of tensors that are given, by the kind of their numbers."""
        nodes = self.needed(outputs, given)
        read = {name for node in nodes for name in read_by(node)} | {*outputs}
        model = ModelProto()
        model.CopyFrom(self.slim)
        graph: Any = model.graph
        graph.node.extend(nodes)
        graph.initializer.extend(tensor for name, tensor in self.constants.items() if name in read)
        graph.sparse_initializer.extend(tensor for name, tensor in self.sparse.items() if name in read)
        for name, kind in given.items():
            plain = ValueInfoProto(name=name)
            plain.type.tensor_type.elem_type = kind
            graph.input.append(self.inputs.get(name, plain))
        graph.output.extend(ValueInfoProto(name=name) for name in outputs)
        return model

    def fixed(self, nodes: Sequence[NodeProto], changing: Container[str]) -> list[str]:
        """The tensors that these nodes read, that others compute, and that nothing of `changing` has a part in."""
        read = dict.fromkeys(name for node in nodes if changes(node, changing) for name in read_by(node))
        return [name for name in read if name in self.made_by and name not in changing]

    def unknown(self, outputs: Sequence[str], given: Iterable[str]) -> list[str]:
        """The inputs of the graph that those tensors need beside what is given."""
        read = {name for node in self.needed(outputs, given) for name in read_by(node)} | {*outputs}
        return [name for name in self.inputs if name in read and name not in {*given}]


def changes(node: NodeProto, changing: Container[str]) -> bool:
    """Does a node give something that changes?"""
    return any(name in changing for name in node.output)


def _check_names(graph: GraphProto) -> None:
    """Raise BadNetwork where a name is no text, as in a broken file."""
    names = [name for node in graph.node for name in (*node.input, *node.output, node.name, node.op_type, node.domain)]
    names += [each.name for each in (*graph.input, *graph.output, *graph.initializer)]
    if not all(isinstance(name, str) for name in names):  # of what is no UTF-8, protocol buffers give the bytes
        raise BadNetwork("The model is broken: names in it are no text. Fetch or export it again.")


CONSTANTS = ("value_int", "value_ints", "value_float", "value_floats")


def attributes(node: NodeProto) -> dict[str, Any]:
    """The attributes of a node, by name."""
    return {each.name: helper.get_attribute_value(each) for each in node.attribute}


def read_by(node: NodeProto) -> Iterator[str]:
    """The tensors that a node reads; of loops and branches, also those that the graphs inside of it read from outside."""
    yield from (name for name in node.input if name)
    for each in node.attribute:
        for graph in [each.g] if each.HasField("g") else each.graphs:
            yield from _from_outside(graph)


def _from_outside(graph: GraphProto) -> set[str]:
    inner = {each.name for each in graph.input} | {each.name for each in graph.initializer}
    inner |= {name for node in graph.node for name in node.output}
    read = {name for node in graph.node for name in read_by(node)} | {each.name for each in graph.output}
    return read - inner - {""}
