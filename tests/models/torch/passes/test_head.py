"""The linear layer that made the scores, what was pooled before it, and the layer where numbers go bad."""

from typing import Any

import pytest
import torch
from torch import nn
from torch.testing import assert_close

import seewhy
from seewhy.models.torch.passes.head import first_bad, linear_head, pooled
from support import ask, networks
from support.dimensions import SPACES, Net, bold, pointwise

X = torch.as_tensor(networks.images(2, 12, 12, seed=3))


class Pooling(nn.Module):
    """Convolution, ReLU, mean over space; then the head, of whatever kind, and what comes behind it."""

    def __init__(self, head, behind=None):
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv2d(3, 5, 3)
        self.head, self.behind = head, behind or nn.Identity()

    def forward(self, x):
        a = self.conv(x).relu()
        return self.behind(self.head(a.mean((2, 3)) if isinstance(self.head, nn.Linear) else a.mean((2, 3), keepdim=True)))


def ran(network):
    def run():
        out = network(X.to(network.conv.weight.dtype)).flatten(1)
        return out, out

    with torch.no_grad():
        return linear_head(network, run)


HEADS = {"linear": lambda: nn.Linear(5, 4), "pointwise": lambda: nn.Conv2d(5, 4, 1)}


@pytest.mark.parametrize("kind", HEADS)
def test_the_last_layer_that_makes_the_scores(kind):
    network = Pooling(HEADS[kind]()).double()
    (raw, _), weight, entered = ran(network)
    assert_close(weight.flatten(1), network.head.weight.flatten(1))
    assert_close(entered, network.conv(X.double()).relu().mean((2, 3)))
    assert_close(entered @ weight.flatten(1).T + network.head.bias, raw)


NO_HEADS = {
    "scores changed behind it": lambda: Pooling(nn.Linear(5, 4), nn.Softmax(1)),
    "a convolution that sees more": lambda: Pooling(nn.Conv2d(5, 4, 3, padding=1)),
    "a convolution in groups": lambda: Pooling(nn.Conv2d(5, 5, 1, groups=5)),
}


@pytest.mark.parametrize("what", NO_HEADS)
def test_a_network_without_such_a_layer_is_refused(what):
    with pytest.raises(seewhy.NotApplicable, match="no linear layer makes the scores"):
        ran(NO_HEADS[what]().double())


def test_scores_of_nan_are_still_the_layers():
    network = Pooling(nn.Linear(5, 4)).double()
    with torch.no_grad():
        network.head.bias[1] = torch.nan
    assert_close(ran(network)[1], network.head.weight.detach())


def test_what_was_pooled_is_the_activation_or_its_relu():
    a = torch.randn(2, 3, 4, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    assert pooled(a, a.mean((2, 3)), "layer", "network") is a
    assert_close(pooled(a, a.relu().mean((2, 3)), "layer", "network"), a.relu())
    for entered in (a.amax((2, 3)), a.mean((2, 3))[:, :2], 1.01 * a.mean((2, 3))):
        with pytest.raises(seewhy.NotApplicable, match="right after layer; in network something else lies between"):
            pooled(a, entered, "layer", "network")


class Breaking(nn.Module):
    def __init__(self, value, pack=lambda x: x):
        super().__init__()
        self.value, self.pack = value, pack

    def forward(self, x):
        return self.pack(x.masked_fill(x == x.max(), self.value))


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
@pytest.mark.parametrize("pack", [lambda x: x, lambda x: (x, None)], ids=["alone", "first of several"])
def test_the_first_layer_with_a_bad_number_is_named(value, pack):
    network = nn.Sequential(nn.ReLU(), Breaking(value, pack))
    assert first_bad(network, lambda: network(X)) == "1"
    network = nn.Sequential(nn.ReLU(), Breaking(1e30), nn.ReLU())
    assert first_bad(network, lambda: network(X)) is None


@pytest.mark.parametrize("d", SPACES)
def test_cam_of_a_pointwise_head(d):
    """sum_c w_c a_c (Zhou et al. 2016), whose mean is the score but for the bias."""
    net = Net(bold(lambda: pointwise(d)), SPACES[d], {"1": SPACES[d]})
    head: Any = net.network.get_submodule("3")
    w, bias = head.weight.detach().reshape(5, 7), head.bias.detach()
    a = net.network.get_submodule("1")(net.network.get_submodule("0")(torch.tensor(net.images))).detach()
    maps = seewhy.cam(seewhy.wrap(net.network), net.images, target=2, layer="1", signed=True)
    ask.close(ask.values(maps), torch.einsum("c,nc...->n...", w[2], a).numpy(), 1e-6)
    for m in maps:
        assert m.source.score == pytest.approx(m.values.mean(dtype=float) + float(bias[2]), rel=1e-5)


def test_a_head_that_is_no_module_is_found_by_its_call():
    w, b = torch.randn(3, 4), torch.randn(3)

    class Functional(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(3, 4, 3)

        def forward(self, x):
            return nn.functional.linear(self.conv(x).mean((2, 3)), w, b)

    network, x = Functional(), torch.randn(2, 3, 8, 8)
    with torch.no_grad():
        (scores, _), found, entered = linear_head(network, lambda: (network(x), x))
        assert found is not None
        assert torch.equal(found, w)
        assert torch.equal(entered, network.conv(x).mean((2, 3)))
        assert torch.equal(scores, network(x))
