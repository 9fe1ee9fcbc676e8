"""Shapes of all tensors, and which dimension of the image holds its channels."""

import pytest

from seewhy.models.onnx.graph import OnnxGraph
from seewhy.models.onnx.shapes import TensorFacts, channels_of, inferred, sides, viewed
from support.onnx_graphs import classifier, drawn, model, node


def test_shapes_follow_from_the_image():
    known = inferred(OnnxGraph(classifier()), {"image": (1, 3, 12, 16)})
    assert known["conv2"] == TensorFacts(1, (1, 8, 6, 8))
    assert known["scores"] == TensorFacts(1, (1, 5))


def test_sides_that_are_open_are_none():
    info = classifier().graph.input[0]
    assert sides(info) == [None, 3, 12, 16]
    info.type.tensor_type.ClearField("shape")
    assert sides(info) is None


def turned(*perm):
    return [node("Transpose", ["image"], ["t"], perm=perm), node("Conv", ["t", "w"], ["c"])]


@pytest.mark.parametrize(("nodes", "image", "expected"), [
    ([node("Conv", ["image", "w"], ["c"])], ("n", 3, 3, 3), (1, True)),
    (turned(0, 3, 1, 2), ("n", 3, 3, 3), (3, True)),
    (turned(0, 3, 1, 2), ("n", None, None, 3), (3, True)),
    ([node("Sub", ["image", "b"], ["s"]), node("Transpose", ["s"], ["t"], perm=[0, 3, 1, 2]), node("Conv", ["t", "w"], ["c"])],
     (1, 8, 8, 3), (3, True)),
    ([node("Relu", ["image"], ["c"])], ("n", 3, 8, 8), (1, False)),
    ([node("Relu", ["image"], ["c"])], ("n", 8, 8, 3), (3, False)),
    ([node("Relu", ["image"], ["c"])], ("n", 3, 8, 3), (1, False)),
])  # fmt: skip
def test_channels_are_what_the_first_operator_on_maps_takes_for_them(nodes, image, expected):
    graph = OnnxGraph(model(nodes, image, {"w": drawn(4, 3, 3, 3), "b": drawn(3)}))
    assert channels_of(graph, "image", sides(graph.inputs["image"]) or []) == expected


def test_tensors_of_unknown_shape_are_left_out():
    graph = OnnxGraph(classifier())
    known = inferred(graph, {"image": (1, 3, 12, 16)})
    del known["conv2"]
    views = viewed(graph, known, "image", 1)
    assert "act1" in views
    assert "act2" not in views
