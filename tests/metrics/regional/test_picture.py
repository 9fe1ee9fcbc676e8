"""The picture of a class's mean map."""

import numpy as np
import pytest

from seewhy.metrics.regional.picture import WIDE, evidence_picture
from seewhy.metrics.regional.search import EvidencePile, PileExample
from seewhy.metrics.regional.shares import RegionShare
from seewhy.pictures.outlines import COLOURS
from seewhy.pictures.side_by_side import GAP, LETTERS

ABOVE = round(LETTERS * 1.8)


def pile_at(box, examples=()):
    return EvidencePile("cat", (box,), 8, 0.5, 0.4, 0.6, 0.0625, 0.01, 0.001, 0.002, examples)


@pytest.fixture
def means():
    own = np.zeros((8, 8))
    own[0, 7] = 1
    return {"cat": own, "dog": np.full((8, 8), 1 / 64), "fox": np.full((8, 8), 1 / 64)}


def panel(picture, number):
    left = GAP + number * (WIDE + GAP)
    return np.asarray(picture)[ABOVE : ABOVE + WIDE, left : left + WIDE].astype(int)


def test_both_means_are_on_one_scale_and_the_region_is_outlined_on_each(means, written):
    picture = evidence_picture("cat", means, {"cat": 8, "dog": 3, "fox": 1}, [pile_at((0.75, 0.0, 1.0, 0.25))], [])
    own, others = panel(picture, 0), panel(picture, 1)
    assert own[5:15, WIDE - 15 : WIDE - 6].mean() > 150  # the brightest end of the colours
    assert own[WIDE // 2, WIDE // 4].max() < 10
    assert others[WIDE // 2, WIDE // 4].max() < 40  # 1/64 of the most
    for each in (own, others):
        assert (each[10:60, round(0.75 * WIDE) - 4 : round(0.75 * WIDE) + 5] == COLOURS[0]).all(2).any()
    assert {"cat: mean of 8 maps", "all other classes: 4 maps"} <= {text for text, *_ in written}


def test_examples_show_the_region_on_their_photos(means, made_heatmap):
    heatmap = made_heatmap([[0.0, 1.0]], (60, 60))
    found = pile_at((0.5, 0.0, 1.0, 0.5), (PileExample("a.png", 0.8, heatmap),))
    picture = evidence_picture("cat", means, {"cat": 8, "dog": 3, "fox": 1}, [found], [])
    example = panel(picture, 2)
    assert (example[20:130, WIDE // 2 - 4 : WIDE // 2 + 5] == COLOURS[0]).all(2).any()
    assert picture.width == 4 * GAP + 3 * WIDE


def test_named_regions_have_a_colour_of_their_own_and_one_class_has_no_others(written):
    row = RegionShare("border:0.25", "cat", "", "", 8, 0.9, 0.8, 0.95, 0.75, None, 0.01, 0.02)
    picture = evidence_picture("cat", {"cat": np.full((8, 8), 1 / 64)}, {"cat": 8}, [pile_at((0.4, 0.4, 0.6, 0.6))], [row])
    own = panel(picture, 0)
    for colour in COLOURS[:2]:
        assert (own == colour).all(2).any()
    assert picture.width == 2 * GAP + WIDE
    assert any(text.startswith("cat: 90.0 %") or "border:0.25" in text for text, *_ in written)
