"""Rules of LRP for a kind of layer, and composites of them, against products unit by unit, what they conserve, and zennit."""

import numpy as np
import pytest
import torch
from torch import nn

import seewhy
from seewhy import Class
from seewhy.methods.relevance import COMPOSITES
from seewhy.models.model import INPUT
from seewhy.models.rule import Relevance
from seewhy.prepare.fit import Fit
from support import ask, networks
from support.references import relevance as plain

X = networks.images(2, 6, 8)
X[0, :, 2:4] = 0  # pixels of value zero have relevance, too, by the rules for what reads the image
EPSILON = 1 / 64
LOW, HIGH = -2.5, 3.0


def handed_down(network, x, rule, target=1):
    """(n, c, *space) of relevance at the image."""
    evidence = seewhy.wrap(network).trace(x, [Class(target)], [INPUT], rule).evidence[INPUT]
    return (evidence.g[0] if rule.first else evidence.a * evidence.g[0]).numpy()


def scores(network, x):
    with torch.no_grad():
        return network(torch.tensor(x)).numpy()


def mlp():
    return [nn.Flatten(), nn.Linear(144, 9), nn.ReLU(), nn.Linear(9, 5)]


TOYS = {**plain.TOYS, "perceptron": mlp}
KINDS = ("plain", "dense", "norm", "max", "average", "residual", "grouped", "transposed", "leaky", "perceptron")


BY = [(conv, "") for conv in ("alpha2-beta1", "z-plus", "gamma", "epsilon")]
BY += [(conv, first) for conv in ("alpha2-beta1", "gamma") for first in ("flat", "w-square", "z-box")]


@pytest.mark.parametrize(("conv", "first"), BY)
@pytest.mark.parametrize("toy", KINDS)
def test_every_rule_is_handed_down_in_shares_of_products(toy, conv, first):
    """Each rule of the first layer, which takes what the others hand it, behind two of them."""
    network = plain.built(TOYS[toy])
    said = scores(network, X)
    by = {"conv": conv, "dense": "alpha2-beta1" if conv == "gamma" else "epsilon", "epsilon": EPSILON, "first": first}
    found = handed_down(network, X, Relevance(**by, low=(LOW,), high=(HIGH,)))
    for image, score, arrived in zip(X, said, found, strict=True):
        reference = plain.Relevance(**by, low=LOW, high=HIGH)
        ask.close(arrived, plain.relevance(network, image, np.eye(5)[1] * score, reference))


def test_a_layer_by_hand():
    """x = (1, 2, -1), w = (3, -1, -2), b = 2: products 3, -2, 2; relevance 5 comes in."""
    network, x = plain.of_three_products()
    by = {"epsilon": 0.0, "low": (-1.0, 0.0, -2.0), "high": (1.0, 4.0, 2.0)}
    shares = {
        ("alpha2-beta1", ""): 2 * np.array([3, 0, 2]) / 7 - np.array([0, 1, 0]),
        ("epsilon", "flat"): np.ones(3) / 3,
        ("epsilon", "w-square"): np.array([9, 1, 4]) / (9 + 1 + 4 + 4),
        ("gamma", "z-box"): np.array([3 + 3, -2 + 4, 2 + 4]) / 14,
    }
    for (conv, first), expected in shares.items():
        ask.close(handed_down(network, x, Relevance(conv, first=first, **by), 0).ravel(), 5 * expected)


@pytest.mark.parametrize("first", ["flat", "w-square", "z-box"])
@pytest.mark.parametrize("conv", ["epsilon", "gamma"])
@pytest.mark.parametrize("toy", KINDS)
def test_without_biases_the_whole_score_reaches_the_image(toy, conv, first):
    network = plain.built(TOYS[toy], bias=False)
    found = handed_down(network, X, Relevance(conv, "epsilon", 0.0, first=first, low=(LOW,), high=(HIGH,)))
    ask.close(found.reshape(len(X), -1).sum(1), scores(network, X)[:, 1])


def zennits(network, name, x, **more):
    """Their relevance at the image.  Their pooling has an epsilon of its own, here none to speak of."""
    pytest.importorskip("zennit")
    from zennit.attribution import Gradient
    from zennit.canonizers import SequentialMergeBatchNorm
    from zennit.composites import COMPOSITES as THEIRS
    from zennit.rules import Epsilon, Norm

    composite = THEIRS[name.replace("-", "_")](canonizers=[SequentialMergeBatchNorm()], **more)
    composite.layer_map = [(kind, Epsilon(1e-12) if isinstance(hook, Norm) else hook) for kind, hook in composite.layer_map]
    start = torch.tensor(np.eye(5)[1] * scores(network, x))
    with Gradient(model=network, composite=composite) as attributor:
        return attributor(torch.tensor(x), start)[1].numpy()


class Block(nn.Module):
    def __init__(self, add) -> None:
        super().__init__()
        self.conv1, self.norm1 = nn.Conv2d(6, 6, 3, padding=1, bias=False), nn.BatchNorm2d(6)
        self.conv2, self.norm2 = nn.Conv2d(6, 6, 3, padding=1, bias=False), nn.BatchNorm2d(6)
        self.relu1, self.relu2, self.add = nn.ReLU(), nn.ReLU(), add

    def forward(self, x):
        branch = self.norm2(self.conv2(self.relu1(self.norm1(self.conv1(x)))))
        return self.relu2(self.add(torch.stack([x, branch], -1)))


