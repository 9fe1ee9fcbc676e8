"""Weight randomisation: rows and stages by hand, identities between modes, controls, and a network that never changes."""

import numpy as np
import pytest
import torch
from torch import nn

import seewhy
from seewhy import metrics
from seewhy.comparison.measures import spearman
from seewhy.models.torch.working_copy import TorchWorkingCopy
from support import real
from support.threads import Beside

X = np.random.default_rng(0).standard_normal((4, 3, 12, 12)).astype(np.float32)
STAGES = ["6", "3", "2", "0"]


def network(seed=0):
    torch.manual_seed(seed)
    layers = nn.Conv2d(3, 6, 3), nn.ReLU(), nn.Conv2d(6, 6, 3), nn.BatchNorm2d(6), nn.AdaptiveAvgPool2d(1), nn.Flatten()
    trained = nn.Sequential(*layers, nn.Linear(6, 5)).eval()
    with torch.no_grad():
        trained[3].weight.copy_(torch.tensor([3.0, -2, 1, 0.5, -1, 4]))
    trained[3].running_var.copy_(torch.tensor([1.0, 2, 0.5, 1, 3, 0.2]))
    return trained


@pytest.fixture(scope="module")
def model():
    return seewhy.wrap(network(), name="small")


def means(rows):
    return [row.similarity.spearman.values for row in rows]


def test_the_numbers_of_a_random_head_are_those_of_grad_cam_with_its_weights(model):
    found = metrics.randomised(model, X, "grad-cam", mode="head", layer="3", seed=5)
    (row,) = found
    assert (row.method, row.layer, row.modules, found.mode, len(found.images)) == ("grad-cam", "3", ("6",), "head", 4)
    copy = TorchWorkingCopy(model, X)
    copy.randomise(["6"], 5)
    with torch.no_grad():
        a = network()[:4](torch.as_tensor(X)).double().numpy()  # (4, 6, h, w)
    classes = model.answer(X).scores.argmax(1)
    old, new = (each.detach().double().numpy()[classes] for each in (network()[6].weight, copy.network[6].weight))  # (4, 6)
    for i in range(4):  # sum_c w_c a_c, before the ReLU
        before, after = (np.tensordot(w[i], a[i], 1) for w in (old, new))
        assert row.similarity.spearman.values[i] == pytest.approx(spearman(before, after), abs=1e-4)
        assert row.similarity.absolute.values[i] == pytest.approx(spearman(abs(before), abs(after)), abs=1e-4)
    assert row.similarity.spearman.mean == pytest.approx(np.mean(row.similarity.spearman.values))


def test_stages_go_down_in_a_cascade_and_up_the_other_way(model):
    down = metrics.randomised(model, X[:2], "gradient", stages=None)
    assert [row.modules for row in down] == [(name,) for name in STAGES]
    up = metrics.randomised(model, X[:2], "gradient", mode="bottom-up", stages=None)
    assert [row.modules for row in up] == [(name,) for name in STAGES[::-1]]
    few = metrics.randomised(model, X[:2], "gradient", stages=2)
    assert [row.modules for row in few] == [("6",), ("3", "2", "0")]
    assert [row.stage for row in few] == ["6", "3 and 2 more"]
    one = metrics.randomised(model, X[:2], "gradient", stages=1)
    assert [row.modules for row in one] == [tuple(STAGES)]


