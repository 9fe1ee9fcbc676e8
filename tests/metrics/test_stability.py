"""Maps of changed images beside that of the image as it was."""

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from torch import nn

import seewhy
from seewhy import demo
from seewhy.errors import BadParameter, NotApplicable
from seewhy.metrics.stability import CHANGES, LIGHT, stability
from support.detectors import Blobs, scene

RNG = np.random.default_rng(5)
X = RNG.normal(size=(2, 1, 8, 8)).astype(np.float32)
W = RNG.normal(size=(2, 64)).astype(np.float32)


class Linear(nn.Module):
    """Two scores, each a weighted sum of the pixels: the map of input-x-gradient is w x."""

    def __init__(self) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.tensor(W))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.flatten(1) @ self.w.T


@pytest.fixture(scope="module")
def linear():
    return seewhy.wrap(Linear().eval())


def maps_of(model, images, method="input-x-gradient", target=0):
    return seewhy.explain(model, images, [method], target=target)


def by_hand(a, b):
    p, q = np.maximum(a, 0), np.maximum(b, 0)
    return spearmanr(a.ravel(), b.ravel()).statistic, np.abs(p / p.sum() - q / q.sum()).sum() / 2


def test_light_by_hand(linear):
    found = stability(linear, X, maps_of(linear, X), ["light"])
    for x, each in zip(X[:, 0], found, strict=True):
        w, step = W[0].reshape(8, 8), LIGHT * np.ptp(x)
        for change, other in zip(each.changes, (x + step, x - step), strict=True):
            assert (change.spearman, change.moved) == pytest.approx(by_hand(w * x, w * other), abs=1e-3)


def test_a_changed_photo_is_one_still():
    """Of a function that takes photos as they are, none is darker than black or lighter than white, and maps are steady."""
    asked = []

    def left(photos):
        asked.append(np.array(photos))
        return photos[:, :, :8, 0].mean((1, 2))[:, None]

    photo = RNG.integers(0, 256, (16, 16, 3)).astype(np.uint8)
    model = seewhy.wrap(left, name="left", prepare={"size": 16})
    maps = maps_of(model, photo, seewhy.occlusion.using(window=4, stride=4))
    asked.clear()
    (found,) = stability(model, photo, maps, ["light", "noise"], draws=1)
    assert [each.change for each in found.changes] == ["brighter", "darker", "noise"]
    step = LIGHT * float(np.ptp(photo))
    for sign in (1, -1):
        expected = np.clip(np.round(photo + sign * step), 0, 255)
        assert any(abs(each - expected).max() <= 1 for batch in asked for each in batch.astype(float))
    assert found.least.spearman > 0.7


def test_a_shift_is_compared_where_both_show_the_image(linear):
    (found,) = stability(linear, X[:1], maps_of(linear, X[:1]), ["shift"])
    x, w = X[0, 0], W[0].reshape(8, 8)
    down, right = np.vstack([x[:1], x[:-1]]), np.hstack([x[:, :1], x[:, :-1]])
    expected = [by_hand((w * x)[:-1], (w * down)[1:]), by_hand((w * x)[:, :-1], (w * right)[:, 1:])]
    for change, other in zip(found.changes, expected, strict=True):
        assert (change.spearman, change.moved) == pytest.approx(other, abs=1e-3)


