"""Regions where evidence piles up, found without being told where."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from seewhy.metrics.regional.frames import GRID
from seewhy.metrics.regional.photos import PhotoEvidence
from seewhy.metrics.regional.search import LEAST, TIMES, RegionSums, candidates, chance, piles, searchable, standing

CORNERS = [(slice(0, 2), slice(0, 2)), (slice(0, 2), slice(6, 8)), (slice(6, 8), slice(0, 2)), (slice(6, 8), slice(6, 8))]


def smooth_map(rng):
    """A smooth map around a place near the middle, as maps of objects are."""
    field = np.zeros((GRID, GRID))
    y, x = np.clip(rng.normal(3.5, 1.2, 2).round(), 0, GRID - 1).astype(int)
    field[y, x] = 1
    cells = ndimage.gaussian_filter(field + 0.02 * rng.random((GRID, GRID)), 1.0)
    return cells / cells.sum()


def photos_of(seed, classes=4, each=10, planted=None):
    """Photos of classes whose maps are drawn alike; planted: (cells, rng) changes those of class 0."""
    rng = np.random.default_rng(seed)
    found = []
    for place in range(classes * each):
        cells = smooth_map(rng)
        if planted and place % classes == 0:
            cells = planted(cells, rng)
            cells = cells / cells.sum()
        found.append(PhotoEvidence(str(place), place, f"class {place % classes}", place % classes, (), {}, cells))
    return found


def stamped(cells, rng):
    """Half of the evidence in a corner, another one on each photo."""
    cells = cells.copy()
    cells[CORNERS[rng.integers(4)]] += 0.25
    return cells


def test_every_candidate_is_a_box_with_its_mirror_images_and_none_comes_twice():
    every = candidates()
    masks = [one.mask for one in every]
    assert len({mask.tobytes() for mask in masks}) == len(every)
    assert Counter(len(one.boxes) for one in every).keys() == {1, 2, 4}
    for one, mask in zip(every, masks, strict=True):
        assert mask.sum() == sum((x1 - x0) * (y1 - y0) for x0, y0, x1, y1 in one.boxes)  # they do not overlap
        if len(one.boxes) == 4:
            assert (mask == mask[::-1]).all()
            assert (mask == mask[:, ::-1]).all()
    box = np.zeros((GRID, GRID), bool)
    box[5:8, 0:2] = True
    assert any((mask == box).all() for mask in masks)
    assert any((mask == (box | box[:, ::-1])).all() for mask in masks)


def test_the_statistic_is_that_of_welch_by_hand():
    rng = np.random.default_rng(0)
    shares, own = rng.random((9, 3)), np.arange(9) < 4
    for region, found in enumerate(standing(RegionSums.of(shares), own.nonzero()[0], np.array([0.1, 0.2, 0.3]))):
        a, b = shares[own, region], shares[~own, region]
        others = (a.mean() - TIMES * b.mean()) / np.sqrt(a.var(ddof=1) / 4 + TIMES**2 * b.var(ddof=1) / 5 + LEAST)
        area = (a.mean() - (0.1, 0.2, 0.3)[region]) / np.sqrt(a.var(ddof=1) / 4 + LEAST)
        assert found == pytest.approx(min(others, area))


def test_chance_is_the_greatest_statistic_of_photos_whose_classes_were_exchanged():
    """Of 6 photos 2 are drawn: 15 ways, each by hand; the draws give them alike often."""
    from itertools import combinations

    shares = np.random.default_rng(1).random((6, 4))
    expected = []
    for pair in combinations(range(6), 2):
        own = np.isin(np.arange(6), pair)
        a, b = shares[own], shares[~own]
        error = np.sqrt(a.var(0, ddof=1) / 2 + b.var(0, ddof=1) / 4 + LEAST)
        expected.append(((a.mean(0) - b.mean(0)) / error).max())
    found = chance(RegionSums.of(shares), 2, 3000)
    counts = Counter(np.round(found, 6).tolist())
    assert {*counts} == {*np.round(expected, 6).tolist()}
    assert max(counts.values()) < 1.35 * 3000 / 15
    assert (np.diff(found) >= 0).all()


@pytest.mark.parametrize("seed", [0, 1])
def test_a_mark_in_any_corner_is_found(seed):
    (found,) = piles(photos_of(seed, planted=stamped), draws=799)
    assert found.explained == "class 0"
    assert len(found.boxes) == 4
    corner = np.zeros((GRID, GRID), bool)
    for part in CORNERS:
        corner[part] = True
    inside = np.zeros((GRID, GRID), bool)
    for left, top, right, bottom in np.multiply(found.boxes, GRID).astype(int):
        inside[top:bottom, left:right] = True
    assert (inside & corner).sum() / (inside | corner).sum() >= 0.5
    own = [photo for photo in photos_of(seed, planted=stamped) if photo.explained == "class 0"]
    assert found.share == pytest.approx(np.mean([photo.cells[inside].sum() for photo in own]))
    assert found.share == pytest.approx(np.mean([found.share_of(photo.cells) for photo in own]))
    assert found.area == pytest.approx(inside.mean())
    assert found.low < found.share < found.high
    assert found.adjusted == pytest.approx(4 * found.p)
    assert found.adjusted <= 0.05


def test_a_mark_at_one_place_is_found_there():
    def planted(cells, _rng):
        cells = cells.copy()
        cells[7, 2:4] += 0.3
        return cells

    (found, *_) = piles(photos_of(3, planted=planted), draws=799)
    assert found.explained == "class 0"
    left, _, right, bottom = np.multiply(found.boxes[0], GRID)
    assert left <= 2
    assert right >= 4
    assert bottom == GRID
    assert "down" in found.place


def test_where_all_classes_are_alike_nothing_is_found():
    """In none of 12 sets of photos; docs/evidence.md has how often it was in many more."""
    assert [piles(photos_of(100 + seed, 3, 8), draws=199) for seed in range(12)] == [()] * 12


def test_a_mark_that_all_classes_share_is_no_matter_of_one_class():
    rng, photos = np.random.default_rng(0), []
    for photo in photos_of(0):
        marked = stamped(photo.cells, rng)
        photos.append(replace(photo, cells=marked / marked.sum()))
    assert piles(photos, draws=199) == ()


def test_few_photos_or_one_class_alone_are_not_searched():
    assert piles(photos_of(0, classes=1, planted=stamped)) == ()
    assert piles(photos_of(0, classes=3, each=4, planted=stamped)) == ()
    assert piles([]) == ()
    assert searchable(photos_of(0, classes=3, each=5)) == {"class 0": 5, "class 1": 5, "class 2": 5}
    blank = PhotoEvidence("blank", 99, "class 0", 0, (), {}, None)
    with_blank, without = (piles([*photos_of(0, planted=stamped), *more], draws=199) for more in ([blank], []))
    assert [str(pile) for pile in with_blank] == [str(pile) for pile in without]
