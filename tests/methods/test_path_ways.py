"""Other ways than the straight one: guided, of blurred images, and at random places of many."""

from zlib import crc32

import numpy as np
import pytest
import torch
from torch import nn

import seewhy
from seewhy import BadParameter
from support import networks
from support.references import cams as references
from support.references import pixels as by_hand

K = networks.CLASSES
ALL = [seewhy.Class(t) for t in range(K)]
X = networks.images(2, 6, 8, seed=16)


def found(network, method, x=X, targets=ALL, batch_size=None):
    """What is found: cores (t, n, c, h, w) and what was measured."""
    case = seewhy.explaining.case.Case(seewhy.wrap(network, batch_size=batch_size), x, targets, (None,), ())
    return method.outcome(case)


def each(reference):
    return np.stack([[reference(image, np.eye(K)[t]) for image in X] for t in range(K)])


def affine():
    return networks.made(lambda: nn.Sequential(nn.Flatten(), nn.Linear(X[0].size, K)), 0, 6, 8)


def smooth():
    """A network without kinks."""
    return networks.made(lambda: nn.Sequential(nn.Flatten(), nn.Linear(X[0].size, 8), nn.Tanh(), nn.Linear(8, K)), 0, 6, 8)


def scores(network, x):
    return np.stack([references.scores(network, image) for image in x], 1)


def test_blur_ig_is_the_one_by_hand():
    network = networks.pooled()
    steps = by_hand.steps_of(network)
    for count, sigma in ((1, 0.3), (7, 0.22)):
        core = found(network, seewhy.blur_ig.using(steps=count, sigma=sigma)).cores["input"]
        np.testing.assert_allclose(core, each(lambda x, w: by_hand.blur_ig(steps, x, w, count, sigma)), rtol=1e-4, atol=1e-7)  # noqa: B023


