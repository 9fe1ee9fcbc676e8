"""Graphs: what depends on what, the parts that run on their own, constants."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from seewhy.errors import BadNetwork
from seewhy.models.onnx.graph import OnnxGraph, attributes, read_by
from support.onnx_graphs import classifier, drawn, model, node


def test_what_depends_on_a_tensor():
    graph = OnnxGraph(classifier())
    assert graph.depending("act2") == {"act2", "pool", "flat", "scores"}
    assert [each.output[0] for each in graph.needed(["act2"])] == ["conv1", "act1", "conv2", "act2"]
    assert [each.output[0] for each in graph.needed(["scores"], ["act2"])] == ["pool", "flat", "scores"]


def test_a_shape_depends_on_no_number():
    nodes = [node("Relu", ["image"], ["a"]), node("Shape", ["a"], ["s"]), node("Reshape", ["image", "s"], ["b"])]
    graph = OnnxGraph(model(nodes))
    assert graph.depending("a") == {"a"}
    assert graph.depending("a", shapes=True) == {"a", "s", "b"}
    assert graph.depending("image") == {"image", "a", "b"}


def test_large_constants_are_kept_apart_and_small_ones_inside():
    graph = OnnxGraph(model([node("Add", ["image", "big"], ["a"]), node("Mul", ["a", "small"], ["b"])],
                        constants={"big": drawn(3, 12, 16), "small": np.float32(2)}))  # fmt: skip
    assert [*graph.weights] == ["big"]
    part = graph.part(["b"], {"image": TensorProto.FLOAT})
    assert {each.name: each.data_location for each in part.graph.initializer} == {"big": 1, "small": 0}
    np.testing.assert_array_equal(graph.value("big"), drawn(3, 12, 16))
    assert graph.value("small") == 2
    assert graph.value("a") is None


def test_a_part_holds_only_what_it_needs():
    part = OnnxGraph(classifier()).part(["scores"], {"act2": TensorProto.FLOAT})
    assert [each.name for each in part.graph.input] == ["act2"]
    assert [each.op_type for each in part.graph.node] == ["GlobalAveragePool", "Flatten", "Gemm"]
    assert {each.name for each in part.graph.initializer} == {"fc", "b"}


def test_a_constant_node_has_a_value():
    nodes = [node("Constant", [], ["two"], value_float=2.0), node("Mul", ["image", "two"], ["a"])]
    assert OnnxGraph(model(nodes)).value("two") == 2


def test_branches_read_tensors_from_outside():
    inner = helper.make_graph([node("Relu", ["outside"], ["y"])], "then", [], [helper.make_tensor_value_info("y", 1, None)])
    branch = node("If", ["condition"], ["z"], then_branch=inner, else_branch=inner)
    assert {*read_by(branch)} == {"condition", "outside"}
    assert {*attributes(branch)} == {"then_branch", "else_branch"}


def test_functions_of_a_model_are_written_out():
    proto = model([helper.make_node("Twice", ["image"], ["a"], domain="mine")], domains=["mine"])
    body = [node("Add", ["x", "x"], ["y"])]
    proto.functions.append(helper.make_function("mine", "Twice", ["x"], ["y"], body, [helper.make_opsetid("", 17)]))
    assert [each.op_type for each in OnnxGraph(proto).nodes] == ["Add"]


def test_weights_in_another_file_that_was_not_read_are_missed():
    proto = classifier()
    proto.graph.initializer[0].data_location = TensorProto.EXTERNAL
    proto.graph.initializer[0].external_data.add(key="location", value="w.bin")
    with pytest.raises(BadNetwork, match=r"another file, w.bin: give the path"):
        OnnxGraph(proto)


def test_what_no_image_changes_is_fixed():
    nodes = [node("Neg", ["small"], ["least"]), node("Clip", ["image", "least"], ["a"]), node("Shape", ["a"], ["s"]),
             node("Reshape", ["a", "s"], ["b"])]  # fmt: skip
    graph = OnnxGraph(model(nodes, constants={"small": np.float32(0.5)}))
    assert graph.fixed(graph.nodes, graph.depending("image", shapes=True)) == ["least"]


def test_names_that_are_no_text_are_a_broken_file():
    proto = classifier()
    data = proto.SerializeToString().replace(b"act1", b"a\xff\xfe1")
    with pytest.raises(BadNetwork, match="names in it are no text"):
        OnnxGraph(onnx.load_model_from_string(data))
