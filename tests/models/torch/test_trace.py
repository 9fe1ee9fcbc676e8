"""What passes through a network leave, against plain autograd on the same network."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.grad import conv2d_input

from seewhy.errors import NotApplicable
from seewhy.models.model import INPUT
from seewhy.models.rule import Balanced, Relevance, deconv, guided
from seewhy.models.settings import Settings
from seewhy.models.torch.runner import Runner
from seewhy.models.torch.trace import activations, biases, trace
from seewhy.targets.target import Class, Contrast, Top
from support import networks

X = networks.images(2, *networks.SIDES, seed=11)
TARGETS = [Class(1), Top(2), Contrast(0, 3, strength=0.5)]


@pytest.fixture
def network():
    return networks.pooled()


@pytest.fixture
def runner(network):
    return Runner(network, Settings())


def explained(scores):
    """The explained scores of TARGETS (t, n), written out."""
    runner_up = scores.argsort(1, descending=True)[:, 1:2]
    return torch.stack([scores[:, 1], scores.gather(1, runner_up)[:, 0], scores[:, 0] - 0.5 * scores[:, 3]])


def by_hand(network, place: int):
    """The activation before module number `place` of a Sequential, and the gradients of TARGETS (t, n, c, h, w)."""
    a = network[:place](torch.tensor(X)).detach().requires_grad_()
    rows = explained(network[place:](a))
    return a.detach(), torch.stack([torch.autograd.grad(row.sum(), a, retain_graph=True)[0] for row in rows])


def test_activations_and_gradients_at_layers_and_image_are_those_of_autograd(network, runner):
    places = {INPUT: 0, "conv1": 1, "act1": 2, "act2": 4}
    result = trace(runner, X, TARGETS, list(places))
    assert list(result.evidence) == list(places)
    for name, place in places.items():
        a, g = by_hand(network, place)
        np.testing.assert_allclose(result.evidence[name].a, a, rtol=1e-12)
        np.testing.assert_allclose(result.evidence[name].g, g, rtol=1e-9, atol=1e-15)
    scores = network(torch.tensor(X)).detach()
    np.testing.assert_allclose(result.answer.scores, scores, rtol=1e-12)
    np.testing.assert_allclose((result.answer.scores * result.weights).sum(-1), explained(scores), rtol=1e-9)


@pytest.mark.parametrize("kind", ["probability", "log-probability"])
def test_the_gradient_is_that_of_the_scores_that_are_explained(kind, network):
    a = network[:4](torch.tensor(X)).detach().requires_grad_()
    scores = network[4:](a)
    scores = scores.softmax(1) if kind == "probability" else scores.log_softmax(1)
    (g,) = torch.autograd.grad(scores[:, 2].sum(), a)
    evidence = trace(Runner(network, Settings(scores=kind)), X, [Class(2)], ["act2"]).evidence["act2"]
    np.testing.assert_allclose(evidence.g[0], g, rtol=1e-9, atol=1e-15)


def test_what_is_overwritten_in_place_is_read_as_it_was_emitted(network):
    (a, g), (other_a, _) = by_hand(network, 3), by_hand(network, 1)
    evidence = trace(Runner(networks.inplace(), Settings()), X, TARGETS, ["conv1", "conv2"]).evidence
    np.testing.assert_allclose(evidence["conv2"].a, a, rtol=1e-12)
    np.testing.assert_allclose(evidence["conv2"].g, g, rtol=1e-9, atol=1e-15)
    np.testing.assert_allclose(evidence["conv1"].a, other_a, rtol=1e-12)


class Fork(nn.Module):
    """Two ways out of the image, of which the scores rest on one; it runs under no_grad where that is said."""

    def __init__(self, guarded: bool = False) -> None:
        super().__init__()
        self.guarded = guarded
        self.used, self.beside = networks.pooled()[:4], networks.pooled(seed=1)[:4]
        self.rest = networks.pooled()[4:]

    def forward(self, x):
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.guarded):
            a = self.used(x)
        self.beside(x)
        return self.rest(a)


def test_a_layer_that_the_scores_do_not_rest_on_has_no_gradient(network):
    evidence = trace(Runner(Fork(), Settings()), X, TARGETS, ["used", "beside"]).evidence
    assert not np.asarray(evidence["beside"].g).any()
    np.testing.assert_allclose(evidence["beside"].a, networks.pooled(seed=1)[:4](torch.tensor(X)).detach(), rtol=1e-12)
    np.testing.assert_allclose(evidence["used"].g, by_hand(network, 4)[1], rtol=1e-9, atol=1e-15)


def test_behind_a_frozen_part_the_gradient_is_the_same(network):
    evidence = trace(Runner(Fork(guarded=True), Settings()), X, TARGETS, ["used"]).evidence
    np.testing.assert_allclose(evidence["used"].g, by_hand(network, 4)[1], rtol=1e-9, atol=1e-15)


def test_each_call_of_a_repeated_layer_has_its_own_gradient():
    network, outputs = networks.reused(), []
    handle = network.act.register_forward_hook(lambda _module, _args, out: outputs.append(out))
    scores = network(torch.tensor(X))
    handle.remove()
    expected = torch.autograd.grad(scores[:, 1].sum(), outputs)
    result = trace(Runner(network, Settings()), X, [Class(1)], ["act"])
    assert list(result.evidence) == ["act#1", "act#2", "act#3"]
    for evidence, a, g in zip(result.evidence.values(), outputs, expected, strict=True):
        np.testing.assert_allclose(evidence.a, a.detach(), rtol=1e-12)
        np.testing.assert_allclose(evidence.g[0], g, rtol=1e-9, atol=1e-15)


@pytest.mark.parametrize("rule", [guided, deconv])
def test_a_rule_for_relus_changes_the_way_back_at_each_of_them(rule, network, runner):
    x = torch.tensor(X)
    z1 = network.conv1(x)
    z2 = network.conv2(z1.relu())
    passed = (lambda z, g: g.clip(min=0) * (z > 0)) if rule is guided else (lambda z, g: g.clip(min=0))
    g = network.fc.weight[1][None, :, None, None].expand_as(z2) / z2.shape[2:].numel()
    g = passed(z1, conv2d_input(z1.shape, network.conv2.weight, passed(z2, g), stride=2, padding=1))
    expected = conv2d_input(x.shape, network.conv1.weight, g, padding=1).detach()
    evidence = trace(runner, X, [Class(1)], [INPUT], rule).evidence[INPUT]
    np.testing.assert_allclose(evidence.g[0], expected, rtol=1e-9, atol=1e-15)
    assert not np.allclose(expected, by_hand(network, 0)[1][0])


def test_relevance_of_epsilon_alone_is_the_gradient_of_what_is_piecewise_linear(network, runner):
    """With no epsilon, x times what comes back adds up to the score less the shares of the biases: gradient times input."""
    rule = Relevance(conv="epsilon", dense="epsilon", epsilon=0.0)
    evidence = trace(runner, X, [Class(1)], [INPUT], rule).evidence[INPUT]
    np.testing.assert_allclose(evidence.a * evidence.g[0], X * by_hand(network, 0)[1][0].numpy(), rtol=1e-6, atol=1e-12)


def test_second_derivatives_are_those_of_autograd():
    network = networks.signed_features()
    a = network[:2](torch.tensor(X)).detach()
    v = torch.randn(a.shape, dtype=a.dtype, generator=torch.Generator().manual_seed(0))
    evidence = trace(Runner(network, Settings()), X, TARGETS, ["act1"], twice=True).evidence["act1"]
    for t in range(3):
        _, expected = torch.autograd.functional.hvp(lambda b, t=t: explained(network[2:](b))[t].sum(), a, v)
        assert expected.any()
        np.testing.assert_allclose(evidence.hessian(t, v).detach(), expected, rtol=1e-7, atol=1e-12)


def test_what_cannot_be_traced_is_refused(network, runner):
    with pytest.raises(NotApplicable, match="Second derivatives are those of the plain gradient"):
        trace(runner, X, TARGETS, ["act2"], guided, twice=True)
    for rule, words in ((Relevance(), "Relevance is shared out"), (Balanced(), "libra balances the way back")):
        with pytest.raises(NotApplicable, match=f"{words} from logits; this model explains probability"):
            trace(Runner(network, Settings(scores="probability")), X, TARGETS, ["act2"], rule)


def test_the_network_has_no_gradient_of_its_own_afterwards(network, runner):
    x = torch.tensor(X)
    trace(runner, x, TARGETS, [INPUT, "act2"])
    assert not x.requires_grad
    assert all(parameter.grad is None for parameter in network.parameters())


@pytest.mark.parametrize("make", [networks.pooled, networks.bn_dropout, networks.relu6, networks.squeezed])
def test_the_image_and_all_biases_add_up_to_the_score(make):
    """FullGrad's completeness: score = sum x dy/dx + sum b dy/db, of networks that are piecewise linear."""
    network = make()
    result, terms = biases(Runner(network, Settings()), X, TARGETS)
    evidence = result.evidence[INPUT]
    expected = explained(network(torch.tensor(X)).detach())
    for t in range(3):
        added = (evidence.a * evidence.g[t]).flatten(1).sum(1)
        for term in terms[t]:
            added = added + term.placeless + (0 if term.signed is None else term.signed.flatten(1).sum(1))
        np.testing.assert_allclose(added, expected[t], rtol=1e-7, atol=1e-10)