def residual():
    add = pytest.importorskip("zennit.layer").Sum
    stem = [nn.Conv2d(3, 6, 3, 2, 1, bias=False), nn.BatchNorm2d(6), nn.ReLU(), nn.MaxPool2d(2)]
    return [*stem, Block(add()), Block(add()), *plain.head(6)]


def deep():
    first = [nn.Conv2d(3, 6, 3, padding=1), nn.ReLU(), nn.Conv2d(6, 6, 3, padding=1), nn.BatchNorm2d(6), nn.ReLU()]
    return [*first, nn.MaxPool2d(2), nn.Flatten(), nn.Linear(72, 9), nn.ReLU(), nn.Linear(9, 5)]


@pytest.mark.parametrize("name", COMPOSITES)
@pytest.mark.parametrize("network", [deep, residual, mlp])
def test_composites_by_name_are_zennits(network, name):
    network = plain.built(network)
    for module in network.modules():
        if isinstance(module, plain.NORMS):
            module.eps = 1e-30  # torch 2.10 takes no 0, which their merging leaves in the norm as well
    bounds = {"low": LOW, "high": HIGH} if "box" in name else {}
    found = seewhy.lrp.using(rules=name, **bounds).outcome(ask.case(network, X, [1])).cores[INPUT][0]
    ask.close(found, zennits(network, name, X, **bounds))


def test_bounds_are_black_and_white_of_a_network_that_prepares_photos():
    network = plain.built(TOYS["norm"]).float()
    photo = np.random.default_rng(0).integers(0, 255, (8, 8, 3), np.uint8)
    model = seewhy.wrap(network, prepare=Fit((6, 8), None, (0.5, 0.4, 0.3), (0.2, 0.25, 0.5)))
    low, high = ((level - np.array([0.5, 0.4, 0.3])) / np.array([0.2, 0.25, 0.5]) for level in (0, 1))
    ours, said = (
        seewhy.explain(model, photo, methods=seewhy.lrp.using(rules="epsilon-gamma-box", **bounds), target=1)[0].values
        for bounds in ({}, {"low": [*low], "high": [*high]})
    )
    ask.close(ours, said, 1e-6)


WRONG = {
    "two rules": ({"rules": "epsilon-plus-flat", "rule": "gamma"}, "give one of them"),
    "no bounds": ({"rules": "epsilon-gamma-box"}, "between which values the image lies"),
    "two channels": ({"first": "z-box", "low": [0, 0], "high": 1}, "one for each of the 3 channels"),
    "bounds the wrong way round": ({"first": "z-box", "low": [0, 0.5, 0], "high": 0.4}, "lies above high=0.4"),
    "unknown": ({"rules": "epsilon-minus"}, "epsilon-alpha2-beta1-flat"),
    "unknown first": ({"first": "box"}, "w-square"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_cannot_be_asked(name):
    params, said = WRONG[name]
    with pytest.raises(seewhy.BadParameter, match=said):
        seewhy.lrp(seewhy.wrap(plain.built(TOYS["plain"])), X, target=1, **params)


class Around(nn.Module):
    """The image is read by more than layers with weights."""

    def __init__(self, change) -> None:
        super().__init__()
        self.conv, self.fc, self.change = nn.Conv2d(3, 3, 3, padding=1), nn.Linear(3, 5), change

    def forward(self, x):
        return self.fc(self.change(self.conv, x).mean((2, 3)))


@pytest.mark.parametrize(
    "change",
    [lambda conv, x: conv((x - 0.4) / 0.3), lambda conv, x: conv(x) + x, lambda conv, x: conv(x.relu())],
    ids=["a normalisation", "a skip connection", "an activation"],
)
@pytest.mark.parametrize("rules", ["epsilon-plus-flat", "epsilon-gamma-box"])
def test_a_rule_for_the_image_needs_layers_that_read_it(rules, change):
    network = plain.built(lambda: [Around(change)])
    bounds = {"low": LOW, "high": HIGH} if "box" in rules else {}
    with pytest.raises(seewhy.NotApplicable, match="Wrap the part behind it"):
        seewhy.lrp(seewhy.wrap(network), X, target=1, rules=rules, **bounds)
    seewhy.lrp(seewhy.wrap(network), X, target=1, rules="epsilon-plus")


def test_two_layers_that_read_the_image_share_it():
    """Both by the rule for what reads the image; zennit's takes the first alone."""

    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one, self.two, self.fc = nn.Conv2d(3, 4, 3), nn.Conv2d(3, 4, 3), nn.Linear(8, 5)

        def forward(self, x):
            both = torch.cat([self.one(x), self.two(x.flip(2))], 1).relu()
            return self.fc(both.mean((2, 3)))

    network = plain.built(lambda: [Two()], bias=False)
    found = handed_down(network, X, Relevance("epsilon", "epsilon", 0.0, first="flat"))
    ask.close(found.reshape(2, -1).sum(1), scores(network, X)[:, 1])


def test_the_old_way_of_asking_is_the_same():
    model = seewhy.wrap(plain.built(TOYS["norm"]))
    for old, new in (({}, {"rules": "epsilon-plus"}), ({"rule": "epsilon-plus"}, {"rules": "epsilon-plus"})):
        one, other = (seewhy.lrp(model, X, target=1, **params) for params in (old, new))
        np.testing.assert_array_equal(one[0].values, other[0].values)
    (flat,) = seewhy.lrp(model, X[:1], target=1, rules="epsilon-plus-flat")
    assert flat.source.params["rules"] == "epsilon-plus-flat"
