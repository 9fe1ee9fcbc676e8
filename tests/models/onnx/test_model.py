"""From a graph or a session to a model."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper
from torch import nn

import seewhy
from seewhy.errors import BadParameter, InSpace, NeedsGradients, NotApplicable
from support.onnx_graphs import FLOAT, classifier, drawn, model, node, saved

X = drawn(2, 3, 12, 16)


def with_end(kind, **more):
    proto = classifier()
    proto.graph.node.append(node(kind, ["scores"], ["chances"], "end", **more))
    proto.graph.output[0].CopyFrom(helper.make_tensor_value_info("chances", FLOAT, ["n", 5]))
    return proto


@pytest.mark.parametrize("kind", ["Softmax", "LogSoftmax"])
def test_a_softmax_at_the_end_is_explained_at_the_logit(kind):
    plain, net = seewhy.wrap(classifier(), name="made"), seewhy.wrap(with_end(kind, axis=1), name="made")
    for a, b in zip(seewhy.grad_cam(net, X), seewhy.grad_cam(plain, X), strict=True):
        np.testing.assert_array_equal(a.values, b.values)
        assert (a.source.scores, a.source.score, a.source.probability) == ("logits", b.source.score, b.source.probability)
        assert any(f"the {kind} that the network ends in was taken off" in note for note in a.source.warnings)


def test_probabilities_are_asked_for():
    net = seewhy.wrap(with_end("Softmax", axis=1), name="made", scores="probability")
    raw = seewhy.wrap(classifier(), name="made").answer(X).scores
    np.testing.assert_allclose(net.answer(X).scores, np.exp(raw) / np.exp(raw).sum(1, keepdims=True), rtol=1e-5)


def test_a_sigmoid_at_the_end_means_many_labels():
    net = seewhy.wrap(with_end("Sigmoid"), name="made")
    assert net.task == "multi-label"
    raw = seewhy.wrap(classifier(), name="made").answer(X).scores
    np.testing.assert_allclose(net.answer(X).scores, raw, rtol=1e-6)
    np.testing.assert_allclose(net.answer(X).probabilities, 1 / (1 + np.exp(-raw)), rtol=1e-6)


@pytest.mark.parametrize("source", ["path", "bytes"])
def test_a_session_is_read(source, tmp_path):
    path = saved(classifier(), tmp_path / "net.onnx")
    given = str(path) if source == "path" else path.read_bytes()
    session = onnxruntime.InferenceSession(given, providers=["CPUExecutionProvider"])
    net = seewhy.wrap(session)
    assert net.name == "the ONNX model"
    np.testing.assert_allclose(net.answer(X).scores, session.run(None, {"image": X})[0], rtol=1e-5)
    with pytest.raises(BadParameter, match="runs where it runs"):
        seewhy.wrap(session, device="cpu")


def test_a_session_may_also_be_a_plain_function(tmp_path):
    path = saved(classifier(), tmp_path / "net.onnx")
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    plain = seewhy.wrap(lambda x: session.run(None, {"image": x})[0], takes="float", scores="logits")
    for a, b in zip(
        seewhy.occlusion.using(window=5)(plain, X), seewhy.occlusion.using(window=5)(seewhy.load(path), X), strict=True
    ):
        np.testing.assert_allclose(a.values, b.values, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("stray", [{"dtype": "float16"}, {"grid": (2, 2)}, {"tokenizer": str}])
def test_what_only_torch_networks_have_is_refused(stray):
    with pytest.raises(BadParameter, match="runs as it was saved"):
        seewhy.wrap(classifier(), **stray)


def test_guessed_channels_are_said():
    nodes = [node("Relu", ["image"], ["a"], "a"), node("ReduceMean", ["a"], ["s"], axes=[1, 2], keepdims=0)]
    net = seewhy.wrap(model(nodes, ("n", 12, 16, 3), outputs={"s": ["n", 3]}), name="made")
    (heatmap,) = seewhy.eigen_cam(net, np.moveaxis(X[:1], 1, -1))
    (said,) = seewhy.occlusion.using(window=6)(net, np.moveaxis(X[:1], 1, -1))
    assert heatmap.values.shape == (12, 16)
    assert any("no operator of the graph tells" in note for note in said.source.warnings)


def test_a_map_of_classes_is_explained_by_region():
    nodes = [node("Conv", ["image", "w"], ["a"], "a", pads=[1, 1, 1, 1]), node("Relu", ["a"], ["b"], "b"),
             node("Conv", ["b", "v"], ["s"], "s"), node("Softmax", ["s"], ["p"], "p", axis=1)]  # fmt: skip
    proto = model(nodes, constants={"w": drawn(8, 3, 3, 3), "v": drawn(4, 8, 1, 1)}, outputs={"p": ["n", 4, 12, 16]})
    net = seewhy.wrap(proto, name="made")
    with pytest.raises(InSpace, match="region:"):
        seewhy.occlusion(net, X[:1])
    label = int(net.whole(X[:1])[0].mean((1, 2)).argmax())
    for name in ("score-cam", "occlusion", "recipro-cam", "ablation-cam"):
        (heatmap,) = seewhy.explain(net, X[:1], name, target=f"region:{label}")
        assert np.isfinite(heatmap.values).all()
        assert heatmap.values.any()
    (heatmap,) = seewhy.score_cam(net, X[:1], target=f"region:{label}")
    assert (heatmap.source.layer, heatmap.source.layer_why[:29]) == ("b", "the last of the widest maps (")


def test_layers_can_be_listed_without_knowing_the_scale():
    net = seewhy.wrap(classifier(), name="made")
    assert [*net.layers()] == ["conv1", "act1", "conv2", "act2", "pool"]


def test_threads_share_a_model():
    net = seewhy.wrap(classifier(), name="made")
    images = [drawn(1, 3, 12, 16, seed=seed) for seed in range(6)]
    alone = [seewhy.ablation_cam(net, x, target=1)[0].values for x in images]
    with ThreadPoolExecutor(3) as pool:
        found = list(pool.map(lambda x: seewhy.ablation_cam(net, x, target=1)[0].values, images))
    for a, b in zip(found, alone, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7)


class Calibration:
    """The images on which the roundings of a quantised model are measured."""

    def __init__(self):
        self.left = iter([{"image": drawn(1, 3, 12, 16, seed=seed)} for seed in range(8)])

    def get_next(self):
        return next(self.left, None)


@pytest.mark.parametrize(("kind", "near"), [("QDQ", 0.95), ("dynamic", 0.99)])
def test_a_quantised_model_gives_nearly_the_maps_of_its_floats(tmp_path, kind, near):
    from onnxruntime import quantization  # slow to import, and no other test needs it

    plain, path = saved(classifier(), tmp_path / "net.onnx"), tmp_path / "int8.onnx"
    if kind == "QDQ":
        quantization.quantize_static(plain, path, Calibration(), quant_format=quantization.QuantFormat.QDQ)
    else:
        quantization.quantize_dynamic(plain, path, weight_type=quantization.QuantType.QUInt8)
    floats, net = seewhy.load(plain), seewhy.load(path)
    assert {layer.shape for layer in net.layers(X).values()} >= {(8, 6, 8)}
    for name in ("cam", "grad-cam", "recipro-cam", "ablation-cam", "score-cam", "eigen-cam"):
        if kind == "dynamic" and name in ("cam", "grad-cam"):  # its linear layer multiplies whole numbers
            with pytest.raises((NeedsGradients, NotApplicable), match="ends in"):
                seewhy.explain(net, X, name)
            continue
        a, b = (seewhy.explain(each, X[:1], name, target=1)[0].values.ravel() for each in (net, floats))
        assert np.corrcoef(a, b)[0, 1] > near, name


def test_tokens_beside_a_class_token_are_no_layer_and_the_reason_says_so():
    nodes = [
        node("Conv", ["image", "w"], ["patches"], "patches", strides=[4, 4]), node("Reshape", ["patches", "flat"], ["f"]),
        node("Transpose", ["f"], ["t"], perm=[0, 2, 1]), node("Concat", ["class", "t"], ["tokens"], "tokens", axis=1),
        node("Softmax", ["tokens"], ["mixed"], axis=1), node("Gather", ["mixed", "first"], ["row"], axis=1),
        node("MatMul", ["row", "v"], ["s"]),
    ]  # fmt: skip
    constants = {"w": drawn(6, 3, 4, 4), "flat": np.array([1, 6, 12]), "class": drawn(1, 1, 6), "first": np.array(0),
                 "v": drawn(6, 5)}  # fmt: skip
    net = seewhy.wrap(model(nodes, (1, 3, 12, 16), constants, {"s": [1, 5]}), name="made")
    name, layer = net.default(X[:1])
    assert name == "patches"
    assert "of later tensors, such as " in layer.why
    assert "gradients" in layer.why
    assert "later" not in seewhy.wrap(classifier(), name="made").default(X)[1].why


class Segmenter(nn.Module):
    """The network of `segmenter`, in torch."""

    def __init__(self, decided) -> None:
        super().__init__()
        self.conv, self.heads, self.decided = nn.Conv2d(3, 6, 3, padding=1, bias=False), nn.Conv2d(6, 4, 1, bias=False), decided
        with torch.no_grad():
            self.conv.weight.copy_(torch.tensor(drawn(6, 3, 3, 3)))
            self.heads.weight.copy_(torch.tensor(drawn(4, 6, 1, 1)))

    def forward(self, x):
        return self.decided(self.heads(self.conv(x)))


DECIDED = {  # by name: the last nodes of a graph, behind "maps"; the kind of numbers it gives; the same in torch
    "class ids": ([node("ArgMax", ["maps"], ["out"], axis=1, keepdims=0)], TensorProto.INT64, lambda z: z.argmax(1)),
    "class ids in a channel": (
        [node("ArgMax", ["maps"], ["ids"], axis=1), node("Cast", ["ids"], ["out"], to=TensorProto.UINT8)],
        TensorProto.UINT8, lambda z: z.argmax(1, keepdim=True),
    ),
    "masks": ([node("Greater", ["maps", "zero"], ["out"])], TensorProto.BOOL, lambda z: z > 0),
    "masks of 0 and 1": (
        [node("Greater", ["maps", "zero"], ["there"]), node("Cast", ["there"], ["out"], to=TensorProto.INT32)],
        TensorProto.INT32, lambda z: (z > 0).int(),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", DECIDED)
def test_what_a_graph_decides_of_each_place_is_explained_by_shares(name):
    """The share of the places of a class that keep it, as of the same network in torch; gradients are refused with why."""
    nodes, kind, decided = DECIDED[name]
    convolved = [
        node("Conv", ["image", "w"], ["conv"], "conv", pads=[1, 1, 1, 1]),
        node("Conv", ["conv", "heads"], ["maps"], "heads"),
    ]
    constants = {"w": drawn(6, 3, 3, 3), "heads": drawn(4, 6, 1, 1), "zero": np.float32(0)}
    graph = seewhy.wrap(model([*convolved, *nodes], constants=constants, out=kind), name="made")
    twin, x = seewhy.wrap(Segmenter(decided).eval()), X[:1]
    for method in (seewhy.occlusion.using(window=4), seewhy.rise.using(masks=20)):
        for target in (seewhy.Region(1), seewhy.Region(2, np.arange(192).reshape(12, 16) < 90)):
            (found,), (wanted,) = (method(of, x, target=target) for of in (graph, twin))
            np.testing.assert_allclose(found.values, wanted.values, atol=1e-6)
            assert np.ptp(found.values) > 0.01
            assert found.source.score == pytest.approx(wanted.source.score, abs=1e-6)
            assert found.source.scores == "share"
    with pytest.raises(NotApplicable, match="these change in steps and have no gradient"):
        seewhy.grad_cam(graph, x, target=seewhy.Region(1))
