"""Occlusion: equal to a loop over its windows and to captum, by the short cut and without; its error is what repeats show."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import seewhy
from seewhy.explaining.case import Case
from seewhy.methods.making.method import lookup
from support import ask, networks
from support.references import cams as references
from support.references import perturb as by_hand

FIXED = ("flat_head", "linear_flat_head", "tokens", "lstm_head")  # made for one size
TOYS = ("pooled", "inplace", "relu6", "signed_features", "bn_dropout", "reused", "functional", "squeezed", "nhwc", *FIXED)
TARGETS = (0, seewhy.Contrast(1, [2, 4], strength=0.6))
ROWS = ((1, 0, 0, 0, 0), (0, 1, -0.3, 0, -0.3))  # the same by hand


def signal(*space, channels=2, n=1, seed=0):
    return np.random.default_rng([seed, *space]).normal(size=(n, channels, *space))


def found_by(function, x, targets=(0,), prepare=None, **params):
    """What occlusion finds out about a function of images (n, c, *space) -> (n, k)."""
    model = seewhy.wrap(function, takes="float", prepare=prepare)
    asked = [seewhy.Class(t) for t in targets]
    return replace(lookup("occlusion"), params=params).outcome(Case(model, x, asked, shared=()))


def linear(x, k=2, seed=1):
    """k scores sum w x + b of images like x, and their weights (k, c, *space)."""
    rng = np.random.default_rng(seed)
    w, b = rng.normal(size=(k, *x.shape[1:])), rng.normal(size=k)
    return lambda images: np.tensordot(images, w, (range(1, x.ndim), range(1, x.ndim))) + b, w


def wild(images):
    """Two scores in which pixels far apart hinder and help each other."""
    flat = images.reshape(len(images), -1)
    a = np.cos(np.arange(flat.shape[1]) * 1.7)
    return np.stack([np.tanh(flat @ a) * flat[:, 0] + flat.max(1), np.sqrt(1 + (flat**2) @ abs(a))], 1)


@pytest.mark.parametrize(
    ("space", "sides"), [((12, 16), (4, 4)), ((12, 16), (3, 8)), ((20,), (5,)), ((6, 4, 8), (3, 2, 4)), ((6, 6), (6, 6))]
)
def test_a_linear_score_in_closed_form(space, sides):
    """y = sum w x + b: where windows tile the image, each says the sum of w (x - fill) in it."""
    x = signal(*space, n=2)
    function, w = linear(x)
    cores = found_by(function, x, (0, 1), window=list(sides), stride=list(sides), fill=0.7).cores["input"]
    for t in range(2):
        for i in range(2):
            ask.close(cores[t, i], by_hand.blocks((w[t] * (x[i] - 0.7)).sum(0), sides), rel=1e-12)


SHAPES = {  # space, window, stride
    "overlapping": ((12, 16), 4, 2),
    "nothing divides": ((11, 13), 4, 3),
    "of its own along each axis": ((9, 14), (2, 5), (2, 3)),
    "a pixel at a time": ((5, 6), 1, 1),
    "larger than the image": ((5, 9), 7, 7),
    "much larger than the image": ((5, 9), 100, 50),
    "a signal": ((17,), 5, 3),
    "a volume": ((5, 6, 7), (2, 3, 4), (2, 2, 3)),
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("score", ["linear", "wild"])
def test_equal_to_a_loop_over_windows(score, shape):
    space, window, stride = SHAPES[shape]
    x = signal(*space, n=2)
    function = linear(x)[0] if score == "linear" else wild
    cores = found_by(function, x, (0, 1), window=window, stride=stride, fill="zero").cores["input"]
    sides, steps = ([each] * len(space) if isinstance(each, int) else each for each in (window, stride))
    for t in range(2):
        for i in range(2):
            expected = by_hand.occlusion(lambda image, t=t: function(image[None])[0, t], x[i], sides, steps)
            ask.close(cores[t, i], expected, rel=1e-12)


def test_the_last_window_ends_at_the_edge():
    """What is asked, seen from within the function: 4 x 4 windows, all of the size asked for."""
    x, asked = np.ones((1, 1, 11, 13)), []

    def function(images):
        asked.extend(images.copy() if len(images) > 1 else [])  # alone is the image, and one variant for a second time
        return images.sum((1, 2, 3))[:, None]

    measured = found_by(function, x, window=4, stride=3, fill="zero").measured
    hidden = [np.argwhere(image[0] == 0) for image in asked]
    assert measured["windows"] == measured["forwards"] == len(hidden) == 16
    assert {tuple(one.max(0) - one.min(0) + 1) for one in hidden} == {(4, 4)}
    corners = {tuple(one.min(0)) for one in hidden}
    assert corners == {(i, j) for i in (0, 3, 6, 7) for j in (0, 3, 6, 9)}


@pytest.mark.parametrize(("window", "stride"), [(4, 5), ((4, 2), 3), (3, (3, 4))])
def test_a_stride_that_leaves_pixels_out_is_refused(window, stride):
    with pytest.raises(seewhy.BadParameter, match=r"stride=.* is longer than the window .* a stride of at most the window"):
        found_by(wild, signal(8, 8), window=window, stride=stride)


@pytest.mark.parametrize("window", [0, -3, 2.5, (3,), (3, 3, 3), "large", None])
def test_a_window_that_is_none_is_refused(window):
    with pytest.raises(seewhy.BadParameter, match=r"occlusion: window"):
        found_by(wild, signal(8, 8), window=window, stride=1)


def fills():
    """By name: what is asked, and what it is in the network's numbers, for the image given."""
    array = signal(8, 10, channels=3, seed=5)[0]
    photo = Image.fromarray(np.random.default_rng(3).integers(0, 256, (8, 10, 3), dtype=np.uint8))
    seen = np.asarray(photo).transpose(2, 0, 1) / 255
    normal = lambda x: (x - PREPARE["mean"]) / PREPARE["std"]  # noqa: E731
    return {
        "mean": ("mean", lambda x: x.mean((1, 2), keepdims=True)),
        "black": ("black", lambda _: normal(0.0)),
        "white": ("white", lambda _: normal(1.0)),
        "zero": ("zero", lambda _: 0.0),
        "blur": ("blur", lambda x: by_hand.blurred(x, 0.1)),
        "number": (-0.3, lambda _: -0.3),
        "array": (array, lambda _: array),
        "photo": (photo, lambda _: normal(seen)),
    }


