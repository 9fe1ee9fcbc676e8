"""What the doctor is told of a model over a `Backend`."""

import numpy as np

from seewhy.models.backend.model import BackendModel
from seewhy.models.settings import Settings
from support.numpy_backend import NumpyNetwork, torch_twin

X = np.random.default_rng(3).normal(size=(1, 3, 9, 8))


def examined(**kinds: bool):
    return BackendModel(NumpyNetwork(torch_twin(), **kinds), Settings("by hand")).examine(X)


def test_what_cannot_be_read_is_told_by_its_name():
    whole = examined()
    assert (whole.layer, whole.activation.shape) == ("relu2", (5, 5, 4))
    assert not {"head", "tail", "image", "layer gradient", "relus"} & {*whole.refused}
    assert {"attention", "relevance", "biases"} <= {*whole.refused}


def test_without_gradients_the_image_is_refused_and_the_pooled_layer_is_not():
    without = examined(gradients=False)
    assert {"image", "relus"} <= {*without.refused}
    assert not {"head", "layer gradient"} & {*without.refused}
    assert any(hazard.name == "no-gradients" for hazard in without.hazards)


def test_in_one_piece_nothing_inside_is_read():
    piece = examined(layers=False)
    assert {"inside", "layer", "layer gradient", "head", "tail"} <= {*piece.refused}
    assert piece.layers == {}
    alone = examined(layers=False, gradients=False)
    assert {"inside", "image"} <= {*alone.refused}
    assert any(hazard.name == "scores-only" for hazard in alone.hazards)
