"""What is asked of a graph, against onnx's own slow evaluator and networks of torch."""

import numpy as np
import pytest
import torch
from onnx import TensorProto, helper
from torch import nn
from torchvision.models import densenet121, mobilenet_v3_small, shufflenet_v2_x0_5, squeezenet1_1

import seewhy
from seewhy.errors import BadParameter, NeedsGradients, NotApplicable
from seewhy.models.kernels import Kernels
from support.onnx_graphs import FLOAT, HALF, classifier, drawn, exported, model, node, run

X = drawn(3, 3, 12, 16)


def made(proto=None, **more):
    return seewhy.wrap(proto or classifier(), name="made", **more)


def test_scores_and_layers_are_what_the_evaluator_gives():
    proto = classifier()
    proto.graph.output.append(helper.make_tensor_value_info("act1", FLOAT, None))
    scores, act1 = run(proto, X)
    net = made()
    np.testing.assert_allclose(net.backend.output(X), scores, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(net.backend.emitted(X, ["act1"]).layers["act1"], act1, rtol=1e-4, atol=1e-4)


def test_a_pass_ends_behind_the_last_layer():
    net = made()
    net.backend.emitted(X, ["act1"])
    ((outputs, _),) = [key for key in net.backend.sessions.recent._values if "act1" in key[0]]
    assert outputs == ("act1",)


@pytest.mark.parametrize("batch", [1, 2, 8])
def test_a_fixed_batch_is_filled_or_run_image_by_image(batch):
    proto = classifier(image=(batch, 3, 12, 16))
    net = made(proto)
    np.testing.assert_allclose(net.backend.output(X), made().backend.output(X), rtol=1e-5, atol=1e-5)
    assert net.backend.emitted(X, ["conv2"]).layers["conv2"].shape == (3, 8, 6, 8)


def test_channels_at_the_end():
    nodes = [node("Transpose", ["image"], ["t"], perm=[0, 3, 1, 2]), *classifier().graph.node]
    nodes[1].input[0] = "t"
    constants = {"w1": drawn(6, 3, 3, 3), "w2": drawn(8, 6, 3, 3), "fc": drawn(5, 8), "b": drawn(5)}
    net = made(model(nodes, ("n", 12, 16, 3), constants, {"scores": ["n", 5]}))
    assert net.backend.channels == 3
    np.testing.assert_allclose(net.backend.output(X), made().backend.output(X), rtol=1e-5, atol=1e-5)
    given = seewhy.grad_cam(net, np.moveaxis(X, 1, -1), target=1)
    for a, b in zip(given, seewhy.grad_cam(made(), X, target=1), strict=True):
        np.testing.assert_allclose(a.values, b.values, rtol=1e-4, atol=1e-6)


def test_halves():
    proto = classifier(kind=HALF)
    for tensor in proto.graph.initializer:
        tensor.CopyFrom(helper.make_tensor(tensor.name, HALF, tensor.dims, np.frombuffer(tensor.raw_data, np.float32)))
    net = made(proto)
    assert net.backend.output(X).dtype == np.float32
    np.testing.assert_allclose(net.backend.output(X), made().backend.output(X), rtol=0.05, atol=0.1)
    for name in ("grad-cam", "ablation-cam", "eigen-cam"):
        a, b = (seewhy.explain(each, X[:1], name, target=1)[0].values for each in (net, made()))
        np.testing.assert_allclose(a, b, rtol=0.1, atol=0.05 * abs(b).max())


@pytest.mark.parametrize("wrong", [(4, 3, 10, 16), (4, 1, 12, 16), (4, 3, 12)])
def test_other_sizes_are_refused_with_advice(wrong):
    with pytest.raises(BadParameter, match=r"takes images of 3x12x16 .*, or export the model with dynamic sides"):
        made().backend.output(np.zeros(wrong, np.float32))


def test_the_size_to_prepare_is_named():
    with pytest.raises(BadParameter, match=r"--prepare size=12,16|prepare=\{'size': \(12, 16\), 'crop': None"):
        made().backend.output(np.zeros((1, 3, 10, 16), np.float32))


def test_names_of_nodes_tensors_and_modules_find_a_layer(tmp_path):
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 3), nn.ReLU())
            self.fc = nn.Linear(4, 5)

        def forward(self, x):
            return self.fc(self.body(x).mean((2, 3)))

    path = exported(Net().eval(), X, tmp_path / "net.onnx")
    net = seewhy.load(path)
    assert [*net.layers(X)][:4] == [
        "/body/body.0/Conv",
        "/body/body.1/Relu",
        "/body/body.2/Conv",
        "/body/body.3/Relu",
    ]
    for name in ("/body/body.3/Relu", "/body/body.3/Relu_output_0", "body", "body.3"):
        assert net.named([name], X) == ["/body/body.3/Relu"]
    assert net.cells("body.1", X) == net.cells("/body/body.1/Relu", X)
    assert seewhy.grad_cam(net, X, layer="body")[0].source.layer == "/body/body.3/Relu"


