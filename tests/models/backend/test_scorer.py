"""Scores of edits of what a layer emits."""

import numpy as np
import pytest

import seewhy
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


class MixingNetwork(NumpyNetwork):
    """What a layer's edits score rests on those beside them, where these are stronger."""

    def behind(self, image, layer):
        behind = super().behind(image, layer)
        return behind._replace(run=lambda edits: behind.run(edits + np.maximum(np.roll(edits, 1, 0) - 2 * edits, 0)))


@pytest.mark.parametrize("method", ["recipro-cam", "ablation-cam"])
def test_edits_that_change_each_other_run_alone_and_the_map_says_so(method):
    """Seen by the first and the last edit that share a pass; where they do not, the two cost a pass each and no more."""
    maps = {}
    for kind in (MixingNetwork, NumpyNetwork):
        for size in (1, 4):
            model = BackendModel(kind(torch_twin()), Settings("by hand", scores="probability", batch_size=size))
            (maps[kind, size],) = seewhy.explain(model, X, method, target=1, layer="relu1")
    for kind in (MixingNetwork, NumpyNetwork):
        found, alone = maps[kind, 4], maps[kind, 1]
        np.testing.assert_allclose(found.values, alone.values, rtol=1e-9, atol=1e-12)
        assert any("mixes the images" in words for words in found.source.warnings) == (kind is MixingNetwork)
    model = BackendModel(NumpyNetwork(torch_twin()), Settings("by hand", scores="probability"))
    with model.scoring(X, model.answer(X), inside=True) as scorer:
        tail = scorer.tail(X[0], "relu1")
        before = model.backend.passes
        for _ in range(3):
            tail(np.stack([tail.a * 0, tail.a, tail.a * 2]))
    assert model.backend.passes - before == 5
