"""Integrated gradients: its sum, its places along the way, its baselines, and what it says of its own gap."""

from math import comb

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import seewhy
from seewhy.methods import path
from support import ask, networks
from support.references import cams as references
from support.references import pixels as by_hand

K = networks.CLASSES
ALL = list(range(K))
X = networks.images(2, 6, 8, seed=16)
ZERO = np.zeros_like(X[0])
RULES = ["gauss-legendre", "midpoint", "trapezoid", "left", "right"]


def asked(network, x=X, targets=ALL, batch_size=None, **params):
    """What is found: cores and what was measured."""
    classes = [seewhy.Class(t) for t in targets]
    case = seewhy.explaining.case.Case(seewhy.wrap(network, batch_size=batch_size), x, classes, (None,), ())
    return seewhy.integrated_gradients.using(**params).outcome(case)


def found(network, x=X, **params):
    """(t, n, c, h, w)"""
    return asked(network, x, **params).cores["input"]


def by_steps(network, starts, nodes, x=X):
    """The same by hand, image i from starts[i]."""
    way = by_hand.steps_of(network)
    return np.stack([
        [by_hand.integrated_gradients(way, image, start, np.eye(K)[t], nodes) for image, start in zip(x, starts, strict=True)]
        for t in ALL
    ])  # fmt: skip


def sums(maps):
    return maps.sum((2, 3, 4))


def difference(network, x, starts):
    """y(x) - y(x'): (t, n)"""
    pairs = [
        (references.scores(network, image), references.scores(network, start)) for image, start in zip(x, starts, strict=True)
    ]
    return np.stack([there - here for there, here in pairs], 1)


def affine():
    return networks.made(lambda: nn.Sequential(nn.Flatten(), nn.Linear(X[0].size, K)), 0, 6, 8)


class Gentle(nn.Module):
    """Smooth between any two images: conv, tanh of a little, conv, tanh, pooling, linear."""

    def __init__(self):
        super().__init__()
        self.conv1, self.conv2, self.fc = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 6, 3), nn.Linear(6, K)

    def forward(self, x):
        return self.fc(torch.tanh(self.conv2(torch.tanh(self.conv1(x) / 4))).mean((2, 3)))


SHOWN: list[float] = []  # no attribute of the network: each thread that explains it has attributes of its own


class Power(nn.Module):
    """y = sum x^p / p over pixels: the integral from 0 to x is x^p / p, pixel by pixel."""

    def __init__(self, p):
        super().__init__()
        self.p, self.weight = p, nn.Parameter(torch.ones((), dtype=torch.float64))

    def forward(self, x):
        SHOWN.extend(x.detach()[:, 0, 0, 0].tolist())
        return (x**self.p / self.p).flatten(1).sum(1, keepdim=True) * torch.arange(1.0, 3.0)


@pytest.mark.parametrize("steps", [1, 2, 3])
@pytest.mark.parametrize("rule", RULES)
def test_where_along_the_way_gradients_are_taken(rule, steps):
    """A white image from a zero baseline: what the network is shown are the places themselves."""
    alone = rule == "trapezoid" and steps == 1  # which has no two ends
    nodes = [(0.5, 1.0)] if alone else by_hand.NODES[rule](steps)
    for p in (1, 2, 3):
        network, x = Power(p), np.ones((1, 3, 4, 4))
        maps = found(network, x, targets=[0, 1], steps=steps, quadrature=rule)
        places = SHOWN[-steps:]
        ask.close(np.array(places) + 1, np.array([alpha for alpha, _ in nodes]) + 1, rel=1e-12)
        for t in (0, 1):
            total = sum(weight * alpha ** (p - 1) for alpha, weight in nodes)
            np.testing.assert_allclose(maps[t], np.full(x.shape, (t + 1) * total), rtol=1e-12)


