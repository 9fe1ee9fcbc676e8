"""Guided backprop and deconvnet reach every ReLU of Keras: other libraries leave `layers.ReLU` and nested models alone."""

import keras
import numpy as np
import pytest
import torch
from torch.nn import functional as F

import seewhy
from seewhy.errors import NotApplicable
from support.keras_models import L, images, residual, seeded

if keras.backend.backend() != "torch":
    pytest.skip("of the torch backend", allow_module_level=True)

RELUS = {  # and what torch has for the same
    "layer": (lambda x: L.ReLU()(x), F.relu),
    "activation layer": (lambda x: L.Activation("relu")(x), F.relu),
    "activation of a layer": (None, F.relu),
    "operation": (keras.ops.relu, F.relu),
    "maximum": (lambda x: keras.ops.maximum(x, 0.0), F.relu),
    "nested": (lambda x: keras.Sequential([keras.Input(x.shape[1:]), L.ReLU()])(x), F.relu),
    "six": (lambda x: L.ReLU(max_value=6)(x), F.relu6),
    "operation of six": (keras.ops.relu6, F.relu6),
    "a half": (lambda x: L.ReLU(max_value=0.5)(x), lambda x: F.hardtanh(x, 0.0, 0.5)),
    "threshold": (lambda x: L.ReLU(threshold=0.2)(x), lambda x: F.threshold(x, 0.2, 0.0)),
    "leaky": (lambda x: L.LeakyReLU(0.1)(x), lambda x: F.leaky_relu(x, 0.1)),
    "slope": (lambda x: L.ReLU(negative_slope=0.1)(x), lambda x: F.leaky_relu(x, 0.1)),
    "elu": (lambda x: L.ELU()(x), F.elu),
}


class Twin(torch.nn.Module):
    """Two convolutions with a ReLU between, pooling, a linear layer."""

    def __init__(self, model, relu):
        super().__init__()
        self.first, self.second, self.last = torch.nn.Conv2d(3, 6, 3), torch.nn.Conv2d(6, 4, 3), torch.nn.Linear(4, 3)
        self.relu = relu
        with torch.no_grad():
            for name in ("first", "second", "last"):
                kernel, bias = (v.value for v in model.get_layer(name).weights)
                part = getattr(self, name)
                part.weight.copy_(kernel.permute(3, 2, 0, 1) if kernel.ndim == 4 else kernel.T)
                part.bias.copy_(bias)

    def forward(self, x):
        return self.last(self.second(self.relu(self.first(x))).mean((2, 3)))


@pytest.mark.parametrize("method", ["guided-backprop", "deconvnet"])
@pytest.mark.parametrize("kind", RELUS)
def test_each_kind_passes_the_gradient_back_by_the_rule(kind, method):
    seeded()
    make, relu = RELUS[kind]
    image, x = keras.Input((12, 12, 3)), images(1, 12)
    hidden = L.Conv2D(6, 3, activation=None if make else "relu", name="first")(image)
    hidden = L.Conv2D(4, 3, name="second")(make(hidden) if make else hidden)
    model = keras.Model(image, L.Dense(3, activation="softmax", name="last")(L.GlobalAveragePooling2D()(hidden)))
    ours = seewhy.explain(seewhy.wrap(model), x, methods=[method, "gradient"])
    (theirs,) = seewhy.explain(seewhy.wrap(Twin(model, relu).eval()), np.moveaxis(x, -1, 1).copy(), methods=[method])
    scale = abs(theirs.values).max()
    assert scale > 0
    np.testing.assert_allclose(ours[0].values, theirs.values, rtol=1e-4, atol=1e-5 * scale)
    assert not np.allclose(ours[0].values, ours[1].values, atol=1e-3 * scale)


def test_a_network_without_any_is_refused():
    seeded()
    model = keras.Sequential([keras.Input((12, 12, 3)), L.Conv2D(4, 3, activation="gelu"), L.Flatten(), L.Dense(2)])
    with pytest.raises(NotApplicable, match="GELU"):
        seewhy.guided_backprop(seewhy.wrap(model), images(1, 12))


def test_a_softmax_is_not_applied_twice():
    """Score-CAM weighs by the logit or the probability of each masked image, and never by a softmax of probabilities."""
    x = images(1)
    with_, without = residual(activation="softmax"), residual(activation=None)
    without.set_weights([numbers.detach() for numbers in (v.value for v in with_.weights)])
    for method in ("score-cam", "ablation-cam", "rise"):
        ours, theirs = (seewhy.explain(seewhy.wrap(model), x, methods=[method])[0] for model in (with_, without))
        np.testing.assert_array_equal(ours.values, theirs.values)
        assert ours.source.score == theirs.source.score


@pytest.mark.parametrize("method", ["grad-cam", "score-cam", "guided-grad-cam"])
def test_a_layer_inside_a_nested_model_is_explained(method):
    """Where other libraries build a model up to the layer, Keras finds the graph disconnected."""
    image = keras.Input((24, 24, 3))
    seeded()
    model = keras.Model(image, L.Dense(3, activation="softmax")(residual()(image)))
    (heatmap,) = seewhy.explain(seewhy.wrap(model), images(1), methods=[method], layer="residual/block/conv")
    assert heatmap.source.layer == "residual/block/conv"
    assert abs(heatmap.values).max() > 0
