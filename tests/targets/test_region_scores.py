"""Regions of other scores than logits, of one channel, of a volume, and of functions."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from seewhy import (
    BadParameter,
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
    assert found.source.scores == told
    said = any("already ends in a sigmoid" in warning for warning in found.source.warnings)
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


class Ending(Segmenter):
    """The segmenter, and something behind it."""

    def __init__(self, end) -> None:
        super().__init__()
        self.end = end

    def forward(self, x):
        return self.end(super().forward(x))


ENDS = {
    "softmax": (lambda out: out.softmax(1), "probability"),
    "sigmoid": (torch.sigmoid, "probability"),
    "sigmoid, drawn up": (lambda out: F.interpolate(out.sigmoid(), scale_factor=2, mode="bilinear"), "probability"),
    "softmax in a tuple": (lambda out: (out.softmax(1), out), "probability"),
    "softmax by name": (lambda out: {"aux": out, "out": out.softmax(1)}, "probability"),
    "log-softmax": (lambda out: out.log_softmax(1), "log-probability"),
    "nothing": (lambda out: out, "logits"),
    "a shift": (lambda out: out - 4, "logits"),
}


@pytest.mark.parametrize("end", ENDS)
def test_the_end_of_a_segmenter_is_noticed_as_a_classifiers_is(end):
    x, mask = image(), np.zeros((12, 16), bool)
    mask[2:5, 3:6] = True
    last, kind = ENDS[end]
    for target in (Region(1, mask), Region(1), Point(3, 4, 1)):
        found = gradient(wrap(Ending(last)), x, target=target)[0].source
        assert found.scores == kind
        assert any("already ends in a" in warning for warning in found.warnings) == (kind != "logits")
    assert gradient(wrap(Ending(last), scores="probability"), x, target=Region(1, mask))[0].source.scores == "probability"


def test_a_regression_between_0_and_1_is_no_probability():
    mask = np.ones((12, 16), bool)
    found = gradient(wrap(Ending(torch.sigmoid), task="regression"), image(), target=Region(1, mask))[0].source
    assert (found.scores, found.warnings) == ("logits", ())


WEIGHTS = np.linspace(0, 1, 12 * 16).reshape(12, 16)


@pytest.mark.parametrize("mask", [WEIGHTS, WEIGHTS.astype(np.float32), torch.from_numpy(WEIGHTS), WEIGHTS[None], 0.5 * WEIGHTS])
def test_a_soft_mask_holds_weights(mask):
    x = image()
    found = gradient(wrap(Segmenter()), x, target=Region(1, mask))[0]
    scores = F.avg_pool2d(torch.from_numpy(x), 3, 1, 1)[0, 1].numpy()
    assert found.source.score == pytest.approx((scores * WEIGHTS).sum() / WEIGHTS.sum(), rel=1e-6)
    assert found.channels is not None
    np.testing.assert_allclose(found.channels[1], blurred(WEIGHTS), rtol=1e-6)


def test_a_soft_mask_of_the_photo_is_read_at_the_cells():
    photo, weights = np.zeros((60, 100, 3), np.uint8), np.linspace(0.1, 1, 6000).reshape(60, 100)
    model = wrap(Segmenter(), prepare={"size": 30, "crop": (20, 40), "mean": 0, "std": 1})
    found = gradient(model, photo, target=Region(1, weights))[0]
    rows, columns = np.arange(20) * 2 + 11, np.arange(40) * 2 + 11  # half the size, less 5: the pixel behind each cell's centre
    assert found.channels is not None
    np.testing.assert_allclose(found.channels[1], blurred(weights[np.ix_(rows, columns)]), rtol=1e-5)


def test_a_soft_mask_of_a_volume_is_turned_as_the_volume_is():
    values, mask = RNG.normal(size=(4, 5, 6)).astype(np.float32), np.zeros((4, 5, 6))
    mask[1, 2, 3:5] = 0.25, 0.75
    model = wrap(lambda x: np.concatenate([x, 2 * x], 1), prepare={"orientation": "RAS", "axes": "kji"}, takes="float")
    found = occlusion(model, Volume(values, np.diag([-1.0, 1, 2, 1])), target=Region(1, mask), window=1, stride=1, fill=0.0)[0]
    np.testing.assert_allclose(found.full()[mask > 0], 2 * (values * mask)[mask > 0], rtol=1e-4)
    assert found.source.score == pytest.approx(2 * (values * mask).sum(), rel=1e-5)


HARD = WEIGHTS > 0.5


@pytest.mark.parametrize(
    "mask", [HARD * 255, (HARD * 255).astype(np.uint8), HARD.astype(int), HARD * 0.3, HARD * 7, HARD[None]]
)
def test_a_mask_of_one_number_beside_zero_is_true_there(mask):
    assert str(Region(1, mask[0] if mask.ndim == 3 else mask)) == str(Region(1, HARD))
    found, want = (gradient(wrap(Segmenter()), image(), target=Region(1, each))[0] for each in (mask, HARD))
    assert found.source.warnings == want.source.warnings == ()
    assert found.channels is not None
    np.testing.assert_allclose(found.channels[1], blurred(HARD), rtol=1e-6)


@pytest.mark.parametrize(
    ("mask", "said"),
    [
        (np.arange(192).reshape(12, 16), "numbers from 0 to 191.*mask == class"),
        ((WEIGHTS * 255).astype(np.uint8), "numbers from 0 to 255.*mask == class"),
        (WEIGHTS * 2, r"numbers from 0 to 2: .*mask / mask.max\(\)"),
        (WEIGHTS - 0.5, "numbers from -0.5 to 0.5"),
        (-HARD.astype(int), "numbers from -1 to 0"),
        (np.where(HARD, np.nan, 0), "numbers from nan to nan"),
        (np.where(HARD, np.inf, 0), "numbers from 0 to inf"),
        (HARD * 1j, "array of True and False, or of weights"),
        (np.full((12, 16), "a"), "array of True and False, or of weights"),
        (WEIGHTS * 0, "covers no cell"),
        (~(HARD | True), "covers no cell"),
        (WEIGHTS[:5], "The mask is "),
    ],
)
def test_what_is_no_mask_is_refused(mask, said):
    with pytest.raises(BadParameter, match=said):
        gradient(wrap(Segmenter()), image(), target=Region(1, mask))


def test_soft_masks_are_told_apart_by_their_weights():
    assert str(Region(1, WEIGHTS)) != str(Region(1, WEIGHTS**2)) != str(Region(1, WEIGHTS > 0))
    assert Region(1, WEIGHTS) == Region(1, WEIGHTS.copy())
