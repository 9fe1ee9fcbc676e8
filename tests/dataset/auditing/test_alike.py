"""Places with the same pixels, held against correlations that are counted pair by pair."""

from itertools import combinations

import numpy as np
import pytest

from seewhy.dataset.auditing.alike import CELL, alike_places, best_match
from seewhy.dataset.auditing.alike import _pairwise as pairwise
from seewhy.dataset.auditing.alike import _standardised as standardised
from seewhy.dataset.auditing.alike import _together as together
from seewhy.dataset.auditing.facts import VIEW, luma_of
from seewhy.metrics.regional.frames import GRID

GROUPS = [name for name in "abc" for _ in range(8)]


def noise(count, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, VIEW, VIEW, 3)).astype(np.uint8)


@pytest.fixture(scope="module")
def watermarked():
    """Noise, and on the photos of class a the same pixels, half transparent, in the lower right."""
    views = noise(24)
    mark = np.random.default_rng(9).integers(0, 256, (2 * CELL, 3 * CELL, 3))
    views[:8, -2 * CELL :, -3 * CELL :] = (views[:8, -2 * CELL :, -3 * CELL :] / 2 + mark / 2).astype(np.uint8)
    return views


def test_the_mean_over_pairs_is_that_counted_pair_by_pair():
    views = noise(4)
    views[0, :CELL, :CELL] = 7  # flat: it correlates with nothing
    found = pairwise(standardised(views))
    luma = [luma_of(view) for view in views]
    for row, column in ((0, 0), (3, 5)):
        parts = [each[row * CELL : (row + 1) * CELL, column * CELL : (column + 1) * CELL].ravel() for each in luma]
        by_hand = [0.0 if min(a.std(), b.std()) < 1e-9 else np.corrcoef(a, b)[0, 1] for a, b in combinations(parts, 2)]
        assert found[row, column] == pytest.approx(np.mean(by_hand), abs=1e-6)


def test_a_watermark_is_found_where_it_is_and_nowhere_else(watermarked):
    (found,) = alike_places(watermarked, GROUPS, draws=199)
    assert (found.explained, found.photos) == ("a", 8)
    assert found.box == (5 / 8, 6 / 8, 1, 1)
    assert found.cells.sum() == 6
    assert found.alike == pytest.approx(0.5, abs=0.1)  # mark and noise have the same variance
    assert abs(found.others) < 0.05
    assert found.p == pytest.approx(3 / 200)  # the least of 199 draws, of three classes
    assert found.place == "62-100 % across, 75-100 % down"
    assert found.share_of(np.full((GRID, GRID), 1 / 64)) == pytest.approx(6 / 64)


def test_what_all_classes_share_and_noise_are_no_place(watermarked):
    assert alike_places(noise(24), GROUPS, draws=99) == []
    views = noise(24)
    views[:, :CELL, :CELL] = noise(1, 5)[0, :CELL, :CELL]
    assert alike_places(views, GROUPS, draws=99) == []
    assert alike_places(watermarked[:8], GROUPS[:8], draws=99) == []  # nothing to hold it against


def test_the_best_match_is_that_of_trying_every_place():
    luma = luma_of(noise(1)[0])
    template = luma[10:16, 20:28]
    assert best_match(template, luma, [(0, 0, 1, 1)]) == pytest.approx(1)
    other = luma_of(noise(1, 3)[0])
    top, left, bottom, right = 0, 0, VIEW // 4, VIEW // 4
    by_hand = max(
        np.corrcoef(template.ravel(), other[y : y + 6, x : x + 8].ravel())[0, 1]
        for y in range(top, bottom - 5)
        for x in range(left, right - 7)
    )
    assert best_match(template, other, [(0, 0, 0.25, 0.25)]) == pytest.approx(by_hand)
    assert best_match(template, other, [(0, 0, 0.05, 0.05)]) == -1.0  # too small a box
    assert best_match(template, np.full((VIEW, VIEW), 0.5), [(0, 0, 1, 1)]) == 0


def test_cells_that_touch_are_one_place():
    cells = np.zeros((GRID, GRID), bool)
    cells[0, :3] = cells[1, 2] = cells[5:7, 5] = True
    first, second = together(cells)
    assert (first.sum(), second.sum()) == (4, 2)
    assert (first | second == cells).all()
