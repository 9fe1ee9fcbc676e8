"""Ablation-CAM and Recipro-CAM against full passes in which a hook takes away channels, or all cells but one."""

import warnings

import numpy as np
import pytest
import torch
from torch import nn

import seewhy
from seewhy.methods.making.method import lookup
from support import ask, networks
from support.references import cams as references
from support.references import perturb as by_hand

X = networks.images(2, 8, 12, seed=3)
TARGETS = (0, 3, seewhy.Contrast(1, [2, 4], strength=0.6))
ROWS = np.array([(1, 0, 0, 0, 0), (0, 0, 0, 1, 0), (0, 1, -0.3, 0, -0.3)])  # the same by hand
FIXED = ("flat_head", "linear_flat_head", "tokens", "lstm_head")  # made for one size
PLACES = {  # network, layer: how it lays out its channels, its cells
    ("pooled", "conv1"): ("first", (8, 12)),
    ("pooled", "act2"): ("first", (4, 6)),
    ("inplace", "conv1"): ("first", (8, 12)),
    ("dead_channels", "act2"): ("first", (4, 6)),
    ("signed_features", "act2"): ("first", (4, 6)),
    ("bn_dropout", "bn1"): ("first", (8, 12)),
    ("squeezed", "act2"): ("first", (4, 6)),
    ("reused", "conv2"): ("first", (4, 6)),
    ("flat_head", "act2"): ("first", (4, 6)),
    ("linear_flat_head", "conv2"): ("first", (4, 6)),
    ("lstm_head", "act1"): ("first", (8, 12)),
    ("nhwc", "block1"): ("last", (4, 6)),
    ("nhwc", "block2"): ("last", (4, 6)),
    ("tokens", "block1"): ("tokens", (2, 3)),  # the class token keeps its channels
}
GAP = ["pooled", "inplace", "relu6", "signed_features", "dead_channels", "bn_dropout"]  # and a linear layer, behind act2


def network_of(toy):
    return getattr(networks, toy)(h=8, w=12) if toy in FIXED else getattr(networks, toy)()


def found_in(method, network, layer, x=X, targets=TARGETS):
    return lookup(method).outcome(ask.case(network, x, targets, [layer], gradients=False))


def emitted(network, layer, image, layout="first", space=(4, 6)):
    """(c, h, w)"""
    return by_hand.turned(by_hand.raw(network, layer, image), layout, space)


def ablation_cam(network, layer, image, row, layout="first", space=(4, 6)):
    """eq. 2-4, but by |y|."""
    y, without = references.scores(network, image) @ row, by_hand.ablated(network, layer, image, layout, space) @ row
    return references.weighted(list((y - without) / abs(y)), emitted(network, layer, image, layout, space))


@pytest.mark.parametrize("place", PLACES, ids=" ".join)
def test_ablation_cam(place):
    network = network_of(place[0])
    found = found_in("ablation-cam", network, place[1])
    assert found.notes(0, 0) == found_in("recipro-cam", network, place[1]).notes(0, 0) == ()
    for i, image in enumerate(X):
        for t, row in enumerate(ROWS):
            ask.close(found.cores[place[1]][t, i], ablation_cam(network, place[1], image, row, *PLACES[place]))


@pytest.mark.parametrize("place", PLACES, ids=" ".join)
def test_recipro_cam(place):
    network = network_of(place[0])
    cores = found_in("recipro-cam", network, place[1]).cores[place[1]]
    for i, image in enumerate(X):
        found = by_hand.recipro_cam(network, place[1], image, *PLACES[place])
        for t, row in enumerate(ROWS):
            ask.close(cores[t, i], np.tensordot(row, found, 1))


def resnet():
    """A ResNet-18 with two blocks at its first resolution alone."""
    models = pytest.importorskip("torchvision.models")
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(0)
        network = models.ResNet(models.resnet.BasicBlock, [2, 1, 1, 1], num_classes=5).double().eval()
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.running_var.fill_(0.3)
    return network