PREPARE = {"size": None, "crop": None, "mean": 0.4, "std": 0.25}


@pytest.mark.parametrize("name", fills())
@pytest.mark.parametrize("score", ["linear", "wild"])
def test_every_fill(score, name):
    x = signal(8, 10, channels=3, n=2)
    fill, expected = fills()[name]
    function = linear(x)[0] if score == "linear" else wild
    cores = found_by(function, x, (1,), PREPARE, window=3, stride=2, fill=fill).cores["input"]
    rel = {"black": 1e-4, "white": 1e-4, "photo": 1e-6}.get(name, 1e-12)  # photos, and what is black, are float32
    for i in range(2):
        other = by_hand.occlusion(lambda image: function(image[None])[0, 1], x[i], (3, 3), (2, 2), expected(x[i]))
        ask.close(cores[0, i], other, rel)


def network_of(toy):
    return getattr(networks, toy)(h=8, w=12) if toy in FIXED else getattr(networks, toy)()


def found_in(network, x, **params):
    return replace(lookup("occlusion"), params=params).outcome(ask.case(network, x, TARGETS, gradients=False))


@pytest.mark.parametrize("toy", TOYS)
def test_the_short_cut_changes_nothing(toy):
    """Of networks of all habits: equal to a loop of plain passes with it and without it, and it was taken."""
    network, x = network_of(toy), networks.images(2, 8, 12, seed=3)
    short, plain = (found_in(network, x, window=3, stride=2, fill=0.2, incremental=yes) for yes in (True, False))
    assert not short.notes(0, 0)
    assert not plain.notes(0, 0)
    ask.close(short.cores["input"], plain.cores["input"])
    for t, row in enumerate(ROWS):
        score = lambda image, row=row: references.scores(network, image) @ row  # noqa: E731
        ask.close(short.cores["input"][t, 1], by_hand.occlusion(score, x[1], (3, 3), (2, 2), 0.2))


def test_the_short_cut_on_a_real_network():
    models = pytest.importorskip("torchvision.models")
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(0)
        network = models.resnet18(weights=None).double().eval()
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.running_var.fill_(0.3)
    x = networks.images(1, 96, 96, seed=2)
    short, plain = (found_in(network, x, window=24, stride=24, incremental=yes) for yes in (True, False))
    assert not short.notes(0, 0)
    ask.close(short.cores["input"], plain.cores["input"])


class Odd(nn.Module):
    """`pooled`, with something odd done to what its first part emits."""

    def __init__(self, odd):
        super().__init__()
        self.network, self.odd, self.calls = networks.pooled(), odd, 0

    def forward(self, x):
        self.calls += 1
        a = self.network.act1(self.network.conv1(x))
        return self.network.fc(self.network.act2(self.network.conv2(self.odd(self, a))).mean((2, 3)))


def through_memory(_, a):
    return a * torch.tensor(float(a.data_ptr() > 0), dtype=a.dtype)


def through_numpy(_, a):
    return torch.from_numpy(np.tanh(a.numpy()))


def over_its_data(_, a):
    a.data.clamp_(max=0.5)
    return a


def never_twice_alike(odd, a):
    return a * (1 + odd.calls)


@pytest.mark.parametrize("odd", [through_memory, through_numpy])
def test_what_the_short_cut_does_not_know_gets_the_copies_in_full(odd):
    x = networks.images(1, 8, 12, seed=3)
    short, plain = (found_in(Odd(odd), x, window=3, stride=3, incremental=yes) for yes in (True, False))
    assert not short.notes(0, 0)
    ask.close(short.cores["input"], plain.cores["input"])


