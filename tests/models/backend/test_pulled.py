"""Gradients at the images of scores, of networks written in numpy, are those of their torch twins."""

import numpy as np
import pytest
from torch import nn

import seewhy
from seewhy.errors import BadParameter, NeedsGradients, NotApplicable
from seewhy.models.backend.model import BackendModel
from seewhy.models.model import INPUT, SCORES_LAYER
from seewhy.models.settings import Settings
from support.numpy_backend import NumpyNetwork, torch_twin

X = np.random.default_rng(3).normal(size=(2, 3, 9, 8))


@pytest.mark.parametrize("scores", ["logits", "probability"])
@pytest.mark.parametrize("ending", [nn.Identity, nn.Softmax])
def test_scores_and_image_are_pulled_as_of_the_torch_twin(scores, ending):
    net = torch_twin(1, ending)
    ours = BackendModel(NumpyNetwork(net), Settings("by hand", scores=scores)).pulled(X, [INPUT, SCORES_LAYER])
    kind = "log-probability" if ending is nn.Softmax and scores == "logits" else scores  # what ours then says that it explains
    theirs = seewhy.wrap(net, scores=kind).pulled(X, [INPUT, SCORES_LAYER])
    weights = {name: np.random.default_rng(0).normal(size=a.shape) for name, a in ours.a.items()}
    for name, a in ours.a.items():
        np.testing.assert_allclose(a, theirs.a[name], rtol=1e-9)
    np.testing.assert_allclose(ours.back(weights), theirs.back(weights), rtol=1e-7, atol=1e-12)


def test_what_cannot_be_pulled_is_refused_with_advice():
    net = torch_twin()
    model = BackendModel(NumpyNetwork(net), Settings("by hand"))
    with pytest.raises(NotApplicable, match=r"conv1.*torch networks give both"):
        model.pulled(X, ["conv1"])
    with pytest.raises(NeedsGradients, match="no gradients"):
        BackendModel(NumpyNetwork(net, gradients=False), Settings("by hand")).pulled(X, [SCORES_LAYER])
    with pytest.raises(BadParameter, match="this pass kept scores"):
        model.pulled(X, [SCORES_LAYER]).back({INPUT: X})
    with pytest.raises(BadParameter, match="no layer"):
        model.pulled(X, [SCORES_LAYER]).back({})
