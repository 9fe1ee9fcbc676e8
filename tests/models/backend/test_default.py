"""The default layer of backends: of all scores, and of each of several targets."""

from typing import Any

import numpy as np
import pytest

import seewhy
from seewhy import Class, Contrast
from seewhy.models.backend.backend import LayerSight, PassResult
from seewhy.models.backend.default import default_among, maps_of
from seewhy.models.backend.model import BackendModel
from seewhy.models.model import Layer
from seewhy.models.settings import Settings
from support.numpy_backend import NumpyNetwork, torch_twin

SIGHTS = {"wide": LayerSight("Conv2d", (9, 4, 4)), "late": LayerSight("Conv2d", (5, 4, 4)),
          "pool": LayerSight("MaxPool2d", (5, 2, 2)), "end": LayerSight("Conv2d", (5, 1, 1))}  # fmt: skip


def names(defaults):
    return [default and default[0] for default in defaults]


def known(each):
    return Layer(each.kind, each.shape, 1, True)


def test_the_last_map_or_the_last_of_the_widest():
    maps = maps_of(SIGHTS)
    assert [*maps] == ["wide", "late"]
    name, layer = default_among(maps, known, False, "this score rests")
    assert (name, layer.why) == ("late", "the last layer that still has space (4x4 cells) and that this score rests on")
    assert default_among(maps, known, True)[0] == "wide"


class TwoScales(NumpyNetwork):
    """Its scores are the means of the channels of relu1 (4), and then those of relu2 (5)."""

    def output(self, x):
        done = self._run(x)
        return np.concatenate([done[name].mean((2, 3)) for name in ("relu1", "relu2")], 1)

    def traced(self, x, layers, rule):
        done = self._run(x)

        def pull(cotangents):
            gradients = {}
            for name in layers:
                a, start = done[name], {"relu1": 0, "relu2": 4}[name]
                g = cotangents[:, :, start : start + a.shape[1]] / a[0, 0].size
                gradients[name] = np.broadcast_to(g[..., None, None], (*g.shape, *a.shape[2:])).copy()
            return gradients

        return PassResult(self.output(x), {name: done[name] for name in layers}, {}, pull)

    def survey(self, x):
        return {name: each for name, each in super().survey(x).items() if name in ("relu1", "relu2")}


X = np.random.default_rng(0).normal(size=(2, 3, 12, 10))


@pytest.mark.parametrize("order", [(0, 6), (6, 0)])
def test_each_target_is_read_at_the_layer_that_it_rests_on(order):
    model: Any = BackendModel(TwoScales(torch_twin()), Settings("two scales"))
    for target in order:
        layer = "relu1" if target < 4 else "relu2"
        assert [m.source.layer for m in seewhy.grad_cam(model, X, target=target)] == [layer] * 2
    maps = seewhy.grad_cam(model, X, target=[1, 5])
    assert [m.source.layer for m in maps] == ["relu1", "relu2"] * 2
    a = TwoScales(torch_twin())._run(X)["relu1"]
    np.testing.assert_allclose([m.values for m in maps[::2]], a[:, 1] / a[0, 0].size, rtol=1e-6)


def test_the_default_of_each_target():
    model = BackendModel(TwoScales(torch_twin()), Settings("two scales"))
    assert names(model.defaults(X[:1], [Class(0), Class(5)])) == ["relu1", "relu2"]
    dead: Any = torch_twin()
    dead.fc.weight.data.zero_()
    model = BackendModel(NumpyNetwork(dead), Settings("by hand"))
    assert names(model.defaults(X[:1], [Class(0), Contrast(0, against=1)])) == ["relu2", "relu2"]
