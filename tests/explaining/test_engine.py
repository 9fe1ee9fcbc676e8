"""The engine: maps come in the order image, target, layer, method, and a map that cannot be trusted says why."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import seewhy
from seewhy.methods.making.method import lookup
from support import networks


def explained(network: Any, x: Any, methods: Any, target: Any = 0, layer: Any = None, **more: Any) -> Any:
    return seewhy.explain(seewhy.wrap(network, **more), x, methods, target, layer)


def test_maps_come_in_the_order_image_target_layer_method_and_the_image_comes_last():
    maps = explained(networks.pooled(), networks.images(2), ["grad-cam", "gradient", "hires-cam"], [1, 0], ["act2", "act1"])
    expected = [
        (i, t, layer, name)
        for i in range(2)
        for t in (1, 0)
        for layer, names in {
            "act2": ("grad-cam", "hires-cam"),
            "act1": ("grad-cam", "hires-cam"),
            "input": ("gradient",),
        }.items()
        for name in names
    ]
    assert [(m.place, m.source.index, m.source.layer, m.source.method) for m in maps] == expected


def test_a_batch_and_its_images_one_by_one_have_the_same_sources():
    x, network = networks.images(3), networks.pooled()
    together = explained(network, x, "grad-cam", seewhy.Top())
    for i, m in enumerate(together):
        (alone,) = explained(network, x[i : i + 1], "grad-cam", seewhy.Top())
        assert (m.place, m.source.index, m.source.predicted.index) == (i, alone.source.index, alone.source.predicted.index)
        assert m.source.score == pytest.approx(alone.source.score, rel=1e-12)
        np.testing.assert_allclose(m.values, alone.values, rtol=1e-5, atol=1e-7 * m.values.max())


def test_a_map_does_not_keep_the_batch_it_was_made_in():
    maps = explained(networks.pooled(), networks.images(4), "grad-cam")
    assert all(m.values.base is None and m.values.dtype == np.float32 for m in maps)


def test_numbers_beyond_float32_are_its_largest():
    network = networks.pooled()
    with torch.no_grad():
        [*network.modules()][-1].weight *= 1e60
    (m,) = explained(network, networks.images(1), lookup("grad-cam").using(signed=True))
    assert np.isfinite(m.values).all()
    assert abs(m.values).max() == np.finfo(np.float32).max


class Rooted(nn.Module):
    """The scores are finite, and the gradient of `root` is infinite wherever the image is zero."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.root = nn.Conv2d(3, 2, 1, bias=False).double(), Root()
        nn.init.constant_(self.conv.weight, 1.0)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.root(self.conv(x)).mean((2, 3))


class Root(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.sqrt()


def test_a_gradient_that_is_infinite_is_shown_as_zero_and_said():
    x = np.ones((2, 3, 4, 4))
    x[1, :, 0, 0] = 0
    fine, broken = explained(Rooted(), x, "hires-cam", 0, "conv")
    assert not any("NaN" in said for said in fine.warnings)
    assert any("NaN or infinity, first in the gradient" in said for said in broken.warnings)
    assert np.isfinite(broken.values).all()
    assert fine.values.all()


@pytest.mark.parametrize(
    ("method", "said"),
    [
        ("centre", "a control: centre does not look at what the network found"),
        ("hires-cam", "the same everywhere"),
    ],
)
def test_what_a_map_cannot_tell_is_said(method, said):
    x = np.ones((1, 3, 8, 8))
    network = nn.Sequential(nn.Conv2d(3, 2, 1).double(), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    with torch.no_grad():
        network[0].weight.fill_(1.0), network[0].bias.fill_(0.0)
    (m,) = explained(network, x, method, 0, "1")
    assert any(said in warning for warning in m.warnings)


def test_evidence_that_is_negative_alone_is_not_called_nothing():
    network = nn.Sequential(nn.Conv2d(3, 2, 1).double(), nn.ReLU(), Negated())
    with torch.no_grad():
        network[0].weight.fill_(1.0)
    (m,) = explained(network, np.random.default_rng(0).uniform(size=(1, 3, 8, 8)), "hires-cam", 0, "1")
    assert not m.values.any()
    assert any("all evidence is negative" in warning for warning in m.warnings)


class Negated(nn.Module):
    def forward(self, a: torch.Tensor) -> torch.Tensor:
        return -a.mean((2, 3))


def test_a_map_of_one_cell_cannot_say_where():
    (m,) = explained(
        nn.Sequential(nn.Conv2d(3, 2, 8).double(), nn.ReLU(), Negated()), networks.images(1, 8, 8), "grad-cam", 0, "1"
    )
    assert any("1x1 map" in warning for warning in m.warnings)


def test_a_contrast_has_no_index_and_a_class_has_its_probability():
    model = seewhy.wrap(networks.pooled(), labels=[f"kind {k}" for k in range(5)])
    single, contrast = seewhy.explain(model, networks.images(1), "grad-cam", [2, seewhy.Contrast(0, 1)])
    scores = model.answer(networks.images(1)).scores[0]
    chances = np.exp(scores - scores.max())
    assert (single.source.index, single.source.label) == (2, "kind 2")
    assert single.source.score == pytest.approx(scores[2])
    assert single.source.probability == pytest.approx(chances[2] / chances.sum())
    assert (contrast.source.index, contrast.source.probability) == (None, None)
    assert contrast.source.score == pytest.approx(scores[0] - scores[1])


def test_a_blind_method_has_no_class_but_tells_the_prediction_if_it_ran_to_its_end():
    blind, seeing = explained(networks.pooled(), networks.images(1), ["eigen-cam", "grad-cam"], 1)
    assert (blind.source.index, blind.source.score) == (None, None)
    assert seeing.source.index == 1
    assert blind.source.predicted == seeing.source.predicted
    assert seeing.source.predicted is not None
    (alone,) = explained(networks.pooled(), networks.images(1), "eigen-cam", 1)
    assert alone.source.predicted is None