def test_modes_meet_where_the_same_weights_are_random(model):
    modes = ("cascade", "bottom-up", "independent", "head", "all")
    cascade, up, alone, head, every = (
        means(metrics.randomised(model, X[:2], ["gradient", "grad-cam"], mode=mode, layer="3", stages=None, seed=2))
        for mode in modes
    )
    rows = len(STAGES)
    for first in (0, rows):  # of either method
        assert cascade[first] == alone[first] == head[first // rows]
        assert cascade[first + rows - 1] == up[first + rows - 1] == every[first // rows]
        assert up[first] == alone[first + rows - 1]
        assert len({*cascade[first : first + rows]}) == rows


def test_maps_that_do_not_look_at_the_weights_stay_and_class_blind_ones_only_under_a_random_head(model):
    found = metrics.randomised(model, X, ["random-map", "eigen-cam"], layer="3", stages=None)
    assert all(row.similarity.spearman.values == pytest.approx((1, 1, 1, 1)) for row in found.of("random-map"))
    first, *others = found.of("eigen_cam")
    assert first.similarity.spearman.values == pytest.approx((1, 1, 1, 1))
    assert all(row.similarity.spearman.mean < 0.95 for row in others[1:])
    noise = found.controls["random-map", "3"].spearman
    assert abs(noise.mean) < 4 / 8 / 2  # four maps of 8 x 8 cells


def test_a_seed_gives_the_same_numbers_and_another_one_others(model):
    once, again, other = (metrics.randomised(model, X[:2], "gradient", mode="all", seed=seed).facts for seed in (1, 1, 2))
    assert once == again
    assert once["rows"][0]["spearman"] != other["rows"][0]["spearman"]


def test_a_batch_equals_its_singles(model):
    together = metrics.randomised(model, X, ["grad-cam", "gradient"], stages=2)
    for i in range(4):
        alone = metrics.randomised(model, X[i : i + 1], ["grad-cam", "gradient"], stages=2)
        for row, single in zip(together, alone, strict=True):
            assert row.similarity.spearman.values[i] == pytest.approx(single.similarity.spearman.mean, abs=1e-3)


def test_draws_are_of_the_next_seeds(model):
    both = metrics.randomised(model, X, "gradient", mode="all", draws=2, seed=3)[0].similarity.spearman
    each = [metrics.randomised(model, X, "gradient", mode="all", seed=seed)[0].similarity.spearman.values for seed in (3, 4)]
    assert both.values == pytest.approx(np.mean(each, 0))
    alone = metrics.randomised(model, X[:1], "gradient", mode="all", draws=2, seed=3)[0].similarity.spearman
    assert alone.values == pytest.approx([each[0][0], each[1][0]], abs=1e-3)
    assert alone.interval is not None


def test_smooth_mprt_is_the_same_of_means_over_noisy_copies(model):
    smooth = seewhy.smooth_grad.using(samples=3)
    (row,) = metrics.randomised(model, X[:1], smooth, mode="all", seed=1)
    copy = TorchWorkingCopy(model, X)
    copy.randomise(copy.stages, 1)
    target = int(model.answer(X[:1]).scores.argmax())
    a, b = (smooth(each, X[:1], target)[0].values for each in (model, copy.model))
    assert row.similarity.spearman.mean == pytest.approx(spearman(a, b), abs=1e-6)


class Breaks(Exception):
    pass


def test_the_network_keeps_every_bit_also_after_an_error_and_in_the_eyes_of_other_threads(monkeypatch):
    own = network().train()
    before = {name: value.clone() for name, value in own.state_dict().items()}
    model, seen = seewhy.wrap(own), []
    usual = model.answer(X).scores

    def untouched():
        now = own.state_dict()
        return own.training and not own._forward_hooks and all(torch.equal(before[name], now[name]) for name in before)

    with Beside(lambda: seen.append((untouched(), np.array_equal(model.answer(X).scores, usual)))):
        metrics.randomised(model, X, ["grad-cam", "guided-backprop"], stages=None)
    assert untouched()
    assert len(seen) > 0
    assert all(map(all, seen))
    drawn = TorchWorkingCopy.randomise

    def breaks(self, stages, seed):
        drawn(self, stages, seed)
        if "2" in stages:
            raise Breaks

    monkeypatch.setattr(TorchWorkingCopy, "randomise", breaks)
    with pytest.raises(Breaks):
        metrics.randomised(model, X, "gradient", stages=None)
    assert untouched()
    assert np.array_equal(model.answer(X).scores, usual)


def test_what_cannot_be_asked_is_said(model):
    with pytest.raises(seewhy.BadParameter, match="'sideways' is none of cascade, independent"):
        metrics.randomised(model, X, mode="sideways")
    with pytest.raises(seewhy.BadParameter, match="stages is a whole number"):
        metrics.randomised(model, X, stages=0)
    service = seewhy.wrap(lambda images: np.zeros((len(images), 3)), name="a service")
    with pytest.raises(seewhy.NotApplicable, match=r"randomised changes a copy of the network.*a service is none"):
        metrics.randomised(service, np.zeros((8, 8, 3), np.uint8), "occlusion")


@real.needs_data
def test_on_real_weights_guided_backprop_hardly_changes_under_a_random_classifier_and_grad_cam_does():
    photos = sorted((real.DATA / "imagenet-sample").rglob("*.jpg"))[:60:15]
    found = metrics.randomised(real.model("timm/mobilenetv2_100"), photos, ["guided-backprop", "grad-cam"], mode="head")
    guided, grad_cam = (found.of(name)[0].similarity for name in ("guided-backprop", "grad-cam"))
    assert guided.absolute.mean > 0.98
    assert grad_cam.spearman.mean < 0.6
    assert found[0].modules == ("classifier",)


def test_maps_of_a_place_and_of_images_with_numbers_beside_them_can_be_asked_for():
    torch.manual_seed(0)
    dense = seewhy.wrap(nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 2, 3, padding=1)))
    found = metrics.randomised(dense, X[:2], "gradient", target=seewhy.Region(1), stages=None)
    assert [row.modules for row in found] == [("2",), ("0",)]
    assert found[0].similarity.spearman.mean < 0.999

    class Signed(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = network()

        def forward(self, x, factor):
            return self.inner(x) * factor[:, None]

    factors = [1.0, -1.0, 2.0, 1.0]
    model = seewhy.wrap(Signed(), inputs=(seewhy.IMAGE, seewhy.PerImage(factors)))
    beside = metrics.randomised(model, X, "gradient", mode="all", target=1)[0].similarity.spearman.values
    plain = metrics.randomised(
        seewhy.wrap(Signed(), inputs=(seewhy.IMAGE, seewhy.PerImage([1.0] * 4))), X, "gradient", mode="all", target=1
    )
    assert beside == pytest.approx(plain[0].similarity.spearman.values, abs=1e-3)  # the largest absolute gradient has no sign