@pytest.mark.parametrize("layer", ["layer1.0.bn1", "layer1.1", "layer2.0.downsample"])
def test_layers_whose_outputs_are_added_to_others(layer):
    network, x = resnet(), networks.images(1, 16, 24, seed=5)
    cells = tuple(by_hand.raw(network, layer, x[0]).shape[2:])
    ablation = found_in("ablation-cam", network, layer, x).cores[layer]
    recipro = found_in("recipro-cam", network, layer, x).cores[layer]
    alone = by_hand.recipro_cam(network, layer, x[0], "first", cells)
    y, without = references.scores(network, x[0]), by_hand.ablated(network, layer, x[0], "first", cells)
    a = by_hand.raw(network, layer, x[0])[0].numpy()
    for t, row in enumerate(ROWS):
        weights = (y @ row - without @ row) / abs(y @ row)
        ask.close(ablation[t, 0], np.tensordot(weights, a, 1), rel=1e-8)
        ask.close(recipro[t, 0], np.tensordot(row, alone, 1), rel=1e-8)


@pytest.mark.parametrize("toy", GAP)
def test_behind_pooling_and_a_linear_layer_both_are_its_weights(toy):
    """A channel's loss is its weight times its mean; a cell alone says its part of CAM: w_c . A / Z."""
    network = network_of(toy)
    w = network.fc.weight.detach().numpy()
    ablation, recipro = (found_in(method, network, "act2").cores["act2"] for method in ("ablation-cam", "recipro-cam"))
    for i, image in enumerate(X):
        a, y = emitted(network, "act2", image), references.scores(network, image)
        for t, row in enumerate(ROWS):
            losses = row @ w * a.mean((1, 2))
            ask.close(ablation[t, i] * abs(y @ row), np.tensordot(losses, a, 1), rel=1e-12)
            ask.close(recipro[t, i], np.tensordot(row @ w, a, 1) / 24, rel=1e-12)


def shifted(by):
    """`pooled`, all scores of which are `by` more."""
    network = networks.pooled()
    with torch.no_grad():
        network.fc.bias.add_(by)
    return network


def test_a_negative_score_turns_no_sign():
    """Trap 9: divided by y, as in the paper, what speaks for the class would speak against it."""
    high, low = (found_in("ablation-cam", shifted(by), "act2", targets=[0]).cores["act2"][0] for by in (50, -50))
    for i, image in enumerate(X):
        y = [references.scores(shifted(by), image)[0] for by in (50, -50)]
        assert y[0] > 0 > y[1]
        ask.close(high[i] * y[0], low[i] * -y[1])


def test_a_score_of_zero_divides_nothing():
    """The losses themselves are left."""
    network = networks.pooled()
    with torch.no_grad():
        network.fc.weight[0], network.fc.bias[0] = torch.tensor([1.0, -1, 0, 0, 0, 0, 0, 0]), 0
    apart = torch.tensor([0.25, -0.25]).repeat(12).reshape(4, 6).double()
    twins = lambda out: (torch.cat([out[:, :1], out[:, :1] + apart, out[:, 2:]], 1) * 4).round() / 4  # noqa: E731
    network.act2.register_forward_hook(lambda _module, _args, out: twins(out))
    a = emitted(network, "act2", X[0])
    assert references.scores(network, X[0])[0] == 0
    found = found_in("ablation-cam", network, "act2", X[:1], [0]).cores["act2"][0, 0]
    ask.close(found, (a[0] - a[1]) * a[0].mean())


def test_dead_channels_cost_nothing():
    network = networks.dead_channels()
    found = found_in("ablation-cam", network, "act2")
    assert (ask.measured(found)["forwards"] == 5).all()


def test_a_budget_takes_the_strongest_first():
    network = networks.pooled()
    part = lookup("ablation-cam").using(budget=3).outcome(ask.case(network, X[:1], [0], ["act2"], gradients=False))
    a, w = emitted(network, "act2", X[0]), network.fc.weight.detach().numpy()[0]
    best = sorted(range(8), key=lambda k: -abs(a[k]).mean())[:3]
    losses = sum(w[k] * a[k].mean() * a[k] for k in best)
    ask.close(part.cores["act2"][0, 0] * abs(references.scores(network, X[0])[0]), losses)
    assert "after 3 of 8 forwards" in part.notes(0, 0)[0]
    part = lookup("recipro-cam").using(budget=5).outcome(ask.case(network, X[:1], [0], ["act2"], gradients=False))
    cam = np.tensordot(w, a, 1) / 24
    sizes = abs(a).sum(0)
    ask.close(part.cores["act2"][0, 0], np.where(sizes >= np.sort(sizes.ravel())[-5], cam, 0))


