"""Gradients at the images of what layers emit, against plain autograd and finite differences."""

import numpy as np
import pytest
import torch
from torch import nn

import seewhy
from seewhy.errors import BadNetwork, BadParameter, NeedsGradients, NoSuchName, NotApplicable
from seewhy.models.model import INPUT, SCORES_LAYER
from support import networks, programs

X = networks.images(2, *networks.SIDES, seed=11)


def cotangents_of(passed, seed=0):
    """A cotangent of each layer, that is different in every number."""
    rng = np.random.default_rng(seed)
    return {name: rng.normal(size=a.shape) for name, a in passed.a.items()}


def check_by_differences(model, layers, x=X, places=6):
    """The gradient at single numbers of the images, by central differences of the passes' own activations."""
    passed = model.pulled(x, layers)
    weights = cotangents_of(passed)
    g = passed.back(weights)
    assert g.shape == x.shape
    assert g.any()
    rng = np.random.default_rng(1)
    for at in [tuple(rng.integers(side) for side in x.shape) for _ in range(places)]:
        moved = []
        for step in (1e-5, -1e-5):
            there = x.copy()
            there[at] += step
            a = model.pulled(there, layers).a
            moved.append(sum((weights[name] * a[name]).sum() for name in weights))
        assert g[at] == pytest.approx((moved[0] - moved[1]) / 2e-5, rel=1e-5, abs=1e-7)


def test_the_gradient_of_several_layers_is_that_of_autograd():
    network = networks.signed_features()
    model = seewhy.wrap(network)
    passed = model.pulled(X, ["conv1", "act2", SCORES_LAYER, INPUT])
    weights = cotangents_of(passed)
    x = torch.tensor(X, requires_grad=True)
    a = {INPUT: x, "conv1": network[:1](x), "act2": network[:4](x), SCORES_LAYER: network(x)}
    total = sum((torch.tensor(weights[name]) * each).sum() for name, each in a.items())
    for name, each in a.items():
        np.testing.assert_allclose(passed.a[name], each.detach(), rtol=1e-12)
    np.testing.assert_allclose(passed.back(weights), torch.autograd.grad(total, x)[0], rtol=1e-9, atol=1e-14)


@pytest.mark.parametrize(
    ("make", "layers"),
    [
        (networks.signed_features, ["act1", "conv2"]),
        (networks.inplace, ["conv1", "conv2"]),
        (networks.nhwc, None),
        (networks.tokens, None),
        (networks.reused, ["act"]),
    ],
    ids=["channels first", "overwritten in place", "NHWC", "tokens", "run three times"],
)
def test_the_gradient_is_the_slope_of_what_the_pass_shows(make, layers):
    model = seewhy.wrap(make())
    check_by_differences(model, layers or [model.default(X)[0]])


def test_of_tokens_only_those_that_lie_in_the_image_are_pulled():
    model = seewhy.wrap(networks.tokens())
    layer = model.default(X)[0]
    a = model.pulled(X, [layer]).a[layer]
    np.testing.assert_allclose(a, model.activations(X, [layer])[0][layer], rtol=1e-12)


def test_a_layer_without_space_is_pulled_where_it_is_asked_for():
    model = seewhy.wrap(networks.flat_head())
    with pytest.raises(NotApplicable, match="space"):
        model.pulled(X, ["act3"])
    check_by_differences(model.with_flat_layers(), ["fc1"])


@pytest.mark.parametrize("scores", ["logits", "log-probability", "probability"])
def test_scores_are_those_that_the_model_explains(scores):
    network = networks.pooled()
    passed = seewhy.wrap(network, scores=scores).pulled(X, [SCORES_LAYER])
    x = torch.tensor(X, requires_grad=True)
    read = {"logits": lambda y: y, "log-probability": lambda y: y.log_softmax(1), "probability": lambda y: y.softmax(1)}[scores]
    expected = read(network(x))
    np.testing.assert_allclose(passed.a[SCORES_LAYER], expected.detach(), rtol=1e-9)
    weights = cotangents_of(passed)
    (g,) = torch.autograd.grad((expected * torch.tensor(weights[SCORES_LAYER])).sum(), x)
    np.testing.assert_allclose(passed.back(weights), g, rtol=1e-7, atol=1e-12)


