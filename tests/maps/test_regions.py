"""Masks and pictures of regions: as lime's, aligned with the pixels, and visible."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from seewhy.errors import BadParameter, NotApplicable
from seewhy.maps.regions import Regions

GRID = np.arange(12).reshape(3, 4).repeat(5, 0).repeat(5, 1)  # 12 segments of 5 x 5 pixels
WEIGHTS = np.array([0.5, -2.0, 0.1, 0.0, 3.0, -0.2, 1.0, -1.0, 0.3, 0.0, 0.2, -0.4])
YELLOW = (255, 255, 0)


def regions(segments=GRID, weights=WEIGHTS) -> Regions:
    weights = np.asarray(weights, float)
    return Regions(np.asarray(segments), weights, np.full(len(weights), 0.1), 0.0, 1.0, 0.9, 1000)


def photo(size=(20, 15), seed=0) -> Image.Image:
    w, h = size
    pixels = np.random.default_rng(seed).integers(0, 200, (h, w, 3), dtype=np.uint8)
    pixels[0, 0] = 255  # lime's full channel is the largest number of the picture
    return Image.fromarray(pixels)


def yellow(picture: Image.Image) -> np.ndarray:
    return (np.asarray(picture) == YELLOW).all(-1)


def limes(made: Regions, picture: Image.Image):
    """lime's own explanation with the same weights; those that are 0 were not chosen."""
    lime_image = pytest.importorskip("lime.lime_image")
    explanation = lime_image.ImageExplanation(np.asarray(picture), made.segments)
    pairs = [(i, w) for i, w in enumerate(made.weights) if w != 0]
    explanation.local_exp[7] = sorted(pairs, key=lambda pair: abs(pair[1]), reverse=True)
    return explanation


@settings(max_examples=40, deadline=None)
@given(
    weights=st.lists(st.integers(-4, 4), min_size=12, max_size=12),
    n=st.integers(1, 14),
    least=st.sampled_from([0.0, 0.5, 1.0, 3.0]),
    side=st.sampled_from([True, False, None]),
)
@example([1, 3, 2, 0, -3, -1, 4, 0, 0, 1, 2, -2], 12, 1.0, None)
@example([1, 3, 2, 0, -3, -1, 4, 0, 0, 1, 2, -2], 12, 1.0, True)
@example([1, 3, 2, 0, -3, -1, 4, 0, 0, 1, 2, -2], 12, 1.0, False)
@example([1, 3, 2, 0, -3, -1, 4, 0, 0, 1, 2, -2], 2, 0.0, None)
def test_masks_are_limes(weights, n, least, side):
    """Ties and weights equal to the least among them."""
    made = regions(weights=weights)
    _, mask = limes(made, photo()).get_image_and_mask(
        7, positive_only=side is True, negative_only=side is False, num_features=n, min_weight=least
    )
    assert np.array_equal(made.top(n, side, least), mask != 0)


def test_top_is_a_mask_of_any_space():
    volume = np.array([[[0, 1], [2, 2]], [[0, 1], [1, 0]]])
    assert np.array_equal(regions(volume, [1, -3, 2]).top(1), volume == 2)
    assert np.array_equal(regions(volume, [1, -3, 2]).top(2, None), volume > 0)
    assert not regions(volume, [-1, -3, -2]).top(2).any()


@pytest.mark.parametrize("side", [True, False, None])
@pytest.mark.parametrize("hide_rest", [True, False])
def test_pictures_are_limes_away_from_the_lines(side, hide_rest):
    """Ours hides in grey where lime hides in black, and dims the other channels under a tint."""
    made, picture = regions(), photo()
    theirs, _ = limes(made, picture).get_image_and_mask(7, side is True, side is False, hide_rest, num_features=4)
    ours = np.asarray(made.draw(picture, 4, side, hide_rest)).astype(int)
    mask, flat = made.top(4, side), np.zeros((15, 20), bool)
    flat[2::5, 2::5] = True  # the middle of each segment
    expected = theirs.astype(float)
    if side is None:
        for sign, channel in ((1, 1), (-1, 0)):
            lit = mask & (np.sign(made.weights)[GRID] == sign)
            expected[lit] *= np.where(np.arange(3) == channel, 1, 0.6)
    if hide_rest:
        expected[~mask] = 128
    assert abs(ours - expected)[flat].max() <= 0.5


