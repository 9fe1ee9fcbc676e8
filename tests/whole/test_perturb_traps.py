"""What would go wrong in silence: networks that write into their input, mix a batch, or run under autocast."""

import numpy as np
import pytest
import torch
import torchvision.transforms as transforms
from PIL import Image
from torch import nn

import seewhy
from support import ask, networks

X = np.random.default_rng(0).random((1, 3, 24, 24)).astype("f")
SMALL = {
    "kernel-shap": {"segments": "grid:3", "samples": 600, "hide": "own-mean"},
    "lime": {"segments": "grid:3", "samples": 60, "hide": "blur"},
    "occlusion": {"window": 8, "stride": 4},
    "rise": {"masks": 40, "cells": 3, "fill": "mean"},
    "sobol": {"segments": "grid:3", "samples": 4, "hide": "mean"},
    "score-cam": {},
    "ss-cam": {"samples": 2},
    "is-cam": {"samples": 2},
    "ablation-cam": {},
    "recipro-cam": {},
}


class Net(nn.Module):
    """Normalises its own input, in place if asked, and knows a second convolution."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.inplace = inplace
        self.conv, self.norm, self.fc = nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Linear(8, 4)

    def forward(self, x):
        x = x.sub_(0.5).div_(0.2) if self.inplace else (x - 0.5) / 0.2
        return self.fc(self.norm(self.conv(x)).relu().mean((2, 3)))


def asked(name: str, model, x=X, **params) -> seewhy.Heatmap:
    method = seewhy.METHODS[name]
    return method(model, x, target=1, layer="norm" if method.layered else None, **{**SMALL[name], **params})[0]


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("fast", [False, True])
def test_a_network_that_writes_into_its_input(name, fast):
    kept = X.copy()
    found, expected = (asked(name, seewhy.wrap(Net(inplace)), fast=fast) for inplace in (True, False))
    ask.close(found.values, expected.values, rel=1e-5)
    assert (kept == X).all()


@pytest.mark.parametrize("name", [name for name in SMALL if not seewhy.METHODS[name].layered])
def test_a_function_that_writes_into_its_input(name):
    w = np.random.default_rng(1).normal(size=(3 * 24 * 24, 3))

    def careless(x):
        x -= 0.5
        x /= 0.1
        return np.tanh(x.reshape(len(x), -1) @ w / 100)

    kept = X.copy()
    both = [seewhy.wrap(f, takes="float", batch_size=8) for f in (careless, lambda x: careless(x.copy()))]
    found, expected = (asked(name, model) for model in both)
    assert (found.values == expected.values).all()
    assert found.values.any()
    assert (kept == X).all()


def mixing() -> nn.Module:
    torch.manual_seed(0)
    parts = {"conv": nn.Conv2d(3, 8, 3), "norm": nn.BatchNorm2d(8, track_running_stats=False), "act": nn.ReLU()}
    tail = {"pool": nn.AdaptiveAvgPool2d(2), "flat": nn.Flatten(), "fc": nn.Linear(32, 4)}
    network = nn.Sequential()
    for name, part in {**parts, **tail}.items():
        network.add_module(name, part)
    return network.eval()


@pytest.mark.parametrize("name", SMALL)
def test_a_network_that_mixes_the_images_of_a_batch_runs_them_alone(name):
    found, alone = (asked(name, seewhy.wrap(mixing(), batch_size=size)) for size in (None, 1))
    ask.close(found.values, alone.values, rel=1e-4)
    if name not in ("ablation-cam", "recipro-cam"):  # whose tail runs row by row
        assert any("mixes the images of a batch" in w for w in found.warnings)


@pytest.mark.parametrize("name", SMALL)
def test_under_autocast_only_the_network_is_in_half_precision(name):
    model = seewhy.wrap(Net())
    plain = asked(name, model)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = asked(name, model)
        assert torch.is_autocast_enabled("cpu")
    assert abs(found.values - plain.values).max() < 0.3 * abs(plain.values).max()
    assert found.source.score != plain.source.score, "the network did run in half precision"


class Reused(nn.Module):
    """One convolution, two norms: folding the one into it would change the other."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.first, self.second, self.fc = (
            nn.Conv2d(3, 3, 3, padding=1),
            nn.BatchNorm2d(3),
            nn.BatchNorm2d(3),
            nn.Linear(3, 4),
        )
        self.first.running_var.fill_(3)
        self.second.running_mean.fill_(-0.3)

    def forward(self, x):
        return self.fc(self.second(self.conv(self.first(self.conv(x)).relu())).relu().mean((2, 3)))


@pytest.mark.parametrize("make", [Net, Reused])
def test_the_faster_copy_gives_the_same_map(make):
    found, plain = (asked("occlusion", seewhy.wrap(make().eval()), fast=fast) for fast in (True, False))
    ask.close(found.values, plain.values, rel=1e-4)
    assert abs(found.source.measured["score_off"]) < 1e-5


