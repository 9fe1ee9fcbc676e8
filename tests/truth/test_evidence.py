"""The share of evidence on an object, against sums by hand in float64, and what must hold of every map."""

import numpy as np
import pytest

from seewhy.errors import BadParameter, NotApplicable
from seewhy.images.places import Extent, Grid
from seewhy.truth.evidence import EvidenceShare, MarkedObject, checked, coverage, evidence_share, object_in, seen


def share_of(values, where, inside, ignored=None):
    return evidence_share(values, where, MarkedObject(inside, ignored))


def by_hand(boxes, size, fine=20):
    """The covered part of each pixel, counted on a raster of 20 x 20 points in it: exact for edges at multiples of 0.05."""
    width, height = size
    x, y = ((np.arange(n * fine) + 0.5) / fine for n in size)
    inside = np.zeros((height * fine, width * fine), bool)
    for x0, y0, x1, y1 in boxes:
        inside |= ((y >= y0) & (y < y1))[:, None] & ((x >= x0) & (x < x1))
    return inside.reshape(height, fine, width, fine).mean((1, 3))


BOXES = {
    "whole pixels": [(1, 1, 4, 3)],
    "edges within pixels": [(0.5, 1.25, 3.75, 2.1)],
    "within one pixel": [(2.25, 2.25, 2.75, 2.5)],
    "overlapping": [(0.5, 0.5, 3.25, 2.75), (2.05, 1.1, 4.5, 3.9)],
    "one in the other": [(0, 0, 5, 4), (1.5, 1.5, 2.5, 2.5)],
    "apart within one pixel": [(0.1, 0.1, 0.3, 0.9), (0.5, 0.2, 0.95, 0.4)],
    "over the edge": [(-0.5, -1, 2.5, 1.5), (4.25, 3, 6, 4.75)],
    "none": [],
}


@pytest.mark.parametrize("boxes", BOXES.values(), ids=BOXES)
def test_boxes_cover_what_a_fine_raster_counts(boxes):
    np.testing.assert_allclose(coverage(boxes, (5, 4)), by_hand(boxes, (5, 4)), atol=1e-12)


def test_the_share_is_the_sum_inside_over_the_sum_of_all_positive_values():
    values = np.array([[1.0, 2, -4], [3, 0, 5]])
    inside = np.array([[0, 0.5, 1], [0.25, 1, 0]])
    found = share_of(values, Extent(0, 0, 3, 2), inside)
    assert found.share == pytest.approx((2 * 0.5 + 3 * 0.25) / (1 + 2 + 3 + 5), abs=1e-15)
    assert found.area == pytest.approx(2.75 / 6, abs=1e-15)
    assert found.ratio == pytest.approx(found.share / found.area, abs=1e-15)
    assert (found.hit, found.seen) == (False, 1.0)


@pytest.mark.parametrize("seed", range(5))
def test_a_map_that_is_the_same_everywhere_has_as_much_evidence_as_area(seed):
    rng = np.random.default_rng(seed)
    left, top, right, bottom = *rng.uniform(0, 8, 2), *rng.uniform(20, 31, 2)
    values = np.zeros((24, 31), np.float32)
    where = Extent(left, top, right, min(bottom, 24))
    values[seen(where, values.shape)] = 0.7
    boxes = [(x, y, x + w, y + h) for x, y, w, h in rng.uniform(0.1, 12, (4, 4))]
    found = share_of(values, where, coverage(boxes, (31, 24)))
    assert found.share == pytest.approx(found.area, abs=1e-6)
    assert 0 < found.area < 1
    assert found.hit is None


def test_what_lies_outside_and_inside_is_all_there_is():
    values = np.random.default_rng(1).normal(size=(9, 7))
    inside = coverage([(1.3, 2.2, 5.9, 6.4)], (7, 9))
    one, other = (share_of(values, Extent(0, 0, 7, 9), part) for part in (inside, 1 - inside))
    assert one.share + other.share == pytest.approx(1, abs=1e-12)
    assert one.area + other.area == pytest.approx(1, abs=1e-12)
    assert one.hit is not other.hit


def test_what_the_network_did_not_see_counts_nowhere():
    values = np.ones((4, 6))
    cut = Extent(1, 0, 5, 4)  # the network saw 4 of 6 columns
    found = share_of(values, cut, coverage([(0, 0, 3, 4)], (6, 4)))
    assert (found.share, found.area) == (0.5, 0.5)
    assert found.seen == pytest.approx(2 / 3)
    beside = share_of(values, cut, coverage([(5, 0, 6, 4)], (6, 4)))
    assert (beside.share, beside.area, beside.seen, beside.ratio) == (0, 0, 0, None)
    assert str(beside) == "nothing of it was seen by the network"


@pytest.mark.parametrize(
    ("where", "part"),
    [
        (Extent(0.4, 0.6, 3.5, 2.4), (slice(1, 2), slice(0, 4))),  # centres at 0.5, 1.5, ...
        (Extent(3.5, 2.4, 0.4, 0.6), (slice(1, 2), slice(0, 4))),  # mirrored
        (Extent(-2, -2, 9, 9), (slice(0, 3), slice(0, 5))),
    ],
)
def test_a_pixel_is_seen_if_its_centre_is(where, part):
    assert seen(where, (3, 5)) == part


