"""Where occlusion hides: segments and masks, a part of the image, channels of their own, windows with soft edges."""

from itertools import product

import numpy as np
import pytest
import torch
from PIL import Image

import seewhy
from seewhy import Clip, PerImage, Volume
from seewhy.explaining.case import Case
from seewhy.methods.making.conditions import Conditions
from seewhy.methods.making.method import lookup
from support import ask, networks
from support.files.scans import AFFINES
from support.references import perturb as by_hand

SPACES = {"a signal": (17,), "a picture": (7, 9), "a volume": (5, 4, 6)}
SIDES = {"a signal": (4,), "a picture": (3, 4), "a volume": (2, 2, 3)}
STEPS = {"a signal": (3,), "a picture": (2, 3), "a volume": (2, 1, 2)}


def drawn(*shape, seed=0):
    return np.random.default_rng([seed, *shape]).normal(size=shape)


def wild(images):
    """Two scores in which pixels far apart hinder and help each other."""
    flat = images.reshape(len(images), -1)
    a = np.cos(np.arange(flat.shape[1]) * 1.7)
    return np.stack([np.tanh(flat @ a) * flat[:, 0] + flat.max(1), np.sqrt(1 + (flat**2) @ abs(a))], 1)


def one(image):
    return wild(image[None])[0, 1]


def found_by(x, function=wild, **params):
    """What occlusion finds of the second score of images (n, c, *space)."""
    model = seewhy.wrap(function, takes="float")
    return lookup("occlusion", params).outcome(Case(model, x, [seewhy.Class(1)], shared=()))