@pytest.mark.parametrize("odd", [over_its_data, never_twice_alike])
def test_a_network_that_takes_no_boxes_runs_whole_and_says_so(odd):
    x = networks.images(1, 8, 12, seed=3)
    found = found_in(Odd(odd), x, window=3, stride=3)
    note, *more = found.notes(0, 0)
    assert all("mixes" in one for one in more)
    assert note.startswith("every window ran through the whole network: ")
    if odd is never_twice_alike:
        assert "differ" in note
    else:
        ask.close(found.cores["input"], found_in(Odd(odd), x, window=3, stride=3, incremental=False).cores["input"])
    assert note in seewhy.occlusion(seewhy.wrap(Odd(odd)), x, target=0, window=3, stride=3)[0].warnings


@pytest.mark.parametrize("toy", ["pooled", "flat_head", "tokens"])
@pytest.mark.parametrize(("window", "stride"), [((4, 4), (4, 4)), ((4, 4), (2, 2)), ((2, 6), (1, 3)), ((8, 12), (8, 12))])
def test_captum_agrees_where_the_windows_are_the_same(toy, window, stride):
    """Where the stride divides what the window leaves."""
    library = pytest.importorskip("captum.attr")
    network, x = network_of(toy), networks.images(2, 8, 12, seed=6)
    cores = found_in(network, x, window=window, stride=stride, fill="zero").cores["input"]
    with torch.no_grad():
        theirs = library.Occlusion(network).attribute(torch.tensor(x), (3, *window), (3, *stride), baselines=0, target=0)
    ask.close(cores[0], theirs.numpy()[:, 0], rel=1e-6)  # they sum in float32


def tries(x, function, budget, count=120, **params):
    full = found_by(function, x, (0, 1), **params)
    assert full.errors["input"].shape == full.cores["input"].shape
    assert not full.errors["input"].any(), "all windows were asked"
    some = [found_by(function, x, (0, 1), budget=budget, seed=seed, **params) for seed in range(count)]
    assert all((one.measured["windows"] == budget).all() for one in some)
    off = np.stack([one.cores["input"] - full.cores["input"] for one in some])
    return off[:, :, 0], np.stack([one.errors["input"] for one in some])[:, :, 0]  # (count, t, *space)


ERRORS = {  # network, stride of a window of 6
    "many windows hide a pixel": ("pooled", 1),
    "some hide it": ("pooled", 2),
    "two do": ("pooled", 3),
    "in another network": ("nhwc", 3),
}


@pytest.mark.parametrize("what", ERRORS)
def test_the_error_of_a_part_of_the_windows_is_what_repeats_show(what):
    """Over the pixels that some window hid, to a quarter of its square; of the others nothing is known."""
    toy, stride = ERRORS[what]
    x = networks.images(1, 18, 24, seed=8)
    windows = len(by_hand.starts(18, 6, stride)) * len(by_hand.starts(24, 6, stride))
    off, error = tries(x, network_of(toy), windows // 3, window=6, stride=stride, incremental=False)
    for t in range(2):
        known = np.isfinite(error[:, t])
        assert known.mean() > 0.5
        assert 0.75 < (error[:, t][known] ** 2).mean() / (off[:, t][known] ** 2).mean() < 1.25


def test_what_no_window_hid_is_zero_and_says_so():
    model, x = seewhy.wrap(networks.pooled()), networks.images(1, 18, 24, seed=8)
    (full,) = seewhy.occlusion(model, x, target=0, window=6, stride=6)
    (part,) = seewhy.occlusion(model, x, target=0, window=6, stride=6, budget=4)
    known = np.isfinite(part.error)
    assert known.sum() == 4 * 36
    assert not part.error[known].any(), "its only window was hidden"
    np.testing.assert_allclose(part.values[known], full.values[known], rtol=1e-5)
    assert not part.values[~known].any()
    assert "no window hid 67 % of the pixels yet: there the map is zero, and not known" in part.warnings
    (one,) = seewhy.occlusion(model, x, target=0, window=6, stride=3, budget=1)
    assert np.isinf(one.error[one.error != 0]).all()


def test_a_window_of_its_own_along_each_axis_may_be_asked_for():
    model, x = seewhy.wrap(networks.pooled()), networks.images(1, 8, 12)
    (found,) = seewhy.occlusion(model, x, target=0, window=(2, 6), stride=(1, 3))
    assert np.unique(found.values[:, :3], axis=1).shape == (8, 1)


def test_a_budget_that_covers_all_windows_leaves_no_error():
    x = signal(8, 8)
    full, enough = (found_by(wild, x, window=4, stride=2, budget=budget) for budget in (None, 9))
    np.testing.assert_array_equal(full.cores["input"], enough.cores["input"])
    assert not enough.errors["input"].any()
    assert not enough.notes(0, 0)
    part = found_by(wild, x, window=4, stride=2, budget=8)
    assert part.errors["input"].any()
    assert "stopped by the budget of 8 forwards after 8 of 9" in part.notes(0, 0)[0]
