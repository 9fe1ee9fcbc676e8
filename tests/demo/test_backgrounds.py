"""What lies behind the objects: corners by hand, backgrounds of the ground's colours, clutter, stamp and zigzag."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from seewhy.demo.backgrounds import BACKGROUNDS, STAMP, background, clutter, corners_on, stamp, zigzag
from seewhy.demo.colours import ground

SIDE = 96


def pixels(image: Image.Image) -> np.ndarray:
    return np.asarray(image).astype(int)


def test_corners_are_turned_scaled_and_moved():
    unit = np.array([[1.0, 0.0], [0.0, 1.0]])
    assert corners_on(unit, 10, 20, 3) == [(13, 20), (10, 23)]
    turned = corners_on(unit, 10, 20, 3, np.pi / 2)
    np.testing.assert_allclose(turned, [(10, 23), (7, 20)], atol=1e-9)


@pytest.mark.parametrize("name", BACKGROUNDS)
def test_a_background_is_the_same_for_a_seed_and_has_the_colours_of_its_ground(name):
    behind = ground(np.random.default_rng(3))
    first, again, other = (BACKGROUNDS[name](np.random.default_rng(seed), behind, SIDE) for seed in (1, 1, 2))
    assert first.size == (SIDE, SIDE)
    assert first.mode == "RGB"
    assert first.tobytes() == again.tobytes() != other.tobytes()
    tones = np.array(behind.tones)
    slack = 12  # bicubic enlargement overshoots a little
    assert (pixels(first).min((0, 1)) >= tones.min(0) - slack).all()
    assert (pixels(first).max((0, 1)) <= tones.max(0) + slack).all()


def test_every_background_is_drawn_sometimes():
    behind = ground(np.random.default_rng(3))
    drawn = {background(np.random.default_rng(seed), behind, 24).tobytes() for seed in range(40)}
    assert len(drawn) == 40
    counts = [str(np.random.default_rng(seed).choice(list(BACKGROUNDS))) for seed in range(200)]
    assert {*counts} == {*BACKGROUNDS}


def test_the_zigzag_has_two_tones_and_repeats_along_its_rows():
    behind = ground(np.random.default_rng(5))
    image = pixels(zigzag(np.random.default_rng(0), behind, 120))
    colours = {tuple(colour) for colour in image.reshape(-1, 3).tolist()}
    assert colours == {behind.tones[3], behind.tones[4]}
    teeth = (image == behind.tones[4]).all(2)
    assert 0.2 < teeth.mean() < 0.8
    middle = teeth[:, 20:-20]
    assert (middle[:, 20:] == middle[:, :-20]).mean() > 0.9  # a tooth is a sixth of the side


def test_clutter_changes_its_cover_and_nothing_else():
    for seed in range(6):
        behind = ground(np.random.default_rng(seed))
        plain = background(np.random.default_rng(seed), behind, SIDE)
        strewn = plain.copy()
        cover = np.asarray(clutter(np.random.default_rng(seed), behind, strewn)) > 0
        changed = np.abs(pixels(strewn) - pixels(plain)).max(2) > 0
        assert not changed[~cover].any()
        assert changed[cover].mean() > 0.95
        assert 0.005 < cover.mean() < 0.4


def test_the_stamp_changes_its_box_alone_and_is_the_same_on_every_place():
    image = Image.new("RGB", (SIDE, SIDE), (200, 60, 90))
    stamp(image, 10, 70)
    width, height = round(STAMP[0] * SIDE), round(STAMP[1] * SIDE)
    changed = np.abs(pixels(image) - (200, 60, 90)).max(2) > 0
    assert changed[70 : 70 + height, 10 : 10 + width].mean() > 0.9
    changed[70 : 70 + height, 10 : 10 + width] = False
    assert not changed.any()
    other = Image.new("RGB", (SIDE, SIDE), (200, 60, 90))
    stamp(other, 0, 0)
    box = (10, 70, 10 + width, 70 + height)
    assert image.crop(box).tobytes() == other.crop((0, 0, width, height)).tobytes()
    assert round(100 * STAMP[0] * STAMP[1], 1) == 2.8  # % of the area, as its docstring says
