"""Graphs written by the rules of an older opset give the same numbers."""

import numpy as np
import pytest

from seewhy.models.onnx.dims import IMAGES
from seewhy.models.onnx.graph import OnnxGraph
from seewhy.models.onnx.older import OPSET, older
from seewhy.models.onnx.shapes import inferred, viewed
from support.onnx_graphs import classifier, drawn, model, node, run

AXES = {"axes": np.array([2, 3]), "row": np.array([1, 576]), "left": np.array([0, 576])}


def again(proto, ends=None, constants=None):
    graph = OnnxGraph(proto)
    known = inferred(graph, {"image": (1, 3, 12, 16)})
    views = viewed(graph, known, "image", 1)
    assert any(IMAGES in {part.label for part in dim or ()} for view in views.values() for dim in view.dims)
    return older(graph, ends or {name: name for name in graph.outputs}, "image", views, constants or {})


@pytest.mark.parametrize(("nodes", "opset"), [
    ([node("ReduceMean", ["image", "axes"], ["a"], "m"), node("Reshape", ["a", "left3"], ["b"], allowzero=0)], 18),
    ([node("ReduceMax", ["image", "axes"], ["b"], "m", keepdims=0)], 18),
    ([node("Gelu", ["image"], ["b"], "g")], 20),
    ([node("Gelu", ["image"], ["b"], "g", approximate="tanh")], 20),
    ([node("Split", ["image"], ["a", "b", "c"], num_outputs=3, axis=1)], 18),
    ([node("Identity", ["image"], ["a"]), node("Dropout", ["a"], ["c"]), node("Relu", ["c"], ["b"])], 18),
    ([node("Identity", ["image"], ["b"])], 18),
])  # fmt: skip
def test_numbers_stay(nodes, opset):
    proto = model(nodes, constants={**AXES, "left3": np.array([0, 3])}, outputs={"b": None}, opset=opset)
    written = again(proto)
    assert {each.version for each in written.opset_import} == {OPSET}
    x = drawn(2, 3, 12, 16)
    np.testing.assert_allclose(run(written, x)[0], run(proto, x)[0], rtol=1e-4, atol=1e-5)


def test_a_reshape_that_holds_on_to_one_image_takes_several():
    nodes = [node("Relu", ["image"], ["a"]), node("Reshape", ["a", "row"], ["b"], allowzero=1)]
    proto = model(nodes, (1, 3, 12, 16), constants=AXES)
    x = drawn(3, 3, 12, 16)
    np.testing.assert_array_equal(run(again(proto), x)[0], np.maximum(x, 0).reshape(3, -1))


def test_weights_are_inside_and_inner_tensors_may_be_the_end():
    written = again(classifier(), {"scores": "flat"})
    assert {each.name for each in written.graph.initializer if each.raw_data} >= {"w1", "w2"}
    x = drawn(2, 3, 12, 16)
    assert run(written, x)[0].shape == (2, 8)


def test_what_is_known_takes_the_place_of_what_computes_it():
    nodes = [node("Neg", ["small"], ["least"]), node("Clip", ["image", "least", "small"], ["b"], "b")]
    proto = model(nodes, constants={"small": np.float32(0.5)})
    written = again(proto, constants={"least": np.float32(-0.5)})
    assert [each.op_type for each in written.graph.node] == ["Clip", "Identity"]
    np.testing.assert_array_equal(run(written, drawn(2, 3, 12, 16))[0], drawn(2, 3, 12, 16).clip(-0.5, 0.5))
