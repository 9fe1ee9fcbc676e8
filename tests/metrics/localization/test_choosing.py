"""On which photos a threshold is chosen."""

import numpy as np
import pytest

from seewhy.errors import BadParameter
from seewhy.metrics.localization.choosing import choosing, split

ROWS = {"maps": np.arange(10)[:, None], "centre": 10 + np.arange(10)[:, None]}


def test_a_share_of_the_photos_chooses_and_the_rest_is_scored():
    found = choosing(ROWS, 0.3, "boxes", seed=1)
    chosen = found.rows["maps"][:, 0]
    assert len(chosen) == 3
    assert sorted([*chosen, *found.scored]) == list(range(10))
    np.testing.assert_array_equal(found.rows["centre"][:, 0], chosen + 10)
    assert found.words == "the true boxes of 3 other photos"


def test_the_draw_is_that_of_the_seed():
    parts = [tuple(split(100, 0.5, seed)[0]) for seed in (0, 0, 1)]
    assert parts[0] == parts[1] != parts[2]


def test_other_photos_choose_and_all_are_scored():
    other = {"maps": np.zeros((1, 1))}
    found = choosing(ROWS, other, "masks")
    assert found.rows is other
    assert list(found.scored) == list(range(10))
    assert found.words == "the true masks of 1 other photo"


def test_the_best_for_the_scored_photos_themselves_is_called_so():
    found = choosing(ROWS, None, "boxes")
    assert found.rows is ROWS
    assert "of these very photos" in found.words


@pytest.mark.parametrize("share", [0, 1, 0.01, 0.99, 2, -1, float("nan")])
def test_a_split_that_leaves_nothing_is_refused(share):
    with pytest.raises(BadParameter, match="of 10 photos leaves none"):
        split(10, share)


def test_no_other_photos_are_none():
    with pytest.raises(BadParameter, match="no photos to choose the threshold on"):
        choosing(ROWS, {}, "boxes")