@pytest.mark.parametrize("steps", [1, 2, 5, 8])
def test_gauss_legendre_is_exact_for_polynomials_up_to_twice_its_steps(steps):
    x = networks.images(1, 4, 4, seed=17)
    for p in (2 * steps - 1, 2 * steps):
        ask.close(found(Power(p), x, targets=[0], steps=steps)[0], x**p / p)
    p = 2 * steps + 1  # the first that is missed: Hildebrand 1956, eq. 8.5.8, its derivative being (2n)!
    missed = 1 / ((2 * steps + 1) * comb(2 * steps, steps) ** 2)
    ask.close(found(Power(p), x, targets=[0], steps=steps)[0], x**p * (1 / p - missed), rel=1e-9)


@pytest.mark.parametrize("rule", RULES)
def test_a_piecewise_linear_network_by_hand(rule):
    for toy in ("pooled", "relu6"):
        network = getattr(networks, toy)()
        maps = by_steps(network, [ZERO, ZERO], by_hand.NODES[rule](3))
        ask.close(found(network, steps=3, quadrature=rule), maps)


@pytest.mark.parametrize("rule", RULES)
def test_on_an_affine_network_any_rule_is_exact(rule):
    """Its sum is w (x - x'), pixel by pixel, from a single step on."""
    network = affine()
    w = network[1].weight.detach().numpy().reshape(K, 1, *X[0].shape)
    for steps in (1, 2, 7):
        for start in (0.0, -0.5, networks.images(2, 6, 8, seed=1)):
            ask.close(found(network, steps=steps, quadrature=rule, baseline=start), w * (X - start))


def test_completeness():
    """Sum of the map = y(x) - y(x'), on a smooth network to 1e-10 of it; and so for a baseline anywhere."""
    network = networks.made(Gentle, 0)
    for start in (ZERO, networks.images(1, 6, 8, seed=2)[0]):
        there = difference(network, X, [start, start])
        maps = asked(network, baseline=start, steps=50)
        ask.close(sums(maps.cores["input"]), there, rel=1e-10)
        assert abs(maps.measured["completeness_gap"]).max() < 1e-10
        ask.close(maps.measured["difference"], there)


@pytest.mark.parametrize(("rule", "order"), [("midpoint", 2), ("trapezoid", 2), ("left", 1), ("right", 1)])
def test_how_fast_the_other_rules_approach_it(rule, order):
    """Twice the intervals: a quarter of the gap, or half of it."""
    network = networks.made(Gentle, 0)
    more = 1 if rule == "trapezoid" else 0  # n points make n - 1 intervals
    coarse, fine = (asked(network, steps=steps + more, quadrature=rule).measured["completeness_gap"] for steps in (40, 80))
    np.testing.assert_allclose(np.linalg.norm(coarse) / np.linalg.norm(fine), 2**order, rtol=0.02)
    assert abs(coarse).max() > 1e-9


GREY = [0.4, 0.5, 0.6]
SPREAD = [0.2, 0.25, 0.3]


def prepared(network, **more):
    return seewhy.wrap(network, prepare={"size": (6, 8), "crop": None, "mean": GREY, "std": SPREAD}, **more)


def of_colour(level):
    return np.broadcast_to(((level - np.array(GREY)) / SPREAD)[:, None, None], (3, 6, 8))


def photo(seed, size=(8, 6)):
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8))


def as_prepared(picture):
    return np.moveaxis((np.asarray(picture, np.float64) / 255 - GREY) / SPREAD, -1, 0)