def test_blur_ig_of_an_affine_network_is_the_weight_times_what_the_blur_took():
    network = affine()
    weight = network[1].weight.detach().numpy().reshape(K, 1, *X.shape[1:])
    gone = np.stack([x - by_hand.blurred(x, 0.22) for x in X])
    result = found(network, seewhy.blur_ig.using(steps=3))
    np.testing.assert_allclose(result.cores["input"], weight * gone, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(result.measured["completeness_gap"], 0, atol=1e-8)


def test_blur_ig_adds_up_and_its_gap_is_of_second_order():
    network = smooth()
    gaps = [abs(found(network, seewhy.blur_ig.using(steps=n)).measured["completeness_gap"]).max() for n in (20, 40)]
    assert gaps[1] < 0.3 * gaps[0]
    result = found(network, seewhy.blur_ig.using(steps=400))
    want = scores(network, X) - scores(network, [by_hand.blurred(x, 0.22) for x in X])
    np.testing.assert_allclose(result.measured["difference"], want, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(result.cores["input"].sum((2, 3, 4)), want, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize(
    ("count", "fraction", "distance"), [(5, 0.25, 0.02), (4, 0.1, 1), (3, 0.5, 0.3), (2, 1, 0.5), (3, 0.25, 0)]
)
def test_guided_ig_is_the_one_by_hand(count, fraction, distance):
    network, start = smooth(), 0.1 * np.random.default_rng(3).normal(size=X[0].shape)
    core = found(network, seewhy.guided_ig.using(steps=count, baseline=start, fraction=fraction, distance=distance)).cores[
        "input"
    ]

    def slopes(image, w):
        tensor = torch.from_numpy(image)[None].requires_grad_()
        (g,) = torch.autograd.grad((network(tensor) * torch.from_numpy(w)).sum(), tensor)
        return g[0].numpy()

    want = each(lambda x, w: by_hand.guided_ig(slopes, x, start, w, count, fraction, distance))
    np.testing.assert_allclose(core, want, rtol=1e-6, atol=1e-9)


def test_guided_ig_within_no_distance_is_integrated_gradients_from_the_left():
    core = found(smooth(), seewhy.guided_ig.using(steps=6, distance=0.0)).cores["input"]
    straight = found(smooth(), seewhy.integrated_gradients.using(steps=6, quadrature="left")).cores["input"]
    np.testing.assert_allclose(core, straight, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("distance", [0.02, 0.3, 1])
def test_guided_ig_adds_up(distance):
    network = smooth()
    result = found(network, seewhy.guided_ig.using(steps=100, distance=distance))
    want = scores(network, X) - scores(network, 0 * X)
    np.testing.assert_allclose(result.cores["input"].sum((2, 3, 4)), want, atol=0.03 * abs(want).max())
    np.testing.assert_allclose(result.measured["difference"], want, rtol=1e-6)


def test_guided_ig_of_an_affine_network_is_the_weight_times_the_way():
    network = affine()
    weight = network[1].weight.detach().numpy().reshape(K, 1, *X.shape[1:])
    np.testing.assert_allclose(found(network, seewhy.guided_ig.using(steps=4)).cores["input"], weight * X, rtol=1e-5, atol=1e-8)


BASELINES = [np.zeros_like(X[0]), np.full_like(X[0], 0.5), X[1] / 2]


@pytest.mark.parametrize(("sigma", "baselines", "seed"), [(0.0, BASELINES[:1], 0), (0.0, BASELINES, 3), (0.2, BASELINES, 0)])
@pytest.mark.parametrize("batch_size", [None, 1])
def test_gradient_shap_is_the_one_by_hand_of_the_same_draws(sigma, baselines, seed, batch_size):
    network = networks.pooled()
    steps = by_hand.steps_of(network)
    method = seewhy.gradient_shap.using(samples=5, baseline=baselines, sigma=sigma, seed=seed)
    core = found(network, method, batch_size=batch_size).cores["input"]
    want = each(lambda x, w: by_hand.gradient_shap(steps, x, baselines, w, 5, sigma, seed))
    np.testing.assert_allclose(core, want, rtol=1e-6, atol=1e-10)


def test_gradient_shap_adds_up_in_expectation():
    network = smooth()
    result = found(network, seewhy.gradient_shap.using(samples=1500, baseline=BASELINES))
    want = scores(network, X) - np.mean([scores(network, [start, start]) for start in BASELINES], axis=0)
    np.testing.assert_allclose(result.cores["input"].sum((2, 3, 4)), want, atol=0.05 * abs(want).max())
    exact = found(affine(), seewhy.gradient_shap.using(samples=7, baseline=BASELINES)).measured["completeness_gap"]
    np.testing.assert_allclose(exact, 0, atol=1e-8)


def test_gradient_shap_is_captums_given_the_same_draws(monkeypatch):
    attr = pytest.importorskip("captum.attr")
    network, samples = smooth(), 6
    rng = np.random.default_rng([0, crc32(np.ascontiguousarray(X[0], np.float32).tobytes())])
    draws = [(rng.random(), int(rng.integers(len(BASELINES)))) for _ in range(samples)]
    shares, picked = np.array([share for share, _ in draws]), np.array([which for _, which in draws])
    monkeypatch.setattr(np.random, "uniform", lambda *_args, **_more: shares)
    monkeypatch.setattr(np.random, "choice", lambda *_args, **_more: picked)
    explained = attr.GradientShap(network).attribute(
        torch.from_numpy(X[:1]), torch.from_numpy(np.stack(BASELINES)), n_samples=samples, stdevs=0.0, target=2
    )
    core = found(network, seewhy.gradient_shap.using(samples=samples, baseline=BASELINES), X[:1], [seewhy.Class(2)]).cores[
        "input"
    ]
    np.testing.assert_allclose(core[0], explained.detach().numpy(), rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize(
    ("method", "params", "said"),
    [
        ("blur-ig", {"sigma": 0.0}, "sigma is a share of each side"),
        ("blur-ig", {"sigma": float("nan")}, "sigma is a share of each side"),
        ("guided-ig", {"fraction": 0.0}, "fraction is a share"),
        ("guided-ig", {"distance": 1.5}, "distance is a share"),
        ("gradient-shap", {"sigma": -1.0}, "sigma is a share of the image's range"),
        ("gradient-shap", {"baseline": []}, "^gradient-shap: the list of baselines is empty"),
        ("gradient-shap", {"baseline": ["zero", "pink"]}, "^gradient-shap: the baseline, 'pink'"),
        ("guided-ig", {"baseline": "pink"}, "^guided-ig: the baseline, 'pink'"),
    ],
)
def test_what_is_no_way_is_refused(method, params, said):
    with pytest.raises(BadParameter, match=said):
        seewhy.METHODS[method].using(**params)(seewhy.wrap(smooth()), X)


def test_a_gap_is_said():
    (heatmap,) = seewhy.guided_ig(seewhy.wrap(networks.pooled()), X[:1], target=0, steps=1)
    assert any("the sum misses y(x) - y(x')" in warning for warning in heatmap.warnings) == (
        abs(heatmap.source.measured["completeness_gap"]) > 0.05 * abs(heatmap.source.measured["difference"])
    )


def test_only_of_a_way_that_more_steps_help_it_is_said_that_they_do():
    """The kinks of a network of ReLUs, on which guided IG keeps: no number of steps makes its sum the difference."""
    model = seewhy.wrap(networks.pooled())
    said = {}
    for method in (seewhy.guided_ig, seewhy.blur_ig):
        (heatmap,) = method(model, X[:1], target=0, steps=1)
        (said[method.name],) = [warning for warning in heatmap.warnings if "the sum misses" in warning]
    assert said["blur-ig"].endswith(": more steps miss less")
    assert said["guided-ig"].endswith("so that more steps need not miss less")