@pytest.mark.parametrize("build", [densenet121, mobilenet_v3_small, shufflenet_v2_x0_5, squeezenet1_1])
def test_places_and_layers_of_real_architectures_are_those_of_torch(build, tmp_path):
    torch.manual_seed(0)
    network, x = build(weights=None).train(), drawn(1, 3, 64, 96)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 1.0
    with torch.no_grad():
        network(torch.from_numpy(drawn(8, 3, 64, 96)))  # so that numbers stay of a size through all layers
    network.eval()
    ours, plain = seewhy.load(exported(network, x, tmp_path / "net.onnx", do_constant_folding=False)), seewhy.wrap(network)
    name, known = ours.default(x)[0], plain.default(torch.from_numpy(x))[0]
    assert ours.cells(name, x) == plain.cells(known, torch.from_numpy(x))
    layer = "features" if build is densenet121 else None  # torch has no name for the ReLU behind it
    for method in ("ablation-cam", "eigen-cam"):
        a, b = (seewhy.explain(each, x, method, target=3, layer=layer)[0].values for each in (ours, plain))
        np.testing.assert_allclose(a, b, rtol=1e-2, atol=2e-3 * abs(b).max())


def test_where_no_closed_form_is_known_gradients_are_missed():
    net = made()
    with pytest.raises(NeedsGradients, match=r"no closed form at act1: .*right after act1.*--option gradients=true"):
        seewhy.grad_cam(net, X, layer="act1")
    with pytest.raises(NeedsGradients, match=r"gradient reads gradients; made gives no gradients.*--option gradients=true"):
        seewhy.gradient(net, X)
    nodes = [node("Relu", ["image"], ["a"]), node("Neg", ["image"], ["c"])]
    proto = model(nodes, outputs={"a": ["n", 3, 12, 16], "c": ["n", 3, 12, 16]})
    two = made(proto, output=lambda outputs: outputs["a"].mean((2, 3)))
    with pytest.raises(NotApplicable, match="one output, of a score per class"):
        seewhy.cam(two, X)


def test_versions():
    assert {"onnx", "onnxruntime"} <= {*made().versions()}
    assert made().backend.framework == "onnxruntime (CPU)"


def test_what_nothing_reaches_is_no_default_and_has_no_tail():
    proto = classifier()
    proto.graph.node.append(node("Conv", ["act2", "w3"], ["aside"], "aside"))
    proto.graph.initializer.append(helper.make_tensor("w3", FLOAT, (2, 8, 1, 1), np.ones(16)))
    proto.graph.output.append(helper.make_tensor_value_info("aside", TensorProto.FLOAT, ["n", 2, 6, 8]))
    net = made(proto)
    assert (net.layers(X)["aside"].connected, net.default(X)[0]) == (False, "act2")
    with pytest.raises(NotApplicable, match="nothing of aside reaches"):
        seewhy.ablation_cam(net, X, layer="aside")


def test_kernels_are_the_constants_that_convolutions_read():
    torch.manual_seed(0)
    grouped, up = nn.Conv2d(6, 4, 3, groups=2), nn.ConvTranspose2d(4, 6, 2, groups=2)
    weights = {"w1": drawn(6, 3, 3, 3), "w2": grouped.weight.detach().numpy(), "w3": up.weight.detach().numpy()}
    nodes = [
        node("Conv", ["image", "w1"], ["a"], name="one"),
        node("Relu", ["a"], ["b"], name="see"),
        node("Conv", ["b", "w2"], ["c"], name="two", group=2),
        node("ConvTranspose", ["c", "w3"], ["d"], name="three", group=2),
        node("GlobalAveragePool", ["d"], ["e"], name="pool"),
        node("Flatten", ["e"], ["f"], name="flat"),
    ]
    net = made(model(nodes, constants=weights))
    first, second, third = (net.kernels(name, X) for name in ("one", "two", "three"))
    assert np.array_equal(first.weights, weights["w1"])
    assert np.array_equal(second.weights, weights["w2"])
    assert np.array_equal(third.weights, Kernels.transposed(weights["w3"], 2).weights)
    assert [(each.groups, each.reads_image) for each in (first, second, third)] == [(1, True), (2, False), (2, False)]
    with pytest.raises(NotApplicable, match="no kernels of its own; convolutions are one, two, three"):
        net.kernels("see", X)
