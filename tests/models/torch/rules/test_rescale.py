"""DeepLIFT's rescale rule: multipliers written out unit by unit, the sum that they make, and captum."""

import warnings

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

import seewhy
from seewhy.methods.making.method import lookup
from seewhy.models.model import INPUT
from support import ask, networks
from support.references import relevance as plain

X = networks.images(2, 6, 8)
X[0, :, 2:4] = 0  # as the baseline: there activations pass their slope
SMOOTHER = [plain.conv(3, 6), nn.Softplus(), plain.conv(6, 8), nn.Sigmoid(), *plain.head()]
TOYS = {
    **{name: toy for name, toy in plain.TOYS.items() if name != "squeezed"},
    "windows apart": lambda: [plain.conv(3, 6), nn.ReLU(), nn.MaxPool2d(2), plain.conv(6, 8), nn.ReLU(), *plain.head()],
    "smoother": lambda: SMOOTHER,
    "hard": lambda: [plain.conv(3, 6), nn.Hardtanh(), plain.conv(6, 8), nn.Tanh(), *plain.head()],
}


def found(network, x=X, **params):
    return lookup("deep-lift").using(**params).outcome(ask.case(network, x, [1, 3]))


def scores(network, x):
    with torch.no_grad():
        return network(torch.tensor(x)).numpy()


@pytest.mark.parametrize("toy", TOYS)
def test_multipliers_times_differences_add_up_to_the_difference_of_the_scores(toy):
    network = plain.built(TOYS[toy])
    for baseline, start in (("zero", np.zeros(X.shape)), (0.3, np.full(X.shape, 0.3))):
        outcome = found(network, baseline=baseline)
        difference = (scores(network, X) - scores(network, start))[:, [1, 3]].T
        ask.close(outcome.cores[INPUT].sum((2, 3, 4)), difference)
        ask.close(outcome.measured["difference"], difference)
        assert abs(outcome.measured["completeness_gap"]).max() < 1e-12
        assert outcome.notes(0, 0) == ()


@pytest.mark.parametrize("toy", [name for name in TOYS if name not in ("norm1d", "transposed")])
def test_multipliers_unit_by_unit(toy):
    network = plain.built(TOYS[toy])
    start = networks.images(2, 6, 8, seed=5)
    core = found(network, baseline=start).cores[INPUT]
    for t, index in enumerate((1, 3)):
        for i in range(len(X)):
            by_hand = plain.multipliers(network, X[i], start[i], np.eye(5)[index])
            ask.close(core[t, i], (X[i] - start[i]) * by_hand, 1e-8)


@pytest.mark.parametrize("toy", ["plain", "dense", "norm", "norm1d", "average", "residual", "concat", "smoother"])
def test_captum_agrees_where_it_knows_all(toy):
    """It passes the plain gradient through ReLU6, GELU and SiLU, and where something is max-pooled its sum can miss."""
    network = plain.built(TOYS[toy])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = pytest.importorskip("captum.attr").DeepLift(network)
        expected = theirs.attribute(torch.tensor(X), torch.full(X.shape, 0.1, dtype=torch.double), target=1).detach().numpy()
    ask.close(found(network, baseline=0.1).cores[INPUT][0], expected)


class Spelled(nn.Module):
    def __init__(self, write, pool) -> None:
        super().__init__()
        self.conv1, self.conv2, self.fc = plain.conv(3, 6), plain.conv(6, 8), nn.Linear(8, 5)
        self.write, self.pool = write, pool

    def forward(self, x):
        return self.fc(self.write(self.conv2(self.pool(self.write(self.conv1(x))))).mean((2, 3)))


def in_place(x):
    x.relu_()
    return x


def set_below(x):
    x = x * 1
    x[x < 0] = 0
    return x


@pytest.mark.parametrize(
    "write", [F.relu, in_place, set_below, lambda x: x * (x > 0), lambda x: x.clamp(0), lambda x: torch.where(x > 0, x, 0)]
)
@pytest.mark.parametrize("pool", [lambda x: F.max_pool2d(x, 2), lambda x: F.adaptive_max_pool2d(x, (3, 4)), nn.MaxPool2d(2)])
def test_however_it_is_written(write, pool):
    network = plain.built(lambda: [Spelled(write, pool)])
    modules = plain.built(TOYS["windows apart"])
    modules.load_state_dict(dict(zip(modules.state_dict(), network.state_dict().values(), strict=True)))
    ask.close(found(network).cores[INPUT], found(modules).cores[INPUT])


def test_of_a_linear_network_it_is_the_gradient_times_the_difference():
    network = plain.built(lambda: [plain.conv(3, 6), plain.conv(6, 8), *plain.head()])
    x = torch.tensor(X, requires_grad=True)
    (g,) = torch.autograd.grad(network(x)[:, 1].sum(), x)
    ask.close(found(network, baseline=0.5).cores[INPUT][0], (X - 0.5) * g.numpy())


REFUSED = {
    "a gate": (plain.TOYS["squeezed"], "1 Mul"),
    "a norm": (lambda: [plain.conv(3, 6), nn.GroupNorm(2, 6), nn.ReLU(), *plain.head(6)], "NativeGroupNorm"),
    "amax": (lambda: [plain.conv(3, 6), Largest(), nn.Linear(6, 5)], "1 Amax"),
}


class Largest(nn.Module):
    def forward(self, x):
        return x.amax((2, 3))


@pytest.mark.parametrize("name", REFUSED)
def test_what_has_no_rule_is_refused(name):
    build, what = REFUSED[name]
    with pytest.raises(seewhy.NotApplicable, match=rf"lie also .*{what}.*integrated-gradients has no such limit"):
        found(plain.built(build))


def test_what_passes_by_leaves_a_gap_that_is_said():
    network = plain.built(lambda: [Spelled(lambda x: x * (x > 0.1), nn.Identity())])
    outcome = found(network)
    assert "the sum misses y(x) - y(x')" in " ".join(outcome.notes(0, 0))


def test_probabilities_are_no_sum_to_take_apart():
    model = seewhy.wrap(plain.built(TOYS["plain"]), scores="probability")
    with pytest.raises(seewhy.NotApplicable, match="explains probability"):
        seewhy.deep_lift(model, X, target=1)


def test_images_do_not_see_each_other_nor_their_baselines():
    network = plain.built(TOYS["norm"])
    together = found(network).cores[INPUT]
    alone = np.concatenate([found(network, X[i : i + 1]).cores[INPUT] for i in range(2)], 1)
    ask.close(together, alone)
