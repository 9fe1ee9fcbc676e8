"""What the gradient says at the image's own pixels: by hand, by central differences, and by what the maths promises."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

import seewhy
from support import ask, networks
from support.references import cams as references
from support.references import pixels as by_hand

K = networks.CLASSES
ALL = list(range(K))
X = networks.images(2, 6, 8, seed=11)
SEQUENTIAL = ["pooled", "inplace", "relu6", "dead_channels", "squeezed", "pointwise_head", "bn_dropout", "signed_features"]
FIXED = ["flat_head", "linear_flat_head", "tokens", "lstm_head"]  # to the size they are made for
OTHERS = ["reused", "functional", "nhwc"]


def found(network, method="gradient", x=X, targets=ALL, scores="logits", **params):
    """(t, n, c, h, w), in the network's own precision."""
    shared = "pixels" in seewhy.METHODS[method].shares
    asked = ask.case(network, x, targets, scores=scores, gradients="gradients" in seewhy.METHODS[method].shares, pixels=shared)
    (maps,) = ask.run(method, asked, **params).values()
    return maps


def expected(network, x=X, rule="plain"):
    return by_hand.several(by_hand.steps_of(network, rule), x, ALL, K)


def scores(network, x=X):
    return np.stack([references.scores(network, image) for image in x], 1)  # (t, n)


def sums(maps):
    """(t, n, c, h, w) -> (t, n)"""
    return maps.sum((2, 3, 4))


@pytest.mark.parametrize("toy", SEQUENTIAL)
def test_gradients_layer_by_layer_by_hand(toy):
    network = getattr(networks, toy)()
    maps = expected(network)
    ask.close(found(network), maps)
    ask.close(found(network, "input-x-gradient"), X * maps)


@pytest.mark.parametrize("toy", [*OTHERS, *FIXED, "signed_features"])
def test_gradients_by_central_differences(toy):
    network, x = getattr(networks, toy)(), networks.images(2, seed=12)
    maps = np.stack([[by_hand.slopes(network, image, np.eye(K)[t]) for image in x] for t in ALL])
    ask.close(found(network, x=x), maps, rel=1e-6)
    ask.close(found(network, "input-x-gradient", x), x * maps, rel=1e-6)


@pytest.mark.parametrize("kind", ["probability", "log-probability"])
def test_the_gradient_of_what_the_scores_were_said_to_be(kind):
    network = networks.pooled()

    def of(x):
        p = network(x).softmax(1)
        return p if kind == "probability" else p.log()

    maps = np.stack([[by_hand.slopes(of, image, np.eye(K)[t]) for image in X] for t in ALL])
    ask.close(found(network, scores=kind), maps, rel=1e-6)
    ask.far(maps, expected(network))


def without_biases(network):
    for module in network.modules():
        if getattr(module, "bias", None) is not None:
            module.bias = None
    return network


@pytest.mark.parametrize("toy", ["pooled", "flat_head", "squeezed", "reused", "with max-pooling"])
def test_without_biases_input_x_gradient_sums_to_the_score(toy):
    """A network of ReLUs without biases is homogeneous: sum x dy/dx = y.  With biases it is not."""
    x = networks.images(3, seed=13)

    def made():
        if toy != "with max-pooling":
            return getattr(networks, toy)()
        layers = networks.convs(nn.ReLU(), nn.ReLU())
        return networks.made(lambda: networks.stack(*layers[:2], ("pool1", nn.MaxPool2d(2)), *layers[2:], *networks.gap()), 0)

    network = without_biases(made())
    ask.close(sums(found(network, "input-x-gradient", x)), scores(network, x))
    ask.far(sums(found(made(), "input-x-gradient", x)), scores(made(), x), rel=0.1)


REDUCED = {
    "max": lambda channels: [[max(abs(v) for v in cell) for cell in row] for row in np.moveaxis(channels, 0, -1)],
    "sum": lambda channels: [[sum(cell) for cell in row] for row in np.moveaxis(channels, 0, -1)],
    "l2": lambda channels: [[sum(v * v for v in cell) ** 0.5 for cell in row] for row in np.moveaxis(channels, 0, -1)],
}


@pytest.mark.parametrize("reduce", [None, *REDUCED])
@pytest.mark.parametrize(("method", "default"), [("gradient", "max"), ("input-x-gradient", "sum"), ("guided-backprop", "max")])
def test_channels_beside_the_values_they_make(method, default, reduce):
    """Each heatmap has its channels, as found, and what `reduce` makes of them; the default is the paper's."""
    network = networks.pooled()
    rule = "guided" if method == "guided-backprop" else "plain"
    maps = expected(network, rule=rule) * (X if method == "input-x-gradient" else 1)
    asked = {} if reduce is None else {"reduce": reduce}
    heatmaps = seewhy.METHODS[method](seewhy.wrap(network), X, target=ALL, **asked)
    for i in range(len(X)):
        for t in ALL:
            heatmap = heatmaps[i * K + t]
            ask.close(heatmap.channels, maps[t, i], rel=1e-6)
            ask.close(heatmap.values, np.array(REDUCED[reduce or default](maps[t, i])), rel=1e-6)
            assert heatmap.source.layer == "input"
            assert heatmap.source.params["reduce"] == (reduce or default)


