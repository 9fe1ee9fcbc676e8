"""Where the scores of a network are no numbers, nothing is explained, and the layer is named in which that began."""

import numpy as np
import pytest
import torch
from tests.support.numpy_backend import NumpyNetwork, torch_twin
from torch import nn

import seewhy
from seewhy.errors import NotFinite
from seewhy.explaining.not_finite import not_finite
from seewhy.models.backend.model import BackendModel
from seewhy.models.settings import Settings

WORDS = "the scores hold NaN or infinity, which first arise at layer log, so that no class can be explained"


class Logarithms(nn.Module):
    """NaN arises in `log` wherever the image is negative, and goes on to the scores."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.log, self.last = nn.Conv2d(3, 2, 1, bias=False), Logarithm(), nn.Conv2d(2, 3, 1)
        nn.init.constant_(self.conv.weight, 1.0)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(self.log(self.conv(x))).mean((2, 3))


class Logarithm(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.log()


@pytest.fixture
def model():
    return seewhy.wrap(Logarithms().eval(), name="logarithms")


@pytest.fixture
def images():
    """Three, of which the second gives NaN."""
    x = np.random.default_rng(0).uniform(1, 2, (3, 3, 4, 4)).astype(np.float32)
    x[1, :, 0, 0] = -1
    return x


@pytest.mark.parametrize("method", ["grad-cam", "hires-cam", "gradient", "full-grad"])
@pytest.mark.parametrize("target", ["top", 0])
def test_no_class_is_explained(model, images, method, target):
    assert len(seewhy.explain(model, images[:1], method, target)) == 1
    with pytest.raises(NotFinite, match=f"^logarithms: {WORDS}"):
        seewhy.explain(model, images[1:2], method, target)


def test_of_several_images_the_others_are_explained(model, images):
    found = seewhy.explain(model, images, "grad-cam", on_error="skip")
    assert [m.place for m in found] == [0, 2]
    assert [(left.place, type(left.error)) for left in found.failed] == [(1, NotFinite)]
    alone = seewhy.explain(model, images[2:], "grad-cam")[0]
    np.testing.assert_allclose(found[1].values, alone.values, rtol=1e-5)


def test_methods_that_are_blind_to_the_class_say_nothing_of_an_answer(model, images):
    (m,) = seewhy.explain(model, images[1:2], "eigen-cam", layer="conv")
    assert m.source.predicted is None
    assert np.isfinite(m.values).all()


def test_the_layer_is_named_by_other_adapters_and_left_out_where_none_is_known(images):
    net = torch_twin()
    nn.init.constant_(net.conv2.bias, np.nan)
    x = np.random.default_rng(0).normal(size=(1, 3, 8, 8))
    assert "first arise at layer conv2, so that" in str(not_finite(BackendModel(NumpyNetwork(net), Settings("by hand")), x))
    function = seewhy.wrap(lambda x: np.full((len(x), 2), np.nan), name="nothing", takes="float")
    assert "NaN or infinity, so that no class" in str(not_finite(function, images))
    with pytest.raises(NotFinite, match=r"nothing gave NaN or infinity for 1 of 1 images"):
        seewhy.explain(function, images[:1], "occlusion")