def test_of_a_grid_the_voxels_are_seen_that_a_map_is_spread_over():
    grid = Grid((2, 0, 1), (3.0, 1.0, 6.0), (-1.0, 2.0, -2.0), (3, 2, 3), (6, 8, 5))
    spread = grid.spread(np.ones((3, 2, 3), np.float32))
    part = np.zeros(grid.shape)
    part[seen(grid, grid.shape)] = 1
    np.testing.assert_array_equal(spread, part)
    assert 0 < part.sum() < part.size


def test_the_strongest_place_hits_or_misses():
    values = np.zeros((3, 4))
    values[1, 2] = 2
    values[0, 0] = -9  # however far below zero
    hits = [share_of(values, Extent(0, 0, 4, 3), coverage([box], (4, 3))).hit for box in [(2, 1, 3, 2), (0, 0, 2, 3)]]
    assert hits == [True, False]
    values[1, 1] = 2  # two places, one of them inside
    assert share_of(values, Extent(0, 0, 4, 3), coverage([(2, 1, 3, 2)], (4, 3))).hit is True
    values[1, 3] = 2
    assert share_of(values, Extent(0, 0, 4, 3), coverage([(2, 1, 3, 2)], (4, 3))).hit is False


def test_without_positive_evidence_there_is_no_share():
    found = share_of(-np.ones((2, 2)), Extent(0, 0, 2, 2), np.array([[True, False]] * 2))
    assert found == EvidenceShare(None, 0.5, None, 1.0)
    assert found.ratio is None
    assert "no positive evidence" in str(found)


def test_ignored_pixels_count_nowhere():
    values, inside = np.array([[4.0, 1, 2, 1]]), np.array([[True, True, False, False]])
    ignored = np.array([[True, False, False, False]])
    found = share_of(values, Extent(0, 0, 4, 1), inside, ignored)
    assert (found.share, found.area, found.hit) == (1 / 4, 1 / 3, None)
    assert share_of(values, Extent(0, 0, 4, 1), inside, np.array([[False, False, False, True]])).hit is True


def test_a_mask_holds_for_each_frame_of_a_clip():
    mask = np.array([[1, 0], [0, 0]])
    assert object_in(None, mask, (3, 2, 2), flat=True).inside.tolist() == [[[True, False], [False, False]]] * 3
    assert object_in([(0, 0, 1, 2)], None, (3, 2, 2), flat=True).inside.tolist() == [[[1, 0], [1, 0]]] * 3


@pytest.mark.parametrize(
    ("boxes", "mask", "flat", "error", "words"),
    [
        (None, None, True, BadParameter, "one of the two"),
        ([(0, 0, 1, 1)], np.ones((3, 4)), True, BadParameter, "one of the two"),
        (None, np.ones((4, 3)), True, BadParameter, r"mask is \(4, 3\), and the image \(3, 4\)"),
        (None, np.ones(4), False, BadParameter, "own size"),
        ([(0, 0, 1, 1)], None, False, NotApplicable, "Give mask="),
        ([(0, 0, 1)], None, True, BadParameter, "are no boxes"),
        ("cat", None, True, BadParameter, "'cat' are no boxes"),
        ([(2, 0, 1, 1)], None, True, BadParameter, "left, top, right and bottom"),
        ([(0, 0, np.nan, 1)], None, True, BadParameter, "is empty"),
        ([(0, 0, 40, 3)], None, True, BadParameter, r"\(0, 0, 40, 3\) reaches beyond the photo of 4 x 3 pixels.*resized"),
    ],
)
def test_what_marks_no_object_is_refused(boxes, mask, flat, error, words):
    with pytest.raises(error, match=words):
        object_in(boxes, mask, (3, 4), flat)


def test_a_box_alone_and_boxes_that_rounding_put_over_the_edge_are_taken():
    assert checked((0, 1, 2, 3), (4, 3)) == [(0, 1, 2, 3)]
    assert checked([(-0.5, 0, 4.9, 3)], (4, 3)) == [(-0.5, 0, 4.9, 3)]
    assert checked([], (4, 3)) == []


def test_a_share_in_words():
    whole = "60.0 % of the evidence on 30.0 % of the image (x 2), strongest place inside"
    assert str(EvidenceShare(0.6, 0.3, True, 1.0)) == whole
    assert str(EvidenceShare(0.1, 0.2, False, 0.5)).endswith("strongest place outside; 50 % of it seen")
    small = "0.2 % of the evidence on 0.048 % of the image (x 4.79), strongest place outside"
    assert str(EvidenceShare(0.0023, 0.00048, False, 1.0)) == small
    assert str(EvidenceShare(0.0, 0.5, None, 1.0)) == "0.0 % of the evidence on 50.0 % of the image (x 0)"
