"""Networks in one piece: the scores and the gradients of the Python network they were made from, and nothing inside."""

import numpy as np
import pytest
import torch
from torch import nn

import seewhy
from seewhy import wrap
from seewhy.errors import NotApplicable
from support.programs import KINDS, X, in_one_piece, normed

METHODS = {"gradient": {}, "occlusion": {"window": 4, "stride": 2}, "integrated-gradients": {"steps": 4}}


@pytest.fixture(scope="module")
def network() -> nn.Module:
    return normed()


@pytest.mark.parametrize("kind", KINDS)
def test_scores_and_gradients_are_those_of_the_python_network(network, kind):
    model, plain = wrap(in_one_piece(network, kind)), wrap(network)
    for n in (1, 3, 5):
        np.testing.assert_allclose(model.answer(X[:n]).scores, plain.answer(X[:n]).scores, rtol=1e-12)
    for name, settings in METHODS.items():
        method = seewhy.METHODS[name].using(**settings)
        for one, other in zip(method(model, X, target=2), method(plain, X, target=2), strict=True):
            np.testing.assert_allclose(one.values, other.values, rtol=1e-5, atol=1e-9)
            assert one.source.warnings == other.source.warnings


@pytest.mark.parametrize("kind", ["script", "export of 3"])
def test_what_lies_inside_is_refused_with_what_can_be_asked(network, kind):
    model = wrap(in_one_piece(network, kind), name="mine")
    names = ("grad-cam", "guided-backprop", "lrp", "full-grad", "cam", "ablation-cam", "layer-cam")
    for name, where in ((name, {"layer": "see"} if name == "layer-cam" else {}) for name in names):
        with pytest.raises(NotApplicable, match=r"mine is .*cannot be read inside.*gradient.*occlusion"):
            seewhy.METHODS[name](model, X, **where)
    for ask in (model.layers, lambda: model.upto("see"), lambda: model.activations(X, ["see"])):
        with pytest.raises(NotApplicable, match="cannot be read inside"):
            ask()


def test_a_scripted_network_in_train_mode_is_asked_in_eval_mode_and_given_back(network):
    scripted = in_one_piece(network, "script")
    scripted.train()
    np.testing.assert_allclose(wrap(scripted).answer(X).scores, wrap(network).answer(X).scores, rtol=1e-12)
    assert scripted.training
    assert scripted.norm.training


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
