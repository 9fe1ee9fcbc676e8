"""How graphs end: what is read as the scores, and the linear layer that makes them."""

import numpy as np
import pytest

from seewhy.errors import BadParameter, NoSuchName, NotApplicable
from seewhy.models.onnx.ending import EXPORTED, GraphEnd, check, end_of, linear_of
from seewhy.models.onnx.graph import OnnxGraph
from support.onnx_graphs import classifier, drawn, model, node


def ended(*nodes, sides=("n", 5)):
    first = node("MatMul", ["image", "w"], ["raw"])
    last = nodes[-1].output[0] if nodes else "raw"
    return OnnxGraph(model([first, *nodes], ("n", 4), {"w": drawn(4, 5)}, {last: sides}))


@pytest.mark.parametrize(("nodes", "expected", "task"), [
    ([], "raw", None),
    ([node("Softmax", ["raw"], ["p"], axis=1)], "raw", None),
    ([node("Softmax", ["raw"], ["p"], axis=-1)], "raw", None),
    ([node("LogSoftmax", ["raw"], ["p"], axis=1)], "raw", None),
    ([node("Softmax", ["raw"], ["q"], axis=1), node("Identity", ["q"], ["p"])], "raw", None),
    ([node("Softmax", ["raw"], ["p"], axis=0)], "p", None),  # over the images
    ([node("Sigmoid", ["raw"], ["p"])], "raw", "multi-label"),
    ([node("Relu", ["raw"], ["p"])], "p", None),
])  # fmt: skip
def test_a_softmax_at_the_end_is_taken_off(nodes, expected, task):
    end = end_of(ended(*nodes), None, None)
    assert (end.alone, end.task) == (expected, task)
    assert bool(end.notes) == (expected == "raw" and bool(nodes))


def test_what_a_person_says_of_the_scores_counts():
    graph = ended(node("Sigmoid", ["raw"], ["p"]))
    assert end_of(graph, None, "regression").alone == "p"
    assert end_of(graph, None, "single-label").alone == "p"
    assert end_of(graph, None, "multi-label").alone == "raw"
    assert end_of(ended(node("Softmax", ["raw"], ["p"])), None, "multi-label").alone == "p"


def test_dense_scores_lose_a_softmax_over_their_classes():
    nodes = [node("Softmax", ["image"], ["p"], axis=1)]
    assert end_of(OnnxGraph(model(nodes, outputs={"p": ["n", 3, 12, 16]})), None, None).alone == "image"
    nodes = [node("Softmax", ["image"], ["p"], axis=3)]
    assert end_of(OnnxGraph(model(nodes, outputs={"p": ["n", 3, 12, 16]})), None, None).alone == "p"


def two(first, second):
    nodes = [node("MatMul", ["image", "w"], ["a"]), node("Relu", ["a"], ["b"])]
    return OnnxGraph(model(nodes, ("n", 4), {"w": drawn(4, 5)}, {"a": first, "b": second}))


def test_of_several_outputs_the_one_table_is_taken_and_said():
    end = end_of(two(["n", 5], ["n", 5, 1]), None, None)
    assert end.alone == "a"
    assert end.notes == ("of the outputs a (?x5), b (?x5x1), a is explained: the one with a score per class",)
    graph = two(["n", 5], ["n", 5, 1])
    graph.facts[EXPORTED] = "{}"  # the other is its own map
    assert (end_of(graph, None, None).alone, end_of(graph, None, None).notes) == ("a", ())
    both = end_of(two(["n", 5], ["n", 5]), None, None)
    assert (both.alone, [*both.tensors]) == (None, ["a", "b"])


def test_outputs_are_picked_by_name_place_or_function():
    graph = two(["n", 5], ["n", 5])
    assert end_of(graph, "b", None).alone == "b"
    assert end_of(graph, -1, None).alone == "b"
    assert end_of(graph, 0, None).alone == "a"
    assert end_of(graph, max, None) == GraphEnd({"a": "a", "b": "b"}, max)
    with pytest.raises(NoSuchName, match=r"No output 'c'.*The model's outputs: a \(\?x5\), b \(\?x5\)"):
        end_of(graph, "c", None)
    for wrong in (2, -3, True, 1.5):
        with pytest.raises(BadParameter, match="a name, or a place from 0 to 1"):
            end_of(graph, wrong, None)


def always(name):
    return name in {"image", "conv1", "act1", "conv2", "act2", "pool", "flat", "scores", "m", "a"}


def test_a_gemm_is_found_with_its_weights_and_its_bias():
    linear = linear_of(OnnxGraph(classifier()), "scores", always)
    assert (linear.entered, linear.weights, linear.bias, linear.scale) == ("flat", "fc", "b", 1.0)
    np.testing.assert_array_equal(linear.turn(drawn(5, 8)), drawn(5, 8))


@pytest.mark.parametrize(("nodes", "weights"), [
    ([node("MatMul", ["image", "w"], ["m"]), node("Add", ["m", "b"], ["a"])], drawn(4, 5)),
    ([node("MatMul", ["image", "w"], ["m"]), node("Add", ["b", "m"], ["a"])], drawn(4, 5)),
    ([node("Gemm", ["image", "w", "b"], ["a"], alpha=0.5, beta=3.0)], drawn(4, 5)),
    ([node("MatMul", ["image", "w"], ["a"])], drawn(4, 5)),
])  # fmt: skip
def test_a_linear_layer_is_what_it_computes(nodes, weights):
    graph = OnnxGraph(model(nodes, ("n", 4), {"w": weights, "b": drawn(5)}))
    linear, x = linear_of(graph, "a", always), drawn(3, 4, seed=1)
    turned = linear.turn(weights)
    bias = linear.scale * drawn(5) if linear.bias else np.zeros(5)
    given = {"image": x, "w": weights, "b": drawn(5)}
    scores = given["image"] @ (weights * (0.5 if nodes[0].op_type == "Gemm" else 1)) + bias
    check(scores, x, turned, bias)
    with pytest.raises(NotApplicable, match="something else changes the scores"):
        check(scores * 1.5, x, turned, bias)


@pytest.mark.parametrize("last", [node("Relu", ["scores"], ["a"]), node("MatMul", ["scores", "scores"], ["a"])])
def test_other_ends_are_named(last):
    proto = classifier()
    proto.graph.node.append(last)
    with pytest.raises(NotApplicable, match=f"ends in one linear layer; this graph ends in {last.op_type}"):
        linear_of(OnnxGraph(proto), "a", always)
