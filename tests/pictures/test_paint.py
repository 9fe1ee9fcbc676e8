"""Colours over pictures as opaque as the values speak, and pictures lettered, headed and put in rows."""

import numpy as np
import pytest
from PIL import Image

from seewhy.pictures.paint import headed, lettered, painted, tiled
from seewhy.pictures.render import Look, mask, shares


@pytest.mark.parametrize(
    ("look", "value", "opacity"),
    [
        (Look("inferno", 0, 1, 0.6), 0.25, 0.3), (Look("inferno", 0, 1, 0.6), 0.5, 0.6), (Look("inferno", 0, 1, 0.6), 1.0, 0.6),
        (Look("inferno", 0, 1, 0.6), -3.0, 0.0), (Look("blue-red", -2, 2, 1), -0.5, 0.5),
        (Look("blue-red", -2, 2, 1), 0.0, 0.0),
        (Look("inferno", 0.2, 0.6, 1), 0.2, 0.0), (Look("inferno", 0.2, 0.6, 1), 0.3, 0.5), (Look("grey", -4, 0, 1), -1, 0.5),
        (Look("inferno", 0, 0, 1), 0.0, 0.0), (Look("inferno", 0, 1, 0.6), 9.0, 0.6),
    ],
)  # fmt: skip
def test_colours_are_as_opaque_as_the_map_says_something(look, value, opacity):
    found = np.asarray(painted(np.full((3, 3), value), Image.new("RGB", (3, 3), (100, 100, 100)), look, (7, 5))).astype(float)
    expected = 100 * (1 - opacity) + opacity * look.paint(np.array([value]))[0]
    assert found.shape == (5, 7, 3)
    assert abs(found - expected).max() <= 1.5


@pytest.mark.parametrize(
    ("look", "expected"),
    [
        (Look("inferno", 0, 2, 1), [0, 0, 0.25, 1, 1]),
        (Look("blue-red", -2, 2, 1), [1, 0, 0.25, 1, 1]),
        (Look("inferno", 1, 3, 1), [0, 0, 0, 0.5, 1]),
        (Look("inferno", 0, 0, 1), [0, 0, 0, 0, 0]),
    ],
)
def test_shares_are_the_distance_from_zero_within_the_look(look, expected):
    assert shares([-3, 0, 0.5, 2, 4], look).tolist() == expected


def test_without_a_picture_colours_are_opaque():
    look = Look("inferno", 0, 1, 0.1)
    assert np.array_equal(painted(np.full((2, 2), 0.5), None, look, (4, 4)), look.paint(np.full((4, 4), 0.5)))


def test_a_mask_has_256_levels():
    assert np.asarray(mask(np.array([[0, 0.5, 1]]))).tolist() == [[0, 128, 255]]


RED = Image.new("RGB", (30, 20), "red")


def red(picture):
    """left, top, right, bottom of what is red."""
    y, x = np.nonzero((np.asarray(picture) == (255, 0, 0)).all(-1))
    return x.min(), y.min(), x.max() + 1, y.max() + 1


def test_a_picture_is_in_the_middle_of_its_field_between_its_letters(written):
    picture = lettered(RED, "RLAP", (130, 100), 1.0)
    assert picture.size == (130, 100)
    assert red(picture) == (50, 40, 80, 60)
    assert written == [("R", 30, 50), ("L", 100, 50), ("A", 65, 20), ("P", 65, 80)]


def test_a_cross_leaves_its_place_free():
    plain = Image.new("RGB", (100, 80), "black")
    green = (np.asarray(lettered(plain, "    ", (100, 80), 1.0, (60, 30))) == (90, 220, 120)).all(-1)
    assert np.flatnonzero(green[30]).tolist() == [*range(47), *range(74, 100)]
    assert np.flatnonzero(green[:, 60]).tolist() == [*range(17), *range(44, 80)]


@pytest.mark.parametrize(("scale", "said", "pixels"), [(1.0, "50 mm", 50), (4.0, "10 mm", 40), (0.37, "100 mm", 37)])
def test_a_ruler_is_as_long_as_it_says(written, scale, said, pixels):
    picture = np.asarray(lettered(Image.new("RGB", (300, 200), "black"), "    ", (300, 200), scale))
    assert written[-1][0] == said
    assert (picture[192] == (255, 232, 140)).all(-1).sum() == pixels + 1


def test_a_heading_stands_above_and_widens_a_picture_that_is_too_narrow(written):
    picture = headed(RED, "frame 3")
    left, top, right, bottom = red(picture)
    assert (right - left, bottom - top, bottom) == (30, 20, picture.height)
    assert picture.width > 30
    assert left == (picture.width - 30) // 2
    assert headed(Image.new("RGB", (400, 20)), "frame 3").width == 400
    assert [text for text, *_ in written] == ["frame 3"] * 2


def test_tiles_are_put_in_rows_with_gaps():
    picture = tiled([RED] * 5, 3, gap=4)
    assert picture.size == (3 * 34 + 4, 2 * 24 + 4)
    full = (np.asarray(picture) == (255, 0, 0)).all(-1)
    assert full.sum() == 5 * 600
    for place in range(5):
        left, top = 4 + place % 3 * 34, 4 + place // 3 * 24
        assert full[top : top + 20, left : left + 30].all()