def labels_of(space):
    """Four segments that hang together by no axis, by numbers with gaps."""
    return np.array([3, 7, 8, 20])[(np.arange(np.prod(space)).reshape(space) * 7 // 5) % 4]


@pytest.mark.parametrize("name", SPACES)
@pytest.mark.parametrize("how", ["labels", "a nested list", "a function", "grid:2"])
def test_each_segment_is_hidden_once(name, how):
    space = SPACES[name]
    x, labels = drawn(1, 2, *space), labels_of(space)
    given = {"labels": labels, "a nested list": labels.tolist(), "a function": lambda _: labels, "grid:2": "grid:2"}[how]
    if how == "grid:2":
        halves = [np.arange(side) * 2 // side for side in space]
        labels = np.ravel_multi_index(np.meshgrid(*halves, indexing="ij"), [2] * len(space))
    outcome = found_by(x, segments=given, fill="zero")
    masks = [(labels == k).astype(float) for k in np.unique(labels)]
    ask.close(outcome.cores["input"][0, 0], by_hand.hidden_once(one, x[0], masks))
    assert ask.measured(outcome)["segments"] == ask.measured(outcome)["forwards"] == len(masks)
    regions = outcome.regions(0, 0)
    ask.close(regions.weights[regions.segments], outcome.cores["input"][0, 0])


@pytest.mark.parametrize("name", SPACES)
@pytest.mark.parametrize("as_array", [False, True])
def test_masks_may_overlap_and_leave_pixels_out(name, as_array):
    """A pixel that two hide has the mean of their drops; one that none hides is zero, and that is no doubt."""
    space = SPACES[name]
    x, at = drawn(1, 2, *space), np.arange(np.prod(space)).reshape(space)
    masks = [at % 3 == 0, at % 2 == 0, at == 5]
    outcome = found_by(x, segments=np.stack(masks) if as_array else masks, fill=0.3)
    expected = by_hand.hidden_once(one, x[0], [mask.astype(float) for mask in masks], 0.3)
    ask.close(outcome.cores["input"][0, 0], expected)
    assert (outcome.cores["input"][0, 0][(at % 6).clip(1, 5) % 2 == 1] != 0).any()
    assert not outcome.cores["input"][0, 0][~np.any(masks, 0)].any()
    assert np.isinf(outcome.errors["input"][0, 0][~np.any(masks, 0)]).all()
    assert outcome.notes(0, 0) == ()


def test_of_a_linear_score_segments_say_the_sum_of_what_they_hide():
    x, labels, w = drawn(1, 3, 6, 8), labels_of((6, 8)), drawn(3, 6, 8, seed=1)
    found = found_by(
        x, lambda images: np.stack([images.sum((1, 2, 3)), np.tensordot(images, w, 3)], 1), segments=labels, fill=0.5
    )
    each = (w * (x[0] - 0.5)).sum(0)
    expected = np.zeros((6, 8))
    for k in np.unique(labels):
        expected[labels == k] = each[labels == k].sum()
    ask.close(found.cores["input"][0, 0], expected)


@pytest.mark.parametrize("name", SPACES)
@pytest.mark.parametrize("shape", ["box", "gaussian"])
@pytest.mark.parametrize("part", ["all", "a mask", "a box"])
def test_windows_equal_a_loop(name, shape, part):
    """A part of the image costs the windows that touch it, and there the map is what it is without."""
    space = SPACES[name]
    x, within = drawn(1, 2, *space), None
    if part != "all":
        low, high = [side // 4 for side in space], [side // 4 + 2 for side in space]
        within = np.zeros(space, bool)
        within[tuple(map(slice, low, high))] = True
        asked = within if part == "a mask" else [*low[::-1], *high[::-1]] if len(space) == 2 else [*low, *high]
    params = {"window": SIDES[name], "stride": STEPS[name], "shape": shape, "fill": "zero"}
    outcome = found_by(x, **params, **({} if within is None else {"within": asked}))
    masks = by_hand.window_masks(space, SIDES[name], STEPS[name], shape == "gaussian")
    ask.close(outcome.cores["input"][0, 0], by_hand.hidden_once(one, x[0], masks, within=within))
    if within is None:
        assert ask.measured(outcome)["windows"] == len(masks)
        return
    touching = sum(bool((mask[within] > 0).any()) for mask in masks)
    assert ask.measured(outcome)["forwards"] == ask.measured(outcome)["windows"] == touching < len(masks)
    whole = found_by(x, **params).cores["input"][0, 0]
    ask.close(outcome.cores["input"][0, 0], whole * within)
    assert (outcome.errors["input"][0, 0] == np.where(within, 0, np.inf)).all()
    assert outcome.notes(0, 0) == ()


@pytest.mark.parametrize("name", SPACES)
def test_segments_within_a_part(name):
    space = SPACES[name]
    x, labels = drawn(1, 2, *space), labels_of(space)
    within = np.zeros(space, bool)
    within.ravel()[[4, 5]] = True
    outcome = found_by(x, segments=labels, within=within, fill="zero")
    masks = [(labels == k).astype(float) for k in np.unique(labels)]
    ask.close(outcome.cores["input"][0, 0], by_hand.hidden_once(one, x[0], masks, within=within))
    assert ask.measured(outcome)["forwards"] == len(np.unique(labels[within])) < 4


@pytest.mark.parametrize("hidden", ["box", "gaussian", "segments"])
@pytest.mark.parametrize("channels", [[0, 2], [1], 3, "each"])
@pytest.mark.parametrize("name", SPACES)
def test_channels_of_their_own(name, channels, hidden):
    space = SPACES[name]
    x, labels = drawn(1, 4, *space), labels_of(space)
    if hidden == "segments":
        params, masks = {"segments": labels}, [(labels == k).astype(float) for k in np.unique(labels)]
    else:
        params = {"window": SIDES[name], "stride": STEPS[name], "shape": hidden}
        masks = by_hand.window_masks(space, SIDES[name], STEPS[name], hidden == "gaussian")
    outcome = found_by(x, channels=channels, fill=0.2, **params)
    together = [[k] for k in range(4)] if channels == "each" else [[channels] if channels == 3 else channels]
    maps = [by_hand.hidden_once(one, x[0], masks, 0.2, some) for some in together]
    ask.close(outcome.cores["input"][0, 0], sum(maps))
    if channels == "each":
        ask.close(outcome.channels["input"][0, 0], np.stack(maps))
    assert ask.measured(outcome)["forwards"] == len(masks) * len(together)


def test_of_a_linear_score_the_maps_of_all_channels_sum_to_that_of_all_together():
    """An ECG of 12 leads: each lead's map is its own part of the sum, and values are those of all leads hidden at once."""
    x, w = drawn(1, 12, 40), drawn(12, 40, seed=1)
    model = seewhy.wrap(lambda images: (images * w).sum((1, 2))[:, None], takes="float")
    (each,) = seewhy.occlusion(model, x, target=0, channels="each", window=10, stride=10, fill="zero")
    (together,) = seewhy.occlusion(model, x, target=0, window=10, stride=10, fill="zero")
    ask.close(each.values, together.values, rel=1e-5)
    expected = (w * x[0]).reshape(12, 4, 10).sum(2).repeat(10, 1)
    ask.close(each.channels, expected, rel=1e-5)
    assert together.channels is None


@pytest.mark.parametrize("budget", [10, 11])
def test_channels_sum_to_the_values_where_a_budget_ends_within_a_window(budget):
    """Three of 10 or 11 forwards hide each of three channels at one window; the rest, at the fourth, tell of no sum."""
    outcome = found_by(drawn(1, 3, 9, 9), channels="each", window=3, stride=3, fill="zero", budget=budget)
    core, error = outcome.cores["input"][0, 0], outcome.errors["input"][0, 0]
    ask.close(outcome.channels["input"][0, 0].sum(0), core)
    assert np.isfinite(error).sum() == 3 * 9 == (core != 0).sum()


SPATIAL = {
    "soft windows": {"window": 5, "stride": 2, "shape": "gaussian"},
    "a part": {"window": 4, "stride": 2, "within": (3, 2, 6, 5)},
    "single channels": {"window": 4, "stride": 3, "channels": "each"},
    "two channels, soft, in a part": {
        "window": 5,
        "stride": 3,
        "channels": [0, 2],
        "shape": "gaussian",
        "within": (0, 0, 4, 4),
    },
}


@pytest.mark.parametrize("name", SPATIAL)
@pytest.mark.parametrize("toy", ["pooled", "bn_dropout", "relu6", "functional"])
def test_the_short_cut_changes_nothing(toy, name):
    model, x = seewhy.wrap(getattr(networks, toy)()), networks.images(1, 16, 18)
    short, plain = (seewhy.occlusion(model, x, target=1, incremental=way, **SPATIAL[name])[0] for way in (True, False))
    ask.close(short.values, plain.values, rel=1e-5)
    if name == "single channels":
        ask.close(short.channels, plain.channels, rel=1e-5)
        ask.close(short.channels.sum(0), short.values, rel=1e-5)
    assert short.source.measured["forwards"] == plain.source.measured["forwards"]


@pytest.mark.parametrize("way", ["as it is", "resized", "cropped", "turned"])
def test_a_part_is_marked_on_the_photo_that_was_given(way, tmp_path):
    """And not on what `prepare` makes of it: a mask, the same as a box, its file, and by both ways of occlusion."""
    photo = Image.fromarray(np.random.default_rng(0).integers(0, 256, (24, 32, 3), dtype=np.uint8))
    sizes = {"as it is": (24, 32), "resized": (12, 16), "cropped": (12, 16), "turned": (32, 24)}[way]
    turn = lambda picture: np.asarray(picture, np.float64).transpose(2, 1, 0) / 255  # noqa: E731
    prepare = {"as it is": {"size": None, "crop": None}, "resized": {"size": (12, 16), "crop": None},
               "cropped": {"size": None, "crop": (12, 16)}, "turned": turn}[way]  # fmt: skip

    def last(images):
        return np.tensordot(images, np.arange(1.0, 1 + np.prod(sizes)).reshape(sizes) ** 1.5, 2).sum(1)[:, None]

    model = seewhy.wrap(last, takes="float", prepare=prepare)
    mask = np.zeros((24, 32), bool)
    mask[10:14, 8:18] = True
    by_mask, by_box = (
        seewhy.occlusion(model, photo, target=0, within=each, window=2, stride=1)[0] for each in (mask, (8, 10, 18, 14))
    )
    (whole,) = seewhy.occlusion(model, photo, target=0, window=2, stride=1)
    lies = {"as it is": mask, "resized": mask[::2, ::2], "cropped": mask[6:18, 8:24], "turned": mask}[way]
    ask.close(by_mask.values, whole.values * lies, rel=1e-6)
    ask.close(by_box.values, whole.values * lies, rel=1e-6)
    Image.fromarray(mask).save(tmp_path / "mask.png")
    (by_file,) = seewhy.occlusion(model, photo, target=0, within=tmp_path / "mask.png", window=2, stride=1)
    np.testing.assert_array_equal(by_file.values, by_mask.values)


def test_a_part_of_a_volume_is_marked_in_its_own_voxels():
    """Turned to another orientation and order of axes, and sampled at twice as many voxels; what is drawn lies on the mask."""
    values = np.random.default_rng(0).normal(size=(6, 8, 4)).astype(np.float32)
    scan = Volume(values, AFFINES["flipped"])
    weights = np.random.default_rng(1).normal(size=(8, 16, 12))
    function = lambda x: (x * weights).sum((1, 2, 3, 4))[:, None]  # noqa: E731
    model = seewhy.wrap(function, takes="float", prepare={"orientation": "RAS", "axes": "kji", "size": (8, 16, 12)})
    mask = np.zeros((6, 8, 4), bool)
    mask[1:3, 4:7, 2] = True
    (found,) = seewhy.occlusion(model, scan, target=0, within=mask, window=2, stride=1, fill=0)
    (boxed,) = seewhy.occlusion(model, scan, target=0, within=(1, 4, 2, 3, 7, 3), window=2, stride=1, fill=0)
    (whole,) = seewhy.occlusion(model, scan, target=0, window=2, stride=1, fill=0)
    fine = mask[::-1, ::-1].repeat(2, 0).repeat(2, 1).repeat(2, 2).transpose(2, 1, 0)  # R and A run backwards in the file
    ask.close(found.values, whole.values * fine, rel=1e-5)
    ask.close(boxed.values, found.values, rel=1e-6)
    assert found.source.measured["windows"] < whole.source.measured["windows"] / 4


def test_a_part_of_a_clip_is_marked_on_its_frames():
    """A box or a mask of a frame holds for all; a mask of all frames, or a box along all axes, for some of them."""
    rng = np.random.default_rng(0)
    clip = Clip(tuple(Image.fromarray(rng.integers(0, 256, (8, 10, 3), dtype=np.uint8)) for _ in range(4)))
    weights = rng.normal(size=(4, 8, 10))
    prepare = {"size": None, "crop": None, "count": 4}
    model = seewhy.wrap(lambda x: np.tensordot(x, weights, 3).sum(1)[:, None], takes="float", prepare=prepare)
    (whole,) = seewhy.occlusion(model, clip, target=0, window=2, stride=1)
    mask = np.zeros((8, 10), bool)
    mask[2:5, 3:7] = True
    some = np.zeros((4, 8, 10), bool)
    some[1:3] = mask
    for within, lies in (((3, 2, 7, 5), mask), (mask, mask), (some, some), ((1, 2, 3, 3, 5, 7), some)):
        (found,) = seewhy.occlusion(model, clip, target=0, window=2, stride=1, within=within)
        ask.close(found.values, whole.values * lies, rel=1e-6)


WRONG = {
    "window and segments": ({"segments": "grid:2", "window": 3}, "takes the place of windows"),
    "shape and segments": ({"segments": "grid:2", "shape": "gaussian"}, "takes the place of windows"),
    "a channel that is not there": ({"channels": [0, 2]}, "channels 0 to 1; give the numbers"),
    "a channel twice": ({"channels": [1, 1]}, "each once"),
    "no channel": ({"channels": []}, "channels 0 to 1"),
    "a negative channel": ({"channels": -1}, "channels 0 to 1"),
    "a word": ({"channels": "all"}, "channels is one of|channels is 'each'|channels"),
    "a mask of another size": ({"within": np.ones((3, 3), bool)}, r"the mask is \(3, 3\); give it as .*: \(6, 8\)"),
    "an empty mask": ({"within": np.zeros((6, 8), bool)}, "nothing of it lies in what the network sees"),
    "a box turned around": ({"within": (5, 1, 2, 4)}, "is empty or reaches beyond the image of 8 x 6"),
    "a box beyond": ({"within": (2, 1, 12, 4)}, "reaches beyond"),
    "a box of three": ({"within": (2, 1, 12)}, r"is no box: .* \(x0, y0, x1, y1\)"),
    "NaN in a box": ({"within": (2, 1, np.nan, 3)}, "is no box"),
    "a file that is not there": ({"within": "no-mask.png"}, "not there"),
    "words": ({"within": ["a", "b", "c", "d"]}, "is no part of an image"),
    "masks of another size": ({"segments": [np.ones((6, 8), bool), np.ones((6, 9), bool)]}, r"mask 1 of segments= is \(6, 9\)"),
    "empty masks": ({"segments": [np.zeros((6, 8), bool)]}, "none of the masks"),
    "segments apart from the part": (
        {"segments": [np.eye(6, 8) > 0], "within": (7, 0, 8, 1)}, "no segment touches `within`"
    ),
    "a window of another shape": ({"shape": "round"}, "shape is one of box, gaussian"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_what_is_refused(name):
    params, said = WRONG[name]
    with pytest.raises(seewhy.BadParameter, match=said):
        found_by(drawn(1, 2, 6, 8), **params)


def test_a_mask_of_which_nothing_is_seen_is_left_out_and_said():
    x, masks = drawn(1, 2, 6, 8), [np.eye(6, 8) > 0, np.zeros((6, 8), bool)]
    outcome = found_by(x, segments=masks, fill="zero")
    ask.close(outcome.cores["input"][0, 0], by_hand.hidden_once(one, x[0], [np.eye(6, 8)]))
    assert outcome.notes(0, 0) == ("nothing of masks 1 of segments= is seen by the network",)


def test_a_part_of_the_soft_windows_has_the_mean_of_these_and_an_error():
    x = drawn(1, 2, 9, 9)
    params = {"window": 4, "stride": 1, "shape": "gaussian", "fill": "zero"}
    whole = found_by(x, **params)
    truth, errors, seen = whole.cores["input"][0, 0], [], []
    assert not whole.errors["input"].any()
    for seed in range(40):
        some = found_by(x, budget=18, seed=seed, **params)
        errors.append(some.errors["input"][0, 0])
        seen.append(some.cores["input"][0, 0] - truth)
    known = np.isfinite(errors)
    spread = np.sqrt(np.mean(np.array(seen)[known] ** 2))
    assert 0.6 < np.sqrt(np.mean(np.array(errors)[known] ** 2)) / spread < 1.6


def test_a_part_of_what_touches_a_place_tells_of_that_place_alone():
    x = drawn(1, 2, 12, 12)
    outcome = found_by(x, window=2, stride=1, within=(0, 0, 6, 6), budget=10, fill="zero")
    error = outcome.errors["input"][0, 0]
    assert np.isinf(error[6:]).all()
    assert np.isfinite(error[:6, :6]).any()
    (note,) = [note for note in outcome.notes(0, 0) if note.startswith("no window hid")]
    hidden = 100 * np.isinf(error[:6, :6]).mean()
    assert note == f"no window hid {hidden:.0f} % of the pixels yet: there the map is zero, and not known"
    done = found_by(x, window=2, stride=1, within=(0, 0, 6, 6), tolerance=1e9, fill="zero")
    assert ask.measured(done)["forwards"] < 49 + 1


def test_each_image_may_have_segments_and_a_part_of_its_own():
    x = drawn(3, 2, 6, 8)
    labels = [labels_of((6, 8)), labels_of((6, 8))[::-1], "grid:2"]
    model = seewhy.wrap(wild, takes="float")
    together = seewhy.occlusion(model, x, target=1, segments=PerImage(labels))
    parts = [(0, 0, 4, 4), np.eye(6, 8), (2, 2, 8, 6)]
    both = seewhy.occlusion(model, x, target=1, within=PerImage(parts), window=3)
    for i, (one_labels, one_part) in enumerate(zip(labels, parts, strict=True)):
        (alone,) = seewhy.occlusion(model, x[i : i + 1], target=1, segments=one_labels)
        np.testing.assert_array_equal(together[i].values, alone.values)
        assert together[i].source.params == alone.source.params
        (alone,) = seewhy.occlusion(model, x[i : i + 1], target=1, within=one_part, window=3)
        np.testing.assert_array_equal(both[i].values, alone.values)


def test_tiles_are_no_place_for_a_part_of_the_whole():
    model = seewhy.wrap(torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten()).eval())
    x, labels = drawn(1, 2, 32, 32), np.arange(1024).reshape(32, 32) // 256
    with pytest.raises(seewhy.NotApplicable, match=r"within= marks one whole image.*without tile=\.$"):
        seewhy.occlusion(model, x, target=0, within=(0, 0, 4, 4), tile=16)
    for method, segments in ((seewhy.occlusion, [labels == 1]), (seewhy.lime, labels), (seewhy.kernel_shap, [labels])):
        with pytest.raises(seewhy.NotApplicable, match=r"segments= marks one whole image.*each tile be cut: segments='grid:8'"):
            method(model, x, target=0, segments=segments, tile=16)
    assert seewhy.kernel_shap(model, x, target=0, segments="grid:2", samples=14, tile=16)[0].values.shape == (32, 32)


def test_the_map_says_what_was_hidden_and_keeps_its_channels(tmp_path):
    model = seewhy.wrap(networks.pooled())
    x = networks.images(1, 8, 10)
    (found,) = seewhy.occlusion(model, x, target=1, channels="each", within=(1, 2, 5, 6), window=4, shape="gaussian")
    assert {"channels": "each", "within": (1, 2, 5, 6), "shape": "gaussian"}.items() <= found.source.params.items()
    assert found.channels.shape == (3, 8, 10)
    with np.load(found.save(tmp_path / "map.npz")) as saved:
        np.testing.assert_array_equal(saved["channels"], found.channels)


def test_what_it_costs_is_known_before_where_it_can_be():
    conditions = Conditions((8, 10))
    assert lookup("occlusion").using(segments="grid:2x3").forwards(conditions) == 6
    assert lookup("occlusion").using(segments=labels_of((8, 10))).forwards(conditions) == 4
    assert lookup("occlusion").using(segments=[np.ones((8, 10), bool)] * 3).forwards(conditions) == 3
    assert lookup("occlusion").using(window=4, stride=2).forwards(conditions) == len([*product(range(3), range(4))])
    for unknown in ({"within": (0, 0, 2, 2)}, {"channels": "each"}, {"segments": "slic"}):
        assert lookup("occlusion").using(**unknown).forwards(conditions) is None