class Watched(nn.Module):
    """A network that counts how often its last part runs, and fails there when it is told to."""

    ran, fails = 0, False

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = networks.bn_dropout()[:4], nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())

    def forward(self, x):
        a = self.first(x)
        Watched.ran += 1
        if Watched.fails:
            raise ValueError("no more")
        return self.last(a)


def test_the_pass_stops_at_the_last_layer_once_it_is_known_how_often_that_runs(monkeypatch):
    monkeypatch.setattr(Watched, "ran", 0)
    model = seewhy.wrap(Watched())
    model.pulled(X, ["first"])
    before = Watched.ran
    first = model.pulled(X, ["first"])
    assert Watched.ran == before
    first.back(cotangents_of(first))
    model.pulled(X, ["first", SCORES_LAYER])
    assert Watched.ran > before


def test_the_network_is_left_as_it_was(monkeypatch):
    network = Watched().train()
    for parameter in network.parameters():
        parameter.grad = torch.full_like(parameter, 7.0)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    model = seewhy.wrap(network)
    passed = model.pulled(X, ["first", SCORES_LAYER])
    passed.back(cotangents_of(passed))
    monkeypatch.setattr(Watched, "fails", True)
    with pytest.raises(BadNetwork, match="no more"):
        model.pulled(X, [SCORES_LAYER])
    assert all(module.training for module in network.modules())
    assert all(not module._forward_hooks for module in network.modules())
    assert all((parameter.grad == 7).all() for parameter in network.parameters())
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


@pytest.mark.parametrize("context", [torch.no_grad, torch.inference_mode], ids=["no_grad", "inference mode"])
def test_it_is_the_same_of_frozen_networks_and_without_gradients_outside(context):
    free, frozen = networks.signed_features(), networks.signed_features().requires_grad_(False)
    of_free = seewhy.wrap(free).pulled(X, ["act2"])
    weights = cotangents_of(of_free)
    with context():
        passed = seewhy.wrap(frozen).pulled(X, ["act2"])
        g = passed.back(weights)
    np.testing.assert_array_equal(g, of_free.back(weights))


class Guarded(nn.Module):
    """The beginning runs without a graph."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.rest = networks.pooled()[:4], networks.pooled()[4:]

    def forward(self, x):
        with torch.no_grad():
            a = self.first(x)
        return self.rest(a)


@pytest.mark.parametrize("layer", ["first", SCORES_LAYER])
def test_where_no_graph_leads_back_to_the_images_it_says_so(layer):
    with pytest.raises(NeedsGradients, match=r"back to the images"):
        seewhy.wrap(Guarded().requires_grad_(False)).pulled(X, [layer])


def test_half_precision_comes_back_as_single():
    passed = seewhy.wrap(networks.pooled().bfloat16()).pulled(X.astype("float32"), ["act2"])
    g = passed.back({"act2": np.ones_like(passed.a["act2"])})
    assert passed.a["act2"].dtype == g.dtype == np.float32


def test_what_cannot_be_pulled_is_refused():
    model = seewhy.wrap(networks.pooled())
    with pytest.raises(NoSuchName, match="conv1"):
        model.pulled(X, ["conv9"])
    passed = model.pulled(X, ["act1"])
    with pytest.raises(BadParameter, match="kept act1"):
        passed.back({"act2": passed.a["act1"]})
    with pytest.raises(BadParameter, match="no layer"):
        passed.back({})
    with pytest.raises(BadParameter, match="shape"):
        passed.back({"act1": passed.a["act1"][:1]})
    passed.back({"act1": passed.a["act1"]})
    with pytest.raises(BadParameter, match="make another"):
        passed.back({"act1": passed.a["act1"]})


def test_of_a_program_the_scores_can_be_pulled():
    network = programs.normed()
    script = seewhy.wrap(programs.in_one_piece(network, "trace"))
    whole, passed = (model.pulled(programs.X, [SCORES_LAYER]) for model in (seewhy.wrap(network), script))
    weights = cotangents_of(passed)
    expected = whole.back(weights)
    np.testing.assert_allclose(passed.back(weights), expected, rtol=1e-5, atol=1e-6 * abs(expected).max())
    with pytest.raises(NotApplicable, match="see"):
        script.pulled(programs.X, ["see"])
