"""The ways to refine a mask: what holds of all of them, and how they are asked for."""

import numpy as np
import pytest

from seewhy.errors import BadParameter, NoSuchName, NotApplicable
from seewhy.objects.find import find
from seewhy.objects.refine.refined import FLAT, REFINERS, refinement
from seewhy.objects.refine.small import SmallImage

SPACIOUS = [name for name in REFINERS if name not in FLAT]


def whole(values):
    return (slice(None),) * values.ndim


def scene(shape=(40, 48), channels=3, grey=False):
    """A map that reaches beyond a bright block on one side, blurred as a network's are; the image, in dark noise; the block."""
    rng = np.random.default_rng(0)
    truth = np.zeros(shape, bool)
    truth[tuple(slice(side // 4, side - side // 3) for side in shape)] = True
    pixels = rng.integers(0, 10, (*shape, channels)) + 170 * truth[..., None]
    if grey:
        pixels[:] = pixels[..., :1]
    places = np.meshgrid(*(np.linspace(-1, 1, side) for side in shape), indexing="ij")
    values = np.exp(-sum((place + 0.15) ** 2 for place in places) / (0.1 + 0.1 * len(shape))).astype(np.float32)
    return values, pixels.astype(np.uint8), truth


def by(name):
    return refinement(("superpixels", {"segments": 12}) if name == "superpixels" else name)  # pieces as large as the block


def overlap(mask, truth):
    return (mask & truth).sum() / (mask | truth).sum()


@pytest.mark.parametrize("grey", [False, True])
@pytest.mark.parametrize("name", REFINERS)
def test_each_brings_a_mask_to_the_edges(name, grey):
    values, pixels, truth = scene(grey=grey)
    before = values > 0.3
    mask = by(name).run(values, 0.3, whole(values), pixels)
    assert overlap(before, truth) < 0.75
    assert overlap(mask, truth) > overlap(before, truth) + 0.1


@pytest.mark.parametrize("shape", [(12, 20, 20), (20, 20, 5)])
@pytest.mark.parametrize("name", SPACIOUS)
def test_each_but_grabcut_does_so_in_volumes(name, shape):
    values, pixels, truth = scene(shape, 1)
    volume = pixels.astype(np.float32) * 10 - 1000  # as in a CT
    mask = by(name).run(values, 0.3, whole(values), volume)
    assert overlap(mask, truth) > overlap(values > 0.3, truth)


@pytest.mark.parametrize("name", REFINERS)
def test_only_what_the_network_saw_counts_and_nothing_is_changed(name):
    values, pixels, _ = scene()
    seen = slice(4, 36), slice(6, 30)
    inside = np.zeros_like(values)
    inside[seen] = values[seen]
    given = inside.copy(), pixels.copy()
    mask = by(name).run(inside, 0.3, seen, pixels)
    elsewhere = pixels.copy()
    elsewhere[:4], elsewhere[36:], elsewhere[:, :6], elsewhere[:, 30:] = 255, 0, 90, 13
    np.testing.assert_array_equal(by(name).run(inside, 0.3, seen, elsewhere), mask)  # also: the same each time
    assert mask.any()
    outside = np.ones(mask.shape, bool)
    outside[seen] = False
    assert not mask[outside].any()
    np.testing.assert_array_equal(inside, given[0])
    np.testing.assert_array_equal(pixels, given[1])


@pytest.mark.parametrize("shape", [(1, 1), (1, 2), (2, 3), (1, 40), (5, 1)])
@pytest.mark.parametrize("name", REFINERS)
def test_of_tiny_photos(name, shape):
    values = np.arange(1, 1 + np.prod(shape), dtype=np.float32).reshape(shape)
    pixels = np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
    mask = by(name).run(values, 0.5, whole(values), pixels)
    assert mask.shape == shape
    assert mask.dtype == bool
    if values.size == 1:
        assert mask.all()  # there is nothing else that it could be like


@pytest.mark.parametrize("name", [name for name in REFINERS if name != "crf"])  # test_crf_mask says what that does
def test_of_a_photo_of_one_colour(name):
    values, pixels, _ = scene()
    mask = by(name).run(values, 0.3, whole(values), np.full_like(pixels, 90))
    assert mask[values > 0.95].all()
    assert not mask[values < 0.01].any()


@pytest.mark.parametrize("name", SPACIOUS)
def test_values_that_are_no_numbers_are_dark(name):
    values, pixels, truth = scene((10, 12, 12), 1)
    volume = pixels.astype(np.float32)
    volume[0, :2, :2], volume[9] = np.nan, np.inf
    mask = by(name).run(values, 0.3, whole(values), volume)
    assert overlap(mask, truth) > 0.5


@pytest.mark.parametrize("name", REFINERS)
def test_of_a_large_photo_within_bounds(name, monkeypatch):
    """What is slow sees at most its grid: 40 times as many pixels as here, and it would be no slower."""
    sizes = []
    of = SmallImage.of.__func__

    def noted(cls, values, pixels, most):
        small = of(cls, values, pixels, most)
        sizes.append(small.values.size)
        return small

    monkeypatch.setattr(SmallImage, "of", classmethod(noted))
    values, pixels, truth = scene((600, 800))
    mask = by(name).run(values, 0.3, whole(values), pixels)
    assert 2000 < sizes[0] <= 2**16
    assert overlap(mask, truth) > overlap(values > 0.3, truth) + 0.1


def test_boxes_are_of_the_refined_mask():
    values, pixels, _ = scene()
    raw, found = find(values, threshold=0.3), find(values, threshold=0.3, refine=True, pixels=pixels)
    assert found[0].spans == ((10, 27), (12, 32))
    assert raw[0].spans != found[0].spans
    assert found.how == "above 30 % of the maximum, the largest region, refined by guided (radius 0.2, eps 0.0001)"
    assert find(values, refine=("guided", {"radius": 0.1}), pixels=pixels).how.endswith("guided (radius 0.1, eps 0.0001)")
    assert find(values, threshold=0.3, refine=False).how == raw.how


def test_a_flat_map_has_no_mask_to_refine_but_a_wrong_name_is_said():
    flat = np.zeros((6, 6), np.float32)
    assert find(flat, refine="guided", pixels=np.zeros((6, 6, 3), np.uint8)).why == find(flat).why
    with pytest.raises(NoSuchName, match="No refinement"):
        find(flat, refine="guidedd", pixels=np.zeros((6, 6, 3), np.uint8))


def test_how_it_is_asked_for():
    assert refinement(True) == refinement("guided") == refinement(("guided", {})) == refinement(("guided", {"radius": 0.2}))
    assert refinement("random_walker") == refinement("random-walker")
    assert refinement(["crf", {"iterations": 3}]).settings["iterations"] == 3
    assert refinement(("superpixels", {"segments": 40.0})).settings == {"segments": 40, "compactness": 10.0}


@pytest.mark.parametrize("refine", ["gided", 3, ("crf",), ("gided", {}), None, ["crf", {}, 1]])
def test_a_refinement_that_there_is_not(refine):
    with pytest.raises(NoSuchName, match="There are: guided, crf, superpixels, random-walker, grabcut, each also as"):
        refinement(refine)


@pytest.mark.parametrize("settings", [{"radiu": 0.1}, 0.1, {3: 4}, None, [("radius", 1)]])
def test_settings_that_it_does_not_take(settings):
    with pytest.raises(BadParameter, match="guided takes the settings radius, eps, as in refine="):
        refinement(("guided", settings))


@pytest.mark.parametrize(("refine", "words"), [
    (("guided", {"radius": 1.5}), "radius of guided is a share above 0, at most 1, not 1.5"),
    (("guided", {"eps": 0}), "eps of guided is a number above 0, not 0"),
    (("guided", {"eps": "small"}), "eps of guided is a number above 0, not 'small'"),
    (("crf", {"weight": -1}), "weight of crf is a number from 0 on, not -1"),
    (("crf", {"rgb": float("nan")}), "rgb of crf is a number above 0, not nan"),
    (("crf", {"iterations": 2.5}), "iterations of crf is a whole number from 1 to 100, not 2.5"),
    (("random-walker", {"sure": True}), "sure of random-walker is a share above 0, at most 1, not True"),
])  # fmt: skip
def test_settings_out_of_range(refine, words):
    with pytest.raises(BadParameter, match=words):
        refinement(refine)


def test_without_an_image_it_says_so():
    values, pixels, _ = scene()
    with pytest.raises(BadParameter, match=r"here is none: the network was given an array\. Give the photo itself"):
        refinement("crf").run(values, 0.3, whole(values), None)
    with pytest.raises(BadParameter, match=r"The image is \(40, 47\), the map \(40, 48\)"):
        refinement("crf").run(values, 0.3, whole(values), pixels[:, 1:])


def test_grabcut_takes_photos_alone():
    values, pixels, _ = scene((6, 6, 6), 1)
    with pytest.raises(NotApplicable, match="On volumes and clips these do: guided, crf, superpixels, random-walker"):
        refinement("grabcut").run(values, 0.3, whole(values), pixels)