def test_lines_are_those_of_scikit_image():
    """Around regions that do not touch: the pixels inside, those of skimage's mode `inner`."""
    segmentation = pytest.importorskip("skimage.segmentation")
    made = regions(weights=np.where(np.isin(np.arange(12), [0, 2, 5, 11]), 1.0, 0.0))
    found = yellow(made.draw(photo(), 12))
    assert np.array_equal(found, segmentation.find_boundaries(made.top(12), connectivity=1, mode="inner"))


def test_touching_regions_have_a_line_between_them():
    made = regions(weights=np.eye(12)[5] + np.eye(12)[6])
    found = yellow(made.draw(photo(), 2))
    assert found[5:10, 9:11].any(1).all()
    assert not found[6:9, 6:9].any()
    assert not found[:5].any()
    assert not found[10:].any()


def test_all_lines_lie_between_all_segments_and_are_one_pixel_wide():
    found = yellow(regions().boundaries(photo()))
    rows, columns = np.isin(np.arange(15), [5, 10]), np.isin(np.arange(20), [5, 10, 15])
    assert np.array_equal(found, rows[:, None] | columns)
    assert (np.asarray(regions().boundaries(photo(), "#0000ff"))[5, 5] == (0, 0, 255)).all()


@pytest.mark.parametrize("size", [(20, 15), (200, 150), (61, 47), (1600, 1200), (10, 9)])
def test_regions_lie_where_they_are_at_any_size_of_the_picture(size):
    """Pixel centres decide which segment a pixel is of; lines grow with the picture and stay inside."""
    w, h = size
    made, picture = regions(), photo(size)
    ours = np.asarray(made.draw(picture, 3, hide_rest=True, hide="#0000ff"))
    mask = made.top(3)
    for y in range(0, h, max(1, h // 40)):
        for x in range(0, w, max(1, w // 40)):
            inside = mask[int((y + 0.5) * 15 / h), int((x + 0.5) * 20 / w)]
            assert inside == (tuple(ours[y, x]) != (0, 0, 255))
    assert ours.shape == (h, w, 3)
    left = yellow(Image.fromarray(ours))[:, 0] & (np.arange(h) < 0.55 * h)  # the line between segments 0 and 4
    assert left.sum() == max(1, round(min(size) / 300))


@pytest.mark.parametrize("ground", [0, 128, 255])
def test_for_and_against_show_on_any_ground(ground):
    made = regions(weights=np.eye(12)[0] - np.eye(12)[10])
    ours = np.asarray(made.draw(Image.new("RGB", (20, 15), (ground,) * 3), 2, None)).astype(int)
    green, red, rest = ours[2, 2], ours[12, 12], ours[7, 7]
    assert (rest == ground).all()
    assert green[1] - green[0] >= 100
    assert green[0] == green[2]
    assert red[0] - red[1] >= 100
    assert red[1] == red[2]


def test_a_picture_is_not_written_into_and_may_be_grey_or_missing():
    picture = photo()
    before = picture.tobytes()
    regions().draw(picture, 3, None, True)
    assert picture.tobytes() == before
    assert np.array_equal(regions().draw(picture.convert("L"), 3), regions().draw(picture.convert("L").convert("RGB"), 3))
    bare = np.asarray(regions().draw(None, 1, None))
    assert bare.shape == (15, 20, 3)
    assert (bare[12, 12] == 255).all()
    assert tuple(bare[7, 2]) == (153, 255, 153)


def test_nothing_to_show_is_the_bare_picture():
    assert regions(weights=-np.ones(12)).draw(photo(), 3).tobytes() == photo().tobytes()


@pytest.mark.parametrize(
    ("n", "least"), [(0, 0.0), (-1, 0.0), (2.5, 0.0), (True, 0.0), ("3", 0.0), (3, -1), (3, np.nan), (3, "1")]
)
def test_a_count_or_least_weight_that_is_none_is_refused(n, least):
    with pytest.raises(BadParameter, match=r"n=.*whole number|least=.*from 0 on"):
        regions().top(n, least=least)


@pytest.mark.parametrize("colour", ["greyish", (1, 2), (1, 2, 300), (1, 2, "x"), None, 7])
def test_a_colour_that_is_none_is_refused(colour):
    with pytest.raises(BadParameter, match="no colour"):
        regions().boundaries(photo(), colour)


def test_a_volume_cannot_be_drawn():
    with pytest.raises(NotApplicable, match=r"3 dimensions.*top"):
        regions(np.arange(8).reshape(2, 2, 2), np.ones(8)).draw(photo())
