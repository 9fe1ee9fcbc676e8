"""Scores of edits of what a layer emits."""

import numpy as np
import pytest

from seewhy.errors import NotApplicable
from seewhy.models.backend.model import BackendModel
from seewhy.models.settings import Settings
from support.numpy_backend import NumpyNetwork, torch_twin

X = np.random.default_rng(3).normal(size=(1, 3, 9, 8))


def test_edits_of_a_layer_are_scored_as_they_are():
    net = torch_twin()
    model = BackendModel(NumpyNetwork(net), Settings("by hand", scores="probability"))
    with model.scoring(X, model.answer(X), inside=True) as scorer:
        tail = scorer.tail(X[0], "relu1")
        np.testing.assert_allclose(tail(tail.a[None]), model.answer(X).scores, rtol=1e-9)
        silent = tail(np.stack([tail.a * 0, tail.a]))
        assert silent.shape == (2, 3)
        assert abs(silent[0] - silent[1]).max() > 1e-4
        with pytest.raises(NotApplicable, match="inside the network"):
            scorer.tail(X[0], "input")
