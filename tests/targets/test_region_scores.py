"""Regions of other scores than logits, of one channel, of a volume, and of functions."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from seewhy import (
    NotApplicable,
    Point,
    Region,
    Volume,
    gradient,
    occlusion,
    wrap,
)
from support.segmenters import RNG, Segmenter, blurred, image


def test_a_mask_of_a_volume_is_turned_as_the_volume_is():
    class Solid(nn.Module):
        def forward(self, x):
            return torch.cat([x, 2 * x], 1)

    values, mask = RNG.normal(size=(4, 5, 6)).astype(np.float32), np.zeros((4, 5, 6), bool)
    mask[1, 2, 3:5] = True
    volume = Volume(values, np.diag([-1.0, 1, 2, 1]))  # its first axis runs to the left
    model = wrap(Solid(), prepare={"orientation": "RAS", "axes": "kji"})
    found = gradient(model, volume, target=Region(1, mask))[0]
    np.testing.assert_allclose(found.full(), mask * 2 / 2, rtol=1e-6)


def test_depth_and_binary_maps_have_one_channel():
    class Depth(Segmenter):
        def forward(self, x):
            return super().forward(x)[:, 1]

    class Binary(Segmenter):
        def forward(self, x):
            return super().forward(x)[:, 1:2] - 1

    x, mask = image(), np.zeros((12, 16), bool)
    mask[3, 4] = True
    depth = gradient(wrap(Depth()), x, target=[Region(mask=mask), Point(3, 4)])
    for found in depth:
        assert found.channels is not None
        np.testing.assert_allclose(found.channels[1], blurred(mask), rtol=1e-6)
    binary = gradient(wrap(Binary()), x, target=Region())[0]
    assert binary.channels is not None
    predicted = F.avg_pool2d(torch.from_numpy(x), 3, 1, 1)[0, 1].numpy() > 1
    np.testing.assert_allclose(binary.channels[1], blurred(predicted), rtol=1e-6)


class Lesions(Segmenter):
    """Two classes that may lie over each other, or the second of them alone, as logits or behind a sigmoid."""

    def __init__(self, classes: slice, sigmoid: bool) -> None:
        super().__init__()
        self.shown, self.sigmoid = classes, sigmoid

    def forward(self, x):
        logits = super().forward(x)[:, self.shown] - 1
        return logits.sigmoid() if self.sigmoid else logits


@pytest.mark.parametrize("scores", ["logits", "probability", "log-probability"])
@pytest.mark.parametrize("sigmoid", [False, True])
@pytest.mark.parametrize("many", [False, True])
def test_what_is_predicted_of_a_class_by_itself_is_so_in_whatever_scores(scores, sigmoid, many):
    x = image()
    x[0, 2] += 2 * x[0, 1]  # the other class is the stronger one, wherever both are
    logits = F.avg_pool2d(torch.from_numpy(x), 3, 1, 1)[0, 1] - 1
    model = wrap(Lesions(slice(1, 3 if many else 2), sigmoid), scores=scores, task="multi-label" if many else None)
    found = gradient(model, x, target=Region(0))[0]
    chances, there = logits.sigmoid(), logits > 0
    told = "probability" if sigmoid and scores == "logits" else scores
    want = {"logits": logits, "probability": chances, "log-probability": chances.log()}[told][there].mean()
    assert found.source.score == pytest.approx(want.item(), rel=1e-6)
    said = any("taken for probabilities" in warning for warning in found.source.warnings)
    assert said == (sigmoid and scores == "logits")


def test_probabilities_are_those_of_each_pixel():
    x, mask = image(), np.zeros((12, 16), bool)
    mask[2:5, 3:6] = True
    found = gradient(wrap(Segmenter(), scores="probability"), x, target=Region(1, mask))[0]
    given = torch.from_numpy(x).requires_grad_()
    chance = F.avg_pool2d(given, 3, 1, 1).softmax(1)[0, 1][torch.from_numpy(mask)].mean()
    (want,) = torch.autograd.grad(chance, given)
    assert found.source.score == pytest.approx(chance.item())
    assert found.source.scores == "probability"
    assert found.channels is not None
    np.testing.assert_allclose(found.channels, want[0], rtol=1e-6, atol=1e-12)


def test_a_region_of_a_volume():
    class Solid(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = nn.Conv3d(1, 2, 1, bias=False).double()
            self.body.weight.data[:] = torch.tensor([0.5, 2.0]).reshape(2, 1, 1, 1, 1)

        def forward(self, x):
            return self.body(x)

    x, mask = RNG.normal(size=(1, 1, 4, 5, 6)), np.zeros((4, 5, 6), bool)
    mask[1, 2, 3:5] = True
    found = gradient(wrap(Solid()), x, target=Region(1, mask))[0]
    np.testing.assert_allclose(found.values, mask * 2 / 2, rtol=1e-6)
    with pytest.raises(NotApplicable, match="a Point lies in a flat output"):
        gradient(wrap(Solid()), x, target=Point(1, 1, 1))


def test_a_function_may_be_dense():
    x = image()
    mask = np.zeros((12, 16), bool)
    mask[4:8, 4:8] = True
    model = wrap(lambda x: x * 2, takes="float")
    found = occlusion(model, x, target=Region(1, mask), window=4, stride=4, fill=0.0)[0]
    np.testing.assert_allclose(found.values[4:8, 4:8], 2 * x[0, 1][mask].mean(), rtol=1e-5)
    assert not found.values[:4].any()