def grad_cams(network, layer, **options):
    """Their map (n, h, w), before ReLU and resizing, of class 0."""
    library = pytest.importorskip("pytorch_grad_cam")
    module = network.get_submodule(layer)
    targets = [library.utils.model_targets.ClassifierOutputTarget(0)] * len(X)
    with library.AblationCAM(model=network, target_layers=[module], **options) as method, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of theirs
        method(torch.tensor(X), targets)
        a = method.activations_and_grads.activations[0].numpy()
        return method.get_cam_image(torch.tensor(X), module, targets, a, None, False)


@pytest.mark.parametrize("by", [50, -50])
def test_pytorch_grad_cam_agrees_but_for_the_sign_of_negative_scores(by):
    """Behind a ReLU; they divide by y, in float32."""
    ours = found_in("ablation-cam", shifted(by), "act2").cores["act2"][0]
    ask.close(ours, np.sign(by) * grad_cams(shifted(by), "act2"), rel=1e-4)


def test_pytorch_grad_cam_fills_signed_channels_with_a_huge_number():
    """Where the layer has no zero they put its smallest value less 1e7 in the place of a channel, and as the smallest is then
    that, less 2e7 in the place of the next; the paper puts zero."""
    network = networks.signed_features()
    theirs, ours = grad_cams(network, "act2"), found_in("ablation-cam", network, "act2").cores["act2"][0]
    assert abs(theirs).max() > 1e5 * abs(ours).max()
    for i, image in enumerate(X):
        a, w = emitted(network, "act2", image), network.fc.weight.detach().numpy()[0]
        weights = w * (a.mean((1, 2)) - a.min() + 1e7 * np.arange(1, 9)) / references.scores(network, image)[0]
        ask.close(theirs[i], np.tensordot(weights, a, 1), rel=1e-4)


class Bottleneck(nn.Module):
    """A layer without activation, "squeeze", amid blocks that saturate, as in MobileNetV2."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(5)
        self.stem = nn.Sequential(nn.Conv2d(3, 12, 3, padding=1), nn.ReLU6())
        self.squeeze = nn.Conv2d(12, 7, 1)
        self.expand = nn.Sequential(nn.Conv2d(7, 24, 1), nn.ReLU6(), nn.Conv2d(24, 24, 3, stride=2, groups=24), nn.ReLU6())
        self.fc = nn.Linear(24, 5)

    def forward(self, x):
        return self.fc(self.expand(self.squeeze(self.stem(x))).mean((2, 3)))


def without(network, module, image, fill):
    """The scores (k,) with `fill(a, k)` in the place of each channel k, by a hook and a plain pass for each."""
    rows, x = [], torch.tensor(image[None])
    for k in range(module.out_channels):

        def hook(_module, _args, out, k=k):
            out = out.clone()
            out[:, k] = fill(out, k)
            return out

        handle = module.register_forward_hook(hook)
        with torch.no_grad():
            rows.append(network(x)[0].numpy())
        handle.remove()
    return np.array(rows)


def test_at_a_middle_layer_the_paper_is_ours_and_pytorch_grad_cam_with_zero_in_place_of_its_number():
    """Their fill there is the smallest value less 1e7 (k + 1), by which what follows saturates; with zero their map is ours."""
    library = pytest.importorskip("pytorch_grad_cam")
    network = Bottleneck().double().eval()

    class Zero(library.ablation_layer.AblationLayer):
        def __call__(self, _x):
            for i, a in enumerate(self.activations):
                a[self.indices[i]] = 0
            return self.activations

    ours = found_in("ablation-cam", network, "squeeze").cores["squeeze"][0]
    theirs, zero = grad_cams(network, "squeeze"), grad_cams(network, "squeeze", ablation_layer=Zero())
    for i, image in enumerate(X):
        a, y = emitted(network, "squeeze", image, space=(8, 12)), references.scores(network, image)[0]
        nothing, huge = (
            np.tensordot((y - without(network, network.squeeze, image, fill)[:, 0]) / abs(y), a, 1)
            for fill in (lambda _a, _k: 0.0, lambda a, k: a.min() - 1e7 * (k + 1))
        )
        ask.close(ours[i], nothing, rel=1e-9)
        ask.close(zero[i] * np.sign(y), nothing, rel=1e-4)
        ask.close(theirs[i] * np.sign(y), huge, rel=1e-4)
        assert np.corrcoef(nothing.ravel(), huge.ravel())[0, 1] < 0.9
