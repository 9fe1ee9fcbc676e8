"""libra: which methods it takes, and that the gradients they then read add up to the score."""

import numpy as np
import pytest
import torch
from torch import nn

import seewhy
from seewhy import METHODS, libra
from support import networks

X = networks.images(2, 8, 8, seed=3)


class Smooth(nn.Module):
    """Without biases, but curved: SiLU, a softmax over channels, a norm."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.fc = nn.Conv2d(3, 6, 3, bias=False), nn.Linear(6, 5, bias=False)

    def forward(self, x):
        x = nn.functional.silu(self.conv(x))
        x = x * x.softmax(1)
        return self.fc((x / (x**2).mean((1, 2, 3), keepdim=True).sqrt()).mean((2, 3)))


def test_the_balanced_shares_of_the_pixels_are_the_whole_score():
    model = seewhy.wrap(Smooth().double())
    for balanced in libra(seewhy.input_x_gradient)(model, X, target=[0, 3]):
        assert balanced.channels.sum() == pytest.approx(balanced.source.score, rel=1e-5)
    plain = seewhy.input_x_gradient(model, X, target=0)[0]
    assert plain.channels.sum() != pytest.approx(plain.source.score, rel=1e-2)


def test_a_network_that_is_balanced_already_gets_the_same_map_and_a_warning():
    model = seewhy.wrap(networks.pooled())
    (balanced,), (plain,) = (method(model, X[:1], target=1) for method in (libra("grad-cam"), seewhy.grad_cam))
    np.testing.assert_allclose(balanced.values, plain.values, rtol=1e-6)
    assert any("libra changes nothing here" in said for said in balanced.warnings)


@pytest.mark.parametrize("name", ["cam", "eigen-cam", "occlusion", "random-map", "score-cam", "attention-rollout"])
def test_what_reads_no_gradient_is_refused(name):
    with pytest.raises(seewhy.BadParameter, match=f"libra balances gradients, and {name} reads none"):
        libra(METHODS[name])


@pytest.mark.parametrize("name", ["lrp", "guided-backprop", "le-grad", "full-grad", "excitation-backprop", "shapley-cam"])
def test_a_way_back_of_its_own_cannot_be_balanced(name):
    network = networks.tokens() if name == "le-grad" else networks.pooled()
    with pytest.raises(seewhy.NotApplicable, match="libra balances plain gradients"):
        libra(METHODS[name])(seewhy.wrap(network), networks.images(1, *networks.SIDES))


def test_it_keeps_parameters_and_tells_both_sources():
    method = libra(seewhy.grad_cam.using(signed=True))
    assert (method.name, method.settings) == ("libra(grad-cam)", {"signed": True})
    assert "Mehri et al. 2025" in method.source
    assert "Selvaraju et al. 2017" in method.source
    assert method.cost == seewhy.grad_cam.cost
    with pytest.raises(seewhy.NotApplicable, match="libra once more"):
        libra(method)(seewhy.wrap(networks.pooled()), X)
