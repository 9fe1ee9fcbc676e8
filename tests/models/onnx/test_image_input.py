"""Which input takes the images, and what the others are given."""

import numpy as np
import pytest
from onnx import TensorProto, helper

import seewhy
from seewhy.errors import BadNetwork, BadParameter, NoSuchName
from seewhy.models.onnx.graph import OnnxGraph
from seewhy.models.onnx.image_input import image_input
from support.onnx_graphs import UINT8, classifier, drawn, model, node


def two_inputs():
    proto = model([node("Mul", ["image", "scale"], ["a"], "a"), node("ReduceMean", ["a"], ["s"], axes=[2, 3], keepdims=0)],
                  outputs={"s": ["n", 3]})  # fmt: skip
    proto.graph.input.append(helper.make_tensor_value_info("scale", TensorProto.FLOAT, ["n", 1]))
    return proto


def two_maps():
    proto = model([node("Mul", ["image", "other"], ["a"], "a"), node("ReduceMean", ["a"], ["s"], axes=[2, 3], keepdims=0)],
                  outputs={"s": ["n", 3]})  # fmt: skip
    proto.graph.input.append(helper.make_tensor_value_info("other", TensorProto.FLOAT, ["n", 3, 12, 16]))
    return proto


def test_the_only_input_takes_the_images():
    found = image_input(OnnxGraph(classifier()), "made", None, None)
    assert (found.name, found.channels, found.told, found.shape, found.space) == ("image", 1, True, (None, 3, 12, 16), (12, 16))
    assert not found.pixels
    assert image_input(OnnxGraph(classifier()), "made", "image", None) == found


def test_pixels_are_seen():
    nodes = [node("Cast", ["image"], ["a"], to=TensorProto.FLOAT)]
    assert image_input(OnnxGraph(model(nodes, kind=UINT8, out=TensorProto.FLOAT)), "made", None, None).pixels


def test_other_inputs_have_to_be_given():
    for inputs in (None, {"image": seewhy.IMAGE}, "image"):
        with pytest.raises(
            BadParameter, match=r"has the inputs image: float \(\?, 3, 12, 16\), scale: float \(\?, 1\).*inputs="
        ):
            image_input(OnnxGraph(two_inputs()), "made", inputs, None)
    with pytest.raises(BadParameter, match="has the inputs"):
        image_input(OnnxGraph(two_maps()), "made", None, None)
    with pytest.raises(NoSuchName, match=r"No input 'skale'. Closest: scale.*The model's inputs"):
        image_input(OnnxGraph(two_inputs()), "made", {"skale": 1}, None)
    with pytest.raises(BadParameter, match="a dict from the names of its inputs"):
        image_input(OnnxGraph(two_inputs()), "made", [1], None)
    with pytest.raises(BadParameter, match="'scale' takes float"):
        image_input(OnnxGraph(two_inputs()), "made", {"scale": "much"}, None)


@pytest.mark.parametrize("value", [np.array([[2.0]]), [[2]], seewhy.Fixed(np.array([[2.0]]))])
def test_one_row_is_repeated_for_each_image(value):
    net = seewhy.wrap(two_inputs(), inputs={"scale": value}, task="regression", name="made")
    x = drawn(3, 3, 12, 16)
    np.testing.assert_allclose(net.answer(x).scores, 2 * x.mean((2, 3)), rtol=1e-4, atol=1e-5)


def test_of_two_maps_the_image_is_named():
    given = {"image": np.ones((1, 3, 12, 16)), "other": seewhy.IMAGE}
    net = seewhy.wrap(two_maps(), inputs=given, task="regression", name="made")
    assert net.backend.image.name == "other"
    x = drawn(2, 3, 12, 16)
    np.testing.assert_allclose(net.answer(x).scores, x.mean((2, 3)), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("shape", "words"), [(("n", 20), r"image: float \(\?, 20\); images are numbers"), (None, "takes image")]
)
def test_what_takes_no_images_is_refused(shape, words):
    proto = model([node("Relu", ["image"], ["a"])], shape or ("n", 3, 12, 16))
    if shape is None:
        proto.graph.input[0].type.tensor_type.ClearField("shape")
    with pytest.raises(BadNetwork, match=words):
        image_input(OnnxGraph(proto), "made", None, None)


def test_a_person_says_where_channels_lie():
    graph = OnnxGraph(model([node("Relu", ["image"], ["a"])], ("n", 8, 9, 10)))
    assert image_input(graph, "made", None, -1).channels == 3
    assert image_input(graph, "made", None, 1).told
    assert not image_input(graph, "made", None, None).told
    for wrong in (4, -4, -5):
        with pytest.raises(BadParameter, match="a dimension of float"):
            image_input(graph, "made", None, wrong)