def chances(x):
    z = np.exp(np.tanh(x.reshape(len(x), -1) @ np.random.default_rng(1).normal(size=(3 * 24 * 24, 10)) / 40))
    return z / z.sum(1, keepdims=True)


def test_rounded_probabilities_are_taken_for_such_in_every_batch():
    """Whose rows do not sum to one exactly: no second softmax, for some rows or for all."""
    exact, rounded = (seewhy.wrap(f, takes="float", scores="probability") for f in (chances, lambda x: chances(x).round(3)))
    one, other = (asked("lime", model) for model in (exact, rounded))
    assert other.source.score == pytest.approx(one.source.score, abs=1e-3)
    assert other.regions.intercept == pytest.approx(one.regions.intercept, abs=2e-3)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_probabilities_in_half_precision_are_taken_for_such(dtype):
    model = seewhy.wrap(nn.Sequential(Net(), nn.Softmax(1)), scores="probability")
    params = {"segments": "grid:3", "samples": 60, "target": 1}
    plain, half = (seewhy.lime(model, X, dtype=kind, **params)[0] for kind in (None, dtype))
    assert half.regions.intercept == pytest.approx(plain.regions.intercept, abs=0.05)
    assert half.regions.local_prediction == pytest.approx(plain.regions.local_prediction, abs=0.05)


@pytest.mark.parametrize("flip", [transforms.RandomHorizontalFlip, transforms.RandomVerticalFlip])
def test_a_preparation_that_mirrors_the_photo(flip):
    """The superpixels are those of the picture as the network saw it, and are drawn on it."""
    prepare = transforms.Compose([transforms.Resize((24, 36)), flip(1.0), transforms.ToTensor()])
    pixels = np.zeros((48, 72, 3), np.uint8)
    pixels[:24, :36] = 255
    seen = []

    def cut(picture):
        seen.append(picture)
        return (picture[..., 0] > 127).astype(int)

    model = seewhy.wrap(Net(), prepare=prepare)
    (m,) = seewhy.lime(model, Image.fromarray(pixels), target=0, segments=cut, samples=20)
    expected = prepare(Image.fromarray(pixels)).numpy()[0] > 0.5
    assert np.array_equal(seen[0][..., 0] > 127, expected)
    drawn = np.asarray(m.boundaries())
    assert drawn.shape == pixels.shape
    assert (drawn[2, 2] == 255).all() == expected[1, 1]


def test_photos_from_0_to_1_are_not_taken_for_black_ones():
    with pytest.raises(seewhy.BadParameter, match="multiply them by 255"):
        seewhy.occlusion(seewhy.wrap(lambda x: x.mean((1, 2))), X)


def test_running_out_of_memory_in_the_end_keeps_what_was_done():
    calls = []

    def tight(x):
        calls.append(len(x))
        if sum(calls) > 40:
            raise MemoryError("full")
        return chances(x)

    with pytest.raises(seewhy.BadNetwork, match="full") as caught:
        asked("rise", seewhy.wrap(tight, takes="float"), masks=100)
    (m,) = caught.value.partial
    assert m.source.measured["forwards"] >= 8


def test_large_photos_share_no_pass():
    """64 MB of them at most."""
    sizes = []
    model = seewhy.wrap(lambda x: (sizes.append(len(x)), x.reshape(len(x), -1)[:, :2].astype(float))[1])
    seewhy.rise(model, np.zeros((1500, 2000, 3), np.uint8), masks=5)
    assert max(sizes) == 1


def test_a_colour_of_its_own_hides():
    model = seewhy.wrap(Net())
    (found,) = seewhy.occlusion(model, X, target=1, window=8, stride=8, fill=(0.1, 0.5, 0.9))
    fill = np.broadcast_to(np.array([0.1, 0.5, 0.9], "f").reshape(3, 1, 1), X.shape[1:]).copy()
    (expected,) = seewhy.occlusion(model, X, target=1, window=8, stride=8, fill=fill)
    assert (found.values == expected.values).all()


def test_a_network_that_hiding_does_not_move_has_no_indices_of_its_rounding():
    class Twins(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = Net()

        def forward(self, x):
            y = self.net(x)[:, :1]
            return torch.cat([y, y + 3], 1)

    target = seewhy.Contrast(1, 0, strength=1)
    (m,) = seewhy.sobol(seewhy.wrap(Twins()), X, target=target, segments="grid:3", samples=4)
    assert not m.values.any()
    assert any("by more than rounding" in w for w in m.warnings)


def test_the_image_of_a_standard_error():
    m = asked("rise", seewhy.wrap(Net()))
    assert "error" in m.pictures
    drawn = m._of_error()
    assert drawn.source.caption.startswith("standard error of rise")
    assert (drawn.values == m.error).all()
    with pytest.raises(seewhy.NotApplicable, match="no standard error"):
        seewhy.grad_cam(seewhy.wrap(networks.pooled()), networks.images(1))[0]._of_error()
