"""What changed of one photo, by maps made by hand."""

import numpy as np
import pytest

from seewhy.dataset.comparing.photo_difference import photo_difference
from seewhy.images.places import Extent, Turned


def same(index):
    return index


def at(row, column, size=4):
    values = np.zeros((size, size))
    values[row, column] = 1
    return values


def test_a_map_that_moved_is_told_by_how_much(kept_photo, map_row):
    left, right = np.zeros((4, 4)), np.zeros((4, 4))
    left[:, 0], right[:, 3] = 1, 1
    a, b = kept_photo(3, maps=[map_row(left, border=0.25)]), kept_photo(5, maps=[map_row(right, border=0.75)])
    found = photo_difference(a, b, same, "grad-cam")
    assert (found.item_a, found.item_b, found.change, found.looks.target) == (3, 5, "same", "true")
    assert found.looks.energy_shift == pytest.approx(1)
    # drawn linearly, the map of the first column stays level up to 1/8 and falls to zero at 3/8: its centre lies at 13/96
    assert found.looks.centre_shift == pytest.approx(1 - 2 * 13 / 96, abs=0.002)
    assert found.looks.spearman < 0
    assert found.shares == {"border": (0.25, 0.75)}
    unmoved = photo_difference(a, kept_photo(5, maps=[map_row(3 * left)]), same, "grad-cam")
    assert unmoved.looks.energy_shift == pytest.approx(0, abs=1e-6)
    assert unmoved.looks.spearman == pytest.approx(1)
    assert unmoved.looks.centre_shift == pytest.approx(0, abs=1e-6)


def test_grids_of_other_sizes_are_compared_where_they_lie(kept_photo, map_row):
    coarse, fine = np.zeros((4, 4)), np.zeros((8, 8))
    coarse[:, 1], fine[:, 2:4] = 1, 1
    a, b = kept_photo(0, maps=[map_row(coarse)]), kept_photo(0, maps=[map_row(fine)])
    assert photo_difference(a, b, same, "grad-cam").looks.energy_shift < 0.25
    fine = np.roll(fine, 3, 1)
    b = kept_photo(0, maps=[map_row(fine)])
    assert photo_difference(a, b, same, "grad-cam").looks.energy_shift > 0.7


def test_only_what_both_saw_counts(kept_photo, map_row):
    ones = np.ones((4, 4))
    a = kept_photo(0, maps=[map_row(ones, box=Extent(0, 0, 40, 80))])
    b = kept_photo(0, maps=[map_row(np.hstack([ones, 9 * ones]))])
    found = photo_difference(a, b, same, "grad-cam")
    assert found.looks.energy_shift < 0.2  # the right half, with nine times as much, is not seen by A
    apart = photo_difference(a, kept_photo(0, maps=[map_row(ones, box=Extent(40, 0, 80, 80))]), same, "grad-cam")
    assert apart.looks is None
    assert "no common" in apart.apart
    turned = photo_difference(a, kept_photo(0, maps=[map_row(ones, box=Turned(Extent(0, 0, 80, 80)))]), same, "grad-cam")
    assert "no common upright part" in turned.apart


@pytest.mark.parametrize(
    ("truth", "before", "after", "change"),
    [
        (0, 0, 0, "same"),
        (0, 1, 0, "fixed"),
        (0, 0, 1, "broken"),
        (0, 1, 2, "other"),
        (None, 0, 1, "other"),
        (None, 1, 1, "same"),
    ],
)
def test_the_change_of_the_answer(kept_photo, truth, before, after, change):
    a, b = kept_photo(0, truth=truth, predicted=before), kept_photo(0, truth=truth, predicted=after)
    assert photo_difference(a, b, same, "grad-cam").change == change


def test_the_map_of_the_true_class_is_compared_where_answers_differ(kept_photo, map_row):
    a = kept_photo(0, truth=0, predicted=1, maps=[map_row(at(0, 0), 1), map_row(at(3, 3), 0, "true")])
    b = kept_photo(0, truth=0, predicted=0, maps=[map_row(at(3, 3), 0)])
    found = photo_difference(a, b, same, "grad-cam")
    assert (found.looks.target, found.looks.label) == ("true", "class 0")
    assert found.looks.energy_shift == pytest.approx(0, abs=1e-6)
    bare = kept_photo(0, truth=None, predicted=1, maps=[map_row(at(0, 0), 1)])
    other = photo_difference(bare, kept_photo(0, truth=None, predicted=0, maps=[map_row(at(0, 0), 0)]), same, "grad-cam")
    assert other.looks is None
    assert "no maps of one class" in other.apart


def test_classes_are_those_of_the_other_run_and_failures_are_told(kept_photo, map_row):
    a = kept_photo(0, truth=None, predicted=1, maps=[map_row(at(0, 0), 1)])
    b = kept_photo(0, truth=None, predicted=0, maps=[map_row(at(0, 0), 0)])
    found = photo_difference(a, b, lambda index: 1 - index, "grad-cam")
    assert (found.change, found.looks.energy_shift) == ("same", pytest.approx(0, abs=1e-6))
    failed = photo_difference(a, kept_photo(0, error="BadImage"), same, "grad-cam")
    assert failed.apart == "it failed in one of the runs"
    assert photo_difference(a, b, same, None).apart == "the runs have no method in common"


def test_where_the_truth_differs_right_and_wrong_are_not_told(kept_photo):
    found = photo_difference(kept_photo(0, truth=0), kept_photo(0, truth=1), same, "grad-cam")
    assert (found.right_before, found.right_after, found.change) == (None, None, "same")