STARTS = {
    "zero": ("zero", lambda image: np.zeros_like(image)),
    "black": ("black", lambda image: of_colour(0.0)),
    "white": ("white", lambda image: of_colour(1.0)),
    "its own mean": ("mean", lambda image: np.broadcast_to(image.mean((1, 2))[:, None, None], image.shape)),
    "blurred": ("blurred", lambda image: by_hand.blurred(image, 0.1)),
    "a number": (0.3, lambda image: np.full_like(image, 0.3)),
    "a whole number": (-1, lambda image: np.full_like(image, -1.0)),
    "a prepared array": (networks.images(1, 6, 8, seed=3)[0], lambda image: networks.images(1, 6, 8, seed=3)[0]),
    "a batch of one": (networks.images(1, 6, 8, seed=3), lambda image: networks.images(1, 6, 8, seed=3)[0]),
    "a tensor": (torch.tensor(networks.images(1, 6, 8, seed=3)), lambda image: networks.images(1, 6, 8, seed=3)[0]),
    "a photo": (photo(4), lambda image: as_prepared(photo(4))),
}


@pytest.mark.parametrize("name", STARTS)
def test_baselines(name):
    """Each of the images' own, where it has to do with them; photos in float32 as they are prepared."""
    baseline, start = STARTS[name]
    network, pictures = networks.pooled(), [photo(5), photo(6)]
    x = np.stack([as_prepared(picture) for picture in pictures])
    starts = [start(image) for image in x]
    nodes = by_hand.NODES["gauss-legendre"](3)
    heatmaps = seewhy.integrated_gradients(prepared(network), pictures, target=ALL, baseline=baseline, steps=3)
    channels = np.stack([heatmap.channels for heatmap in heatmaps]).reshape(2, K, *x[0].shape).swapaxes(0, 1)
    ask.close(channels, by_steps(network, starts, nodes, x), rel=1e-4)
    measured = [heatmap.source.measured["difference"] for heatmap in heatmaps]
    ask.close(np.reshape(measured, (2, K)).T, difference(network, x, starts), rel=1e-4)


def test_one_baseline_for_each_image_and_several_averaged():
    network, starts = networks.pooled(), networks.images(2, 6, 8, seed=7)
    nodes = by_hand.NODES["gauss-legendre"](2)
    each = by_steps(network, starts, nodes)
    ask.close(found(network, baseline=starts, steps=2), each)
    own = by_steps(network, [np.broadcast_to(image.mean((1, 2), keepdims=True), image.shape) for image in X], nodes)
    three = asked(network, baseline=[starts, "mean", 0], steps=2)
    ask.close(three.cores["input"], (each + own + by_steps(network, [ZERO, ZERO], nodes)) / 3)
    ask.close(three.measured["completeness_gap"], sums(three.cores["input"]) - three.measured["difference"])