def test_activations_come_from_a_pass_that_stops_at_the_last_of_them(network, runner):
    ran = []
    for name in ("act1", "conv2", "fc"):
        network.get_submodule(name).register_forward_hook(lambda _module, _args, _out, name=name: ran.append(name))
    for _ in range(2):  # what passes write the first time may be an edit
        with runner.ready(X) as x:
            runner.survey(x)  # a look through the whole network
    ran.clear()
    emitted, notes = activations(runner, X, ["conv1", "act1", INPUT])
    assert set(ran) <= {"act1"}
    x = torch.tensor(X)
    for name, expected in ((INPUT, x), ("conv1", network[:1](x)), ("act1", network[:2](x))):
        np.testing.assert_allclose(emitted[name], expected.detach(), rtol=1e-12)
    assert not any(notes.values())


def test_behind_a_mirror_the_map_is_turned_back():
    class Mirrored(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = networks.pooled()

        def forward(self, x):
            return self.inner(x.flip(3))

    network = Mirrored()
    result = trace(Runner(network, Settings()), X, [Class(1)], ["inner.act2"])
    with torch.no_grad():
        seen = network.inner[:4](torch.as_tensor(X).flip(3))
    np.testing.assert_allclose(result.evidence["inner.act2"].a, seen.flip(3))
    assert not result.notes["inner.act2"]
