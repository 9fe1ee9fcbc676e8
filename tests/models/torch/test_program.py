"""Networks in one piece: the scores and the gradients of the Python network they were made from, and nothing inside."""

import numpy as np
import pytest
from torch import nn

import seewhy
from seewhy import wrap
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


def test_a_scripted_network_in_train_mode_is_asked_in_eval_mode_and_given_back(network):
    scripted = in_one_piece(network, "script")
    scripted.train()
    np.testing.assert_allclose(wrap(scripted).answer(X).scores, wrap(network).answer(X).scores, rtol=1e-12)
    assert scripted.training
    assert scripted.norm.training
