"""What a pass forward and back and another forward show: what the modules did, where gradients end, what moves the scores."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

import seewhy
from seewhy.errors import BadNetwork
from seewhy.models.torch.examine import Trail, any_rule, examined
from seewhy.models.torch.passes.taps import hooked
from support import networks
from support.hazards import HAS, Around, X, changed
from support.states import state


def facts(network, layer="act2"):
    """What is found out about a network, of which that layer is to be explained."""
    model = seewhy.wrap(network)
    return examined(model.runner, X, model.layers(X), layer)


def test_the_scores_and_the_layer_are_those_of_the_network():
    network = networks.pooled()
    seen = facts(network)
    x = torch.tensor(X)
    with torch.no_grad():
        np.testing.assert_allclose(seen.first.raw.detach(), network(x), rtol=1e-12)
        np.testing.assert_allclose(seen.first.answer.scores, network(x), rtol=1e-12)
        np.testing.assert_allclose(seen.first.a, network[:4](x)[0], rtol=1e-12)
    assert torch.equal(seen.x, x)
    assert dict(seen.refused) == {}
    assert (seen.second.moved, seen.second.mixes, seen.second.alone) == (0.0, False, "")


@pytest.mark.parametrize("name", ["pooled", "inplace", "bn_dropout", "tokens", "reused"])
def test_the_network_is_given_back_as_it_was(name):
    network = getattr(networks, name)().train()
    before = state(network)
    facts(network, None)
    assert state(network) == before


def test_modules_that_stand_in_train_mode_are_named():
    network = networks.bn_dropout()
    network.bn1.train(), network.drop1.train()
    assert facts(network, None).training == ["bn1", "drop1"]


RELUS = {"pooled": (2, 2), "inplace": (2, 2), "functional": (2, 0), "signed_features": (0, 0), "reused": (3, 3)}


@pytest.mark.parametrize("name", RELUS)
def test_relus_are_counted_and_those_that_are_layers(name):
    first = facts(getattr(networks, name)(), None).first
    assert (first.relus, first.named) == RELUS[name]


def trail(network, x=X):
    """What the modules of a network did in one pass."""
    seen = Trail(network)
    with hooked(seen.hooks()):
        network(torch.tensor(x).requires_grad_().clone())
    return seen


def test_what_writes_over_the_output_of_which_layer_is_told():
    class ByCode(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.fc = nn.Conv2d(3, 4, 3).double(), nn.Linear(4, 2).double()

        def forward(self, x):
            return self.fc(self.conv(x).relu_().mean((2, 3)))

    assert trail(networks.pooled()).rewritten == {}
    assert trail(networks.inplace()).rewritten == {"conv1": "act1", "conv2": "act2"}
    assert trail(ByCode()).rewritten == {"conv": "the code before fc"}


def test_the_first_module_that_emits_nan_is_named():
    assert trail(networks.pooled()).bad is None
    assert trail(changed(lambda network: network.conv2.bias.fill_(np.inf))).bad == "conv2"
    assert trail(networks.pooled(), X * np.nan).bad == "conv1"


def test_the_last_layer_with_weights_is_known():
    network = networks.pooled()
    assert trail(network).last is network.fc
    assert [name for name, _, _ in trail(network).emitted] == ["conv1", "act1", "conv2", "act2", "pool", "flat", "fc"]


def test_the_rule_that_is_tried_changes_nothing():
    g = np.array([-1.0, 2.0, 3.0])
    assert any_rule(np.array([True, False, True]), g).tolist() == [-1, 0, 3]


def test_a_network_that_draws_or_mixes_its_batch_moves_its_scores():
    mixes = facts(Around(lambda x: x - x.mean(0)), None).second
    assert (mixes.mixes, mixes.moved, mixes.alone) == (True, 0.0, "")
    draws = facts(Around(lambda x: F.dropout(x, 0.5, True)), None).second
    assert not draws.mixes
    assert draws.moved > 0.01


def test_by_how_much_a_pass_moves_the_scores_is_a_share_of_the_largest():
    """Of a network whose scores grow with each pass, by a tenth of the first pass's largest."""
    largest = networks.pooled()(torch.tensor(X)).detach().abs().max()
    sizes = []

    def grown(scores):
        sizes.append(len(scores))
        return scores + (len(sizes) - 1) * 0.1 * largest

    model = seewhy.wrap(Around(behind=grown))
    layers = model.layers(X)
    sizes.clear()
    second = examined(model.runner, X, layers, None).second
    assert sizes == [1, 2, 1]
    assert second.moved == pytest.approx(0.2, rel=1e-6)
    assert not second.mixes


def test_what_takes_no_two_images_is_looked_at_alone():
    second = facts(HAS["one-at-a-time"][0](), None).second
    assert "failed on an input of shape (2, 3, 12, 16)" in second.alone
    assert (second.moved, second.mixes, dict(second.refused)) == (0.0, False, {})


def test_what_fails_on_every_input_is_no_fact():
    model = seewhy.wrap(networks.flat_head())
    with pytest.raises(BadNetwork, match="failed on an input of shape"):
        examined(model.runner, X[..., :-4], {}, None)


def test_relevance_is_told_apart_before_and_behind_the_layer():
    """An unknown operation before the layer is none of what comes back from the scores to it."""

    class Sorting(nn.Module):
        def __init__(self, before):
            super().__init__()
            self.body, self.rest, self.before = networks.pooled()[:4], networks.pooled()[4:], before

        def forward(self, x):
            unknown = lambda a: a + torch.sinc(a)  # noqa: E731
            a = self.body(unknown(x) if self.before else x)
            return self.rest(a if self.before else unknown(a))

    assert {*facts(Sorting(True), "body").second.refused} == {"relevance"}
    assert {*facts(Sorting(False), "body").second.refused} == {"relevance", "excitation"}