def test_a_map_that_moves_with_the_image_is_steady_under_a_shift():
    """A network that looks at each pixel alone."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(1, 4, 1), nn.ReLU(), nn.Conv2d(4, 2, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten()).eval()
    model = seewhy.wrap(net)
    (found,) = stability(model, X[:1], maps_of(model, X[:1], "hires-cam"), ["shift"])
    assert [c.spearman for c in found.changes] == pytest.approx([1, 1])


def test_where_the_answer_changes_it_does_not_count_against_the_map():
    """Two classes that a little light exchanges: x.mean() against a threshold that the image just passes."""
    x = np.full((1, 1, 4, 4), 0.5, np.float32)
    x[0, 0, 0, 0], x[0, 0, 3, 3] = 0, 1

    class Bright(nn.Module):
        def forward(self, x):
            mean = x.mean((1, 2, 3))
            return torch.stack([mean - 0.49, 0.49 - mean], 1)

    model = seewhy.wrap(Bright().eval())
    (found,) = stability(model, x, maps_of(model, x), ["light"])
    assert [c.same_answer for c in found.changes] == [True, False]
    assert found.kept == found.changes[:1]
    assert found.least == found.changes[0]


@pytest.mark.parametrize(("outputs", "expected"), [
    (lambda mean: (mean - 0.49)[:, None], [True, False]),  # a logit: below 0, the answer is the other of the two
    (lambda mean: mean - 0.49, [True, True]),  # a regression answers with a number, not with a class
])  # fmt: skip
def test_a_single_logit_answers_with_its_sign(outputs, expected):
    x = np.full((1, 1, 4, 4), 0.5, np.float32)
    x[0, 0, 0, 0], x[0, 0, 3, 3] = 0, 1

    class Bright(nn.Module):
        def forward(self, x):
            return outputs(x.mean((1, 2, 3)))

    model = seewhy.wrap(Bright().eval())
    (found,) = stability(model, x, maps_of(model, x), ["light"])
    assert [c.same_answer for c in found.changes] == expected


def test_another_seed_is_that_of_the_method():
    method = seewhy.smooth_grad.using(samples=3, seed=4)
    torch.manual_seed(0)
    net = nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.Tanh(), nn.Linear(16, 2)).eval()
    model = seewhy.wrap(net)
    first, second, third = (
        seewhy.explain(model, X[:1], [method.using(seed=seed)], target=0)[0].values.ravel() for seed in (4, 5, 6)
    )
    (found,) = stability(model, X[:1], seewhy.explain(model, X[:1], [method], target=0), ["seed"])
    expected = [spearmanr(first, other).statistic for other in (second, third)]
    assert [each.spearman for each in found.changes] == pytest.approx(expected, abs=1e-3)


def test_rounding_moves_a_map_without_draws_by_no_more(linear):
    (found,) = stability(linear, X[:1], maps_of(linear, X[:1]), ["rounding"])
    assert min(each.spearman for each in found.changes) > 0.9999


def test_what_cannot_be_changed_is_left_out_or_where_it_was_asked_for_refused(linear):
    maps = maps_of(linear, X[:1])
    (found,) = stability(linear, X[:1], maps)
    assert [each.partition(":")[0] for each in found.left_out] == ["jpeg", "seed"]
    assert {c.change.partition(" ")[0] for c in found.changes} == {"shift", "brighter", "darker", "noise", "rounding"}
    with pytest.raises(NotApplicable, match="draws nothing"):
        stability(linear, X[:1], maps, ["seed"])
    with pytest.raises(BadParameter, match="jpeg, shift, light"):
        stability(linear, X[:1], maps, ["blur"])


MASK = np.arange(64).reshape(8, 8) % 3 == 0
PLACES = {
    "a mask": (seewhy.Region(1, MASK), seewhy.Region(1, MASK)),
    "a point": (seewhy.Point(3, 4), seewhy.Point(3, 4, 0)),  # of the class that is predicted there before the change
}


@pytest.mark.parametrize("place", PLACES)
def test_a_place_stays_and_its_number_is_explained_again(place):
    """Brightness turns the predicted class of this network around; the question stays that of the untouched image."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.Tanh(), nn.Conv2d(4, 2, 3, padding=1)).eval()
    net[2].bias.data = torch.tensor([1.0, -1.0]) * 0.01
    asked, settled = PLACES[place]
    model = seewhy.wrap(net)
    own = seewhy.explain(model, X[:1], ["gradient"], target=asked)
    settled = settled if place == "a mask" else seewhy.Point(3, 4, own[0].source.index)
    (found,) = stability(model, X[:1], own, ["light", "shift"], asked)
    step = LIGHT * np.ptp(X[:1])
    (before,) = seewhy.explain(model, X[:1], ["gradient"], target=settled)
    for sign, change in zip((1, -1), found.changes, strict=False):
        (after,) = seewhy.explain(model, (X[:1] + sign * step).astype(np.float32), ["gradient"], target=settled)
        assert change.spearman == pytest.approx(spearmanr(before.values.ravel(), after.values.ravel()).statistic, abs=1e-3)
        assert change.same_answer
    assert len(found.changes) == 4


def test_a_box_that_is_not_found_any_more_does_not_count():
    """The detector counts what is brighter than a tenth: of a box at 0.12 nothing is left where it is darker."""
    x = scene()
    x[:, 1] *= 0.12 / 0.8
    model = seewhy.wrap(Blobs().eval())
    maps = seewhy.explain(model, x, [seewhy.occlusion.using(window=4, stride=4)], target="box:1")
    (found,) = stability(model, x, maps, ["light"])
    assert {each.change: each.same_answer for each in found.changes} == {"brighter": True, "darker": False}


def test_a_photo_saved_as_jpeg_again():
    model, photos = seewhy.load("demo/honest"), [scene.image for scene in demo.scenes(2, 31)]
    maps = seewhy.grad_cam(model, photos)
    together = stability(model, photos, maps, ["jpeg", "noise"], seed=3)
    for photo, heatmap, each in zip(photos, maps, together, strict=True):
        assert each.changes[0].change == "jpeg"
        assert 0.5 < each.changes[0].spearman < 1
        (alone,) = stability(model, [photo], seewhy.grad_cam(model, photo), ["jpeg", "noise"], seed=3)
        assert alone.changes[0] == each.changes[0]
        assert heatmap.source.score is not None


def test_all_changes_have_a_name():
    assert [*CHANGES] == ["jpeg", "shift", "light", "noise", "rounding", "seed"]