REFUSED = {
    "black": ("black", 'without `prepare`.*"zero" or "mean"'),
    "white": ("white", "without `prepare`"),
    "an array of another size": (np.zeros((3, 5, 8)), r"\(3, 5, 8\), the prepared images are \(2, 3, 6, 8\)"),
    "an empty list": ([], "list of baselines is empty"),
    "no name": ("blak", "Known by name are zero, black, white, mean, blurred"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_baselines_that_mean_nothing_are_refused_with_advice(name):
    baseline, said = REFUSED[name]
    with pytest.raises(seewhy.BadParameter, match=said):
        found(networks.pooled(), baseline=baseline)


@pytest.mark.parametrize(
    "params",
    [{"steps": 0}, {"steps": 2.5}, {"steps": -1}, {"steps": np.nan}, {"steps": np.inf}, {"quadrature": "simpson"},
     {"quadrature": ["left"]}, {"tolerance": 0}, {"tolerance": np.nan}, {"refine": "yes"}],
)  # fmt: skip
def test_parameters_that_mean_nothing_are_refused(params):
    with pytest.raises(seewhy.BadParameter):
        found(networks.pooled(), **params)


def test_the_gap_is_what_is_missing_and_is_said_where_it_is_large():
    """One step on a network of ReLUs: the sum misses the difference, by as much as is said."""
    network = networks.pooled()
    heatmaps = seewhy.integrated_gradients(seewhy.wrap(network), X, target=ALL, steps=1, quadrature="left")
    there = difference(network, X, [ZERO, ZERO])
    loud = 0
    for i in range(2):
        for t in ALL:
            heatmap = heatmaps[i * K + t]
            gap = heatmap.channels.astype(np.float64).sum() - there[t, i]
            ask.close(heatmap.source.measured["completeness_gap"], gap, rel=1e-5)
            said = any("the sum misses y(x) - y(x')" in warning for warning in heatmap.source.warnings)
            assert said == (abs(gap) > 0.05 * abs(there[t, i]))
            loud += said
    assert loud > 0
    quiet = seewhy.integrated_gradients(seewhy.wrap(affine()), X, target=ALL, steps=1)
    assert not any("misses" in warning for heatmap in quiet for warning in heatmap.source.warnings)


def test_refining_reaches_the_tolerance():
    """Each target of each image with the fewest doublings that serve it: and its map is the one of those steps."""
    network = networks.pooled()
    result = asked(network, steps=2, refine=True, tolerance=0.01)
    there, used = difference(network, X, [ZERO, ZERO]), result.measured["steps"]
    gap = sums(result.cores["input"]) - there
    assert (abs(gap) <= 0.01 * abs(there)).all()
    ask.close(result.measured["completeness_gap"] + 1, gap + 1, rel=1e-12)
    for steps in np.unique(used):
        whole = asked(network, steps=int(steps))
        ask.close(result.cores["input"][used == steps], whole.cores["input"][used == steps], rel=1e-12)
        if steps > 2:
            half = asked(network, steps=int(steps) // 2).measured["completeness_gap"]
            assert (abs(half) > 0.01 * abs(there))[used == steps].all()
    assert len(np.unique(used)) > 1


def test_refining_one_image_knows_nothing_of_the_others():
    """Neither of its neighbours in the batch, nor of the other targets, nor of the batch's size."""
    network, x = networks.pooled(), networks.images(3, 6, 8, seed=18)
    whole = asked(network, x, steps=2, refine=True)
    for i in range(3):
        alone = asked(network, x[i : i + 1], steps=2, refine=True, batch_size=1)
        ask.close(alone.cores["input"], whole.cores["input"][:, i : i + 1], rel=1e-12)
        np.testing.assert_array_equal(alone.measured["steps"], whole.measured["steps"][:, i : i + 1])
        for t in ALL[i::3]:
            single = asked(network, x[i : i + 1], [t], steps=2, refine=True)
            ask.close(single.cores["input"][0], whole.cores["input"][t, i : i + 1], rel=1e-12)
    assert len(np.unique(whole.measured["steps"])) > 1


def test_refining_gives_up_in_the_end_and_says_so(monkeypatch):
    """A tolerance that no number of steps reaches."""
    assert path.MOST == 3200
    monkeypatch.setattr(path, "MOST", 400)
    heatmap = seewhy.integrated_gradients(
        seewhy.wrap(networks.pooled()), X[:1], target=1, steps=50, refine=True, tolerance=1e-15
    )[0]
    assert any("even with 400 steps" in warning for warning in heatmap.source.warnings)
    assert heatmap.source.measured["steps"] == 400


def test_a_baseline_that_is_the_image_explains_nothing():
    result = asked(networks.pooled(), baseline=X)
    assert not result.cores["input"].any()
    assert not result.notes(0, 0)


def test_the_way_is_cut_in_passes_of_the_batch_size():
    """No pass holds more images than that, and the map stays the same."""
    network, sizes = networks.pooled(), []
    network.register_forward_pre_hook(lambda _module, args: sizes.append(len(args[0])))
    maps = found(network, steps=10)
    for batch_size in (2, 3, 7, 100):
        sizes.clear()
        ask.close(found(network, steps=10, batch_size=batch_size), maps, rel=1e-12)
        assert max(sizes) <= batch_size
        assert sum(sizes) == 2 * (10 + 2)  # the steps, the image and the baseline
    sizes.clear()
    seewhy.integrated_gradients(seewhy.wrap(network, batch_size=1), X, steps=10)
    assert sizes == [1] * 24
