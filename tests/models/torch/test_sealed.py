"""A model in one piece: scores, gradients at the image, and a refusal with advice for all that lies inside."""

import numpy as np
import pytest
import torch
from torch import nn

import seewhy
from seewhy import wrap
from seewhy.errors import NotApplicable
from seewhy.models.model import INPUT
from seewhy.models.rule import Relevance, guided
from seewhy.targets.target import Class, Top
from support import networks
from support.programs import X, in_one_piece, normed

KINDS = {"trace": "TorchScript", "export of any": "a program of torch.export"}


@pytest.fixture(scope="module")
def network() -> nn.Module:
    return normed()


@pytest.fixture(scope="module", params=KINDS)
def model(network, request):
    return wrap(in_one_piece(network, request.param), name="mine")


@pytest.mark.parametrize("kind", ["script", "export of 3"])
def test_what_lies_inside_is_refused_with_what_can_be_asked(network, kind):
    model = wrap(in_one_piece(network, kind), name="mine")
    names = ("grad-cam", "guided-backprop", "lrp", "full-grad", "cam", "ablation-cam", "layer-cam")
    for name, where in ((name, {"layer": "see"} if name == "layer-cam" else {}) for name in names):
        with pytest.raises(NotApplicable, match=r"mine is .*cannot be read inside.*gradient.*occlusion"):
            seewhy.METHODS[name](model, X, **where)
    for ask in (
        model.layers,
        lambda: model.upto("see"),
        lambda: model.activations(X, ["see"]),
        lambda: model.kernels("see", X),
    ):
        with pytest.raises(NotApplicable, match="cannot be read inside"):
            ask()


def test_a_program_of_so_many_images_is_given_no_fewer_at_once(network):
    usual, fixed = (wrap(in_one_piece(network, kind)) for kind in ("script", "export of 3"))
    large = (600, 600)
    assert [model.at_once(large) for model in (usual, fixed)] == [1, 3]
    assert [len(part.x) for part in fixed.batches(np.zeros((4, 3, *large), np.float32))] == [3, 1]


def test_a_gradient_that_is_not_let_through_is_said(network):
    class Shut(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inside = network

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            with torch.no_grad():
                return self.inside(x)

    model = wrap(in_one_piece(Shut().eval(), "script"))
    np.testing.assert_allclose(model.answer(X).scores, wrap(network).answer(X).scores, rtol=1e-12)
    with pytest.raises(seewhy.NeedsGradients, match=r"lets no gradient through.*occlusion"):
        seewhy.gradient(model, X)


@pytest.mark.filterwarnings("ignore:.*torch.jit")
def test_of_scripted_networks_the_image_is_read_and_layers_are_refused_with_advice():
    network = networks.pooled()
    x = networks.images(2)
    traced = torch.jit.trace(network, torch.as_tensor(x))
    with pytest.raises(seewhy.NotApplicable, match="TorchScript"):
        seewhy.grad_cam(seewhy.wrap(traced), x)
    found, plain = (np.stack([m.values for m in seewhy.gradient(seewhy.wrap(one), x, target=1)]) for one in (traced, network))
    np.testing.assert_allclose(found, plain, rtol=1e-5, atol=1e-7 * abs(plain).max())


def test_the_gradient_at_the_image_is_that_of_autograd(network, model):
    x = torch.tensor(X).requires_grad_()
    scores = network(x)
    best = scores.argmax(1)
    (second,) = torch.autograd.grad(scores[:, 2].sum(), x, retain_graph=True)
    (top,) = torch.autograd.grad(scores.gather(1, best[:, None]).sum(), x)
    trace = model.trace(X, [Class(2), Top()], [INPUT])
    np.testing.assert_allclose(trace.answer.scores, scores.detach(), rtol=1e-12)
    np.testing.assert_array_equal(trace.evidence[INPUT].a, X)
    np.testing.assert_allclose(trace.evidence[INPUT].g, torch.stack([second, top]), rtol=1e-9, atol=1e-15)
    np.testing.assert_array_equal(trace.weights[1].argmax(1), best)


def test_the_only_activation_is_the_image(model):
    activations, notes = model.activations(X, [INPUT])
    assert list(activations) == [INPUT]
    np.testing.assert_array_equal(activations[INPUT], X)
    assert not any(notes.values())


INSIDE = {  # what is asked for, and how it is named in the refusal
    "layer": (lambda model: model.trace(X, [Top()], ["see"]), "no layer such as 'see'"),
    "activation": (lambda model: model.activations(X, ["see"]), "no layer such as 'see'"),
    "rule": (lambda model: model.trace(X, [Top()], [INPUT], guided), "no ReLU"),
    "relevance": (lambda model: model.trace(X, [Top()], [INPUT], Relevance()), "no ReLU"),
    "twice": (lambda model: model.trace(X, [Top()], [INPUT], twice=True), "no second derivative"),
    "units": (lambda model: model.upto("see"), "no layer such as 'see', and none of its units,"),
    "biases": (lambda model: model.biases(X, [Top()]), "no bias"),
    "head": (lambda model: model.head(X, [Top()], [INPUT]), "no linear layer"),
    "tail": (lambda model: model.scoring(X, model.answer(X), inside=True), "no layer"),
}


@pytest.mark.parametrize("what", INSIDE)
def test_what_lies_inside_is_refused_by_its_name(what, model):
    ask, words = INSIDE[what]
    with pytest.raises(NotApplicable) as error:
        ask(model)
    assert str(error.value).startswith(f"mine is {model.sealed}, which cannot be read inside: {words}")


def test_no_attention_is_seen(model):
    with pytest.raises(NotApplicable):
        model.attended(X[:1])


def test_what_is_not_known_of_layers_is_said_to_be_unknown(model):
    assert model.cells("see", X) is None
    assert model.first_bad(X) is None
    assert model.sealed in KINDS.values()


def test_variants_are_scored_by_the_program_itself_also_where_a_faster_copy_is_asked_for(network, model):
    with model.scoring(X[:1], model.answer(X[:1]), fast=True) as scorer, torch.no_grad():
        assert not scorer.differs
        np.testing.assert_allclose(scorer(scorer.array(X)), network(torch.tensor(X)), rtol=1e-12)


def test_the_doctor_s_evidence_is_what_can_be_read_at_the_image(network, model):
    seen = model.examine(X[:1])
    np.testing.assert_allclose(seen.answer.scores, network(torch.tensor(X[:1])).detach(), rtol=1e-12)
    assert (seen.layers, seen.layer, seen.activation) == ({}, None, None)
    assert {"relus", "relevance", "excitation", "biases", "balance", "attention", "products"} <= set(seen.refused)
    assert not {"image", "scores"} & set(seen.refused)
    assert "sealed" in [hazard.name for hazard in seen.hazards]


def test_a_script_has_the_name_of_the_class_it_was_made_from(network):
    assert wrap(in_one_piece(network, "script")).name == "Normed"
