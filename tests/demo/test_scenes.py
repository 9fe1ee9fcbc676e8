"""The scenes are what they say they are: the same by seed, balanced, and with true masks."""

from __future__ import annotations

import random
import subprocess
import sys
from collections import Counter

import numpy as np
import pytest
from PIL import Image, ImageFilter

from seewhy.demo import KINDS, Scene, scene, scenes
from seewhy.errors import BadParameter


def pixels(one: Scene) -> np.ndarray:
    return np.asarray(one.image).astype(int)


def grown(mask: np.ndarray, margin: int) -> np.ndarray:
    wider = Image.fromarray(mask).convert("L").filter(ImageFilter.MaxFilter(2 * margin + 1))
    return np.asarray(wider) > 0


def test_a_scene_does_not_depend_on_how_many_are_drawn():
    few, many = scenes(3, seed=5), scenes(12, seed=5)
    for a, b in zip(few, many, strict=False):
        assert a.image.tobytes() == b.image.tobytes()
        assert a.label == b.label
        assert np.array_equal(a.mask, b.mask)
    assert scene(11, 5).image.tobytes() == many[11].image.tobytes()


def test_drawing_neither_uses_nor_moves_the_global_generators():
    np.random.seed(0)
    random.seed(0)
    first = scene(0, 9).image.tobytes()
    drawn = np.random.random(), random.random()
    assert scene(0, 9).image.tobytes() == first
    np.random.seed(0)
    random.seed(0)
    assert drawn == (np.random.random(), random.random())


def test_other_seeds_give_other_scenes():
    assert scene(0, 1).image.tobytes() != scene(0, 2).image.tobytes()


def test_labels_are_balanced_in_every_run_of_ten():
    drawn = scenes(30, seed=3)
    for start in (0, 10, 20):
        assert sorted(s.label for s in drawn[start : start + 10]) == list(range(10))
    assert all(s.name == KINDS[s.label] for s in drawn)
    chosen = scenes(12, seed=3, kinds=("key", "cup", "fish"))
    assert Counter(s.name for s in chosen) == {"key": 4, "cup": 4, "fish": 4}


@pytest.mark.parametrize("pair", [False, True])
def test_the_object_is_where_the_mask_says(pair: bool):
    for i in range(20):
        full, bare = scene(i, 4, pair=pair), scene(i, 4, pair=pair, bare=True)
        assert np.array_equal(full.mask, bare.mask)
        changed = np.abs(pixels(full) - pixels(bare)).max(axis=2) > 4
        objects = full.mask | full.other_mask
        assert changed[objects].mean() > 0.9
        assert not changed[~grown(objects, 8)].any()


def test_masks_cover_a_plausible_share_and_every_part_of_the_frame():
    drawn = scenes(100, seed=6)
    shares = np.array([s.mask.mean() for s in drawn])
    assert shares.min() > 0.02
    assert shares.max() < 0.45
    assert shares.std() > 0.03
    density = np.mean([s.mask for s in drawn], axis=0)
    quarters = [density[y : y + 48, x : x + 48].mean() for y in (0, 48) for x in (0, 48)]
    assert min(quarters) > 0.6 * max(quarters)


def test_neither_colour_nor_brightness_tells_the_class():
    """Nearest mean colour of the object, leave one out, does little better than guessing one kind in ten."""
    drawn = scenes(200, seed=7)
    colours = np.array([pixels(s)[s.mask].mean(axis=0) for s in drawn])
    labels = np.array([s.label for s in drawn])
    distance = np.linalg.norm(colours[:, None] - colours[None], axis=2) + np.diag(np.full(len(drawn), np.inf))
    assert (labels[distance.argmin(axis=1)] == labels).mean() < 0.25


def test_the_stamp_goes_with_one_class_and_keeps_off_the_objects():
    for s in scenes(40, seed=8, shortcut="mark", cheat="fish"):
        assert s.mark.any() == (s.name == "fish")
    for s in scenes(40, seed=8, shortcut="mark", marked="all"):
        assert 0.02 < s.mark.mean() < 0.04
        assert not (s.mark & s.mask).any()
    for s in scenes(20, seed=8, shortcut="mark", marked="others", pair=True):
        assert s.mark.any() == (s.name != "bird")
        assert not (s.mark & (s.mask | s.other_mask)).any()
    assert not any(s.mark.any() for s in scenes(10, seed=8, shortcut="mark", marked="none"))


def test_the_stamp_is_all_that_it_changes():
    corners = set()
    for i in range(24):
        plain, stamped = scene(i, 8), scene(i, 8, shortcut="mark", marked="all")
        changed = np.abs(pixels(plain) - pixels(stamped)).max(axis=2) > 0
        assert changed[stamped.mark].mean() > 0.9
        assert not changed[~grown(stamped.mark, 1)].any()
        y, x = np.argwhere(stamped.mark).mean(axis=0)
        corners.add((y > 48, x > 48))
    assert len(corners) == 4


def test_the_texture_is_the_background_of_its_class_alone():
    for i in range(10):
        plain, spoiled = scene(i, 2), scene(i, 2, shortcut="texture")
        if plain.name != "bird":
            assert plain.image.tobytes() == spoiled.image.tobytes()
            assert not spoiled.mark.any()
            continue
        assert spoiled.mark.mean() > 0.4
        assert not (spoiled.mark & spoiled.mask).any()
        changed = np.abs(pixels(plain) - pixels(spoiled)).max(axis=2) > 3
        assert changed[spoiled.mark].mean() > 0.6
        inner = ~grown(~spoiled.mask, 1)
        assert not changed[inner].any()


def test_a_pair_shows_two_kinds_apart():
    for s in scenes(30, seed=10, pair=True):
        assert s.other not in (None, s.label)
        assert s.other_mask.mean() > 0.01
        assert not (s.mask & s.other_mask).any()
    assert all(s.other is None and not s.other_mask.any() for s in scenes(5, seed=10))


def test_a_larger_scene_is_the_same_picture():
    small, large = scene(3, 1), scene(3, 1, size=192)
    again = np.asarray(large.image.resize((96, 96), Image.Resampling.BOX)).astype(int)
    assert np.abs(again - pixels(small)).mean() < 8
    assert (large.mask[::2, ::2] == small.mask).mean() > 0.98


def test_wrong_requests_are_refused():
    with pytest.raises(BadParameter, match="dragon"):
        scenes(1, kinds=("dragon",))
    with pytest.raises(BadParameter, match="dragon"):
        scenes(1, shortcut="mark", cheat="dragon")
    with pytest.raises(BadParameter, match="two kinds"):
        scenes(1, kinds=("key",), pair=True)
    with pytest.raises(BadParameter, match="marked"):
        scenes(1, shortcut="mark", marked="some")  # pyright: ignore[reportArgumentType]


def test_the_scenes_need_no_torch():
    code = "import sys, seewhy.demo; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