def test_another_way_to_reduce_is_refused():
    with pytest.raises(seewhy.BadParameter, match="max, sum, l2"):
        seewhy.gradient(seewhy.wrap(networks.pooled()), X, reduce="mean")
    with pytest.raises(seewhy.BadParameter, match="reads the image's own pixels"):
        seewhy.gradient(seewhy.wrap(networks.pooled()), X, layer="conv1")


@pytest.mark.parametrize(("h", "w"), [(6, 8), (7, 10), (12, 10)])  # the cells of act2: halves, rounded up
def test_guided_grad_cam_is_the_product(h, w):
    """Guided backprop times relu(Grad-CAM) drawn out bilinearly; zero wherever that is zero."""
    network, x = networks.pooled(), networks.images(2, h, w, seed=14)
    maps = found(network, "guided-grad-cam", x)
    guided = expected(network, x, "guided")
    for t in ALL:
        for i, image in enumerate(x):
            cam = references.grad_cam(*references.evidence(network, "act2", image, np.eye(K)[t]))
            ask.close(maps[t, i], by_hand.guided_grad_cam(guided[t, i], cam)) if cam.max() > 0 else None
            assert not maps[t, i][:, by_hand.drawn_out(np.maximum(cam, 0), h, w) == 0].any()
    assert (maps == 0).all((2, 3, 4)).mean() < 0.5
    asked = ask.case(network, x, ALL, ["act1"])
    assert {*ask.run("guided-grad-cam", asked)} == {"act1"}


def changed(network, how):
    match how:
        case "frozen":
            return network.requires_grad_(False)
        case "training":
            return network.train()
        case "with gradients of its own":
            for p in network.parameters():
                p.grad = torch.ones_like(p)
    return network


@pytest.mark.parametrize("how", ["frozen", "training", "with gradients of its own"])
@pytest.mark.parametrize("method", ["gradient", "input-x-gradient", "guided-grad-cam", "integrated-gradients", "smooth-grad"])
def test_weights_are_left_alone(method, how):
    network = networks.bn_dropout()
    maps = found(network, method)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    network = changed(network, how)
    ask.close(found(network, method), maps, rel=1e-12)
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, before[name])
    assert all(module.training == (how == "training") for module in network.modules())
    for p in network.parameters():
        assert p.requires_grad == (how != "frozen")
        assert p.grad is None if how != "with gradients of its own" else bool((p.grad == 1).all())


class Watch(TorchDispatchMode):
    """Which gradients each convolution is asked for on the way back: (image, weight, bias)."""

    def __init__(self):
        super().__init__()
        self.asked = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func is torch.ops.aten.convolution_backward.default:
            self.asked.append(tuple(args[10]))
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize(
    "method", ["gradient", "guided-backprop", "guided-grad-cam", "integrated-gradients", "smooth-grad", "var-grad", "full-grad"]
)
def test_no_gradient_of_any_weight_is_computed(method):
    with Watch() as watch:
        seewhy.METHODS[method](seewhy.wrap(networks.pooled()), X, target=1)
    assert len(watch.asked) >= 2
    assert {*watch.asked} == {(True, False, False)}


def test_half_precision_is_torch_s_own():
    """The gradient as torch has it in bfloat16, number for number; and about that of the whole precision."""
    network = networks.pooled().bfloat16()
    x = torch.tensor(X, dtype=torch.bfloat16, requires_grad=True)
    maps = np.stack([torch.autograd.grad(network(x)[:, t].sum(), x)[0].float().numpy() for t in ALL])
    ask.close(found(network), maps, rel=0.01)
    assert np.corrcoef(maps.ravel(), expected(networks.pooled()).ravel())[0, 1] > 0.98


@pytest.mark.parametrize("method", ["guided-backprop", "guided-grad-cam", "integrated-gradients", "smooth-grad", "full-grad"])
def test_half_precision_is_near_the_whole(method):
    maps, half = (found(network, method) for network in (networks.pooled(), networks.pooled().bfloat16()))
    assert np.corrcoef(half.ravel(), maps.ravel())[0, 1] > 0.98


def test_units_are_targets():
    """A channel's strongest activation: its gradient comes from one place."""
    network = networks.pooled()
    maps = seewhy.gradient(seewhy.wrap(network), X, target=[seewhy.Unit("act2", 3), seewhy.Unit("act2", 3, at="sum")])
    way = by_hand.steps_of(network)[:4]
    for i, image in enumerate(X):
        a, back = by_hand.forward(way, image)
        strongest = np.zeros_like(a)
        strongest[3].flat[a[3].argmax()] = 1
        summed = np.zeros_like(a)
        summed[3] = 1
        ask.close(maps[2 * i].channels, back(strongest), rel=1e-6)
        ask.close(maps[2 * i + 1].channels, back(summed), rel=1e-6)
