"""Outlines of masks: filled again, by pycocotools, by Pillow and by winding numbers, they are the same masks."""

import numpy as np
import pytest

from seewhy.localize.labels.outlines import outlines
from support.labelled import blobs

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # of pycocotools, in numpy 2

RING = np.ones((5, 5), bool)
RING[1:3, 2:4] = False
MASKS = {
    "square": np.ones((2, 3), bool),
    "ring": RING,
    "falling": np.eye(3, dtype=bool),
    "rising": np.eye(3, dtype=bool)[::-1],
    "ring of corners": np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]], bool),
    "two parts": np.array([[1, 0, 1]], bool),
    "part in a hole": np.pad(np.pad(np.ones((1, 1), bool), 1), 1, constant_values=True),
    "holes that touch": 1 - np.pad(np.eye(2), 1) > 0,
    "blobs": blobs(0),
    **{f"noise {seed}": np.random.default_rng(seed).random((9, 11)) < 0.5 for seed in range(20)},
}


def windings(rings, shape, even):
    """How a pixel's centre is filled, by the edges left of it: an odd number of them, or with their directions not zero."""
    filled = np.zeros(shape, bool)
    for y, x in np.ndindex(shape):
        total = 0
        for ring in rings:
            for (x0, y0), (x1, y1) in zip(ring, [*ring[1:], ring[0]], strict=True):
                if (y0 <= y + 0.5) != (y1 <= y + 0.5) and x0 + (y + 0.5 - y0) / (y1 - y0) * (x1 - x0) < x + 0.5:
                    total += 1 if even or y1 > y0 else -1
        filled[y, x] = total % 2 == 1 if even else total != 0
    return filled


@pytest.mark.parametrize("name", MASKS)
@pytest.mark.parametrize("even", [True, False])
def test_filled_by_either_rule_they_are_the_mask(name, even):
    assert (windings(outlines(MASKS[name]), MASKS[name].shape, even) == MASKS[name]).all()


@pytest.mark.parametrize("name", MASKS)
def test_pycocotools_fills_them_exactly(name):
    coco = pytest.importorskip("pycocotools.mask")
    mask = MASKS[name]
    flat = [[number for corner in ring for number in corner] for ring in outlines(mask)]
    assert (coco.decode(coco.merge(coco.frPyObjects(flat, *mask.shape))) == mask).all()


def test_by_hand():
    assert outlines(MASKS["square"]) == [[(0, 0), (3, 0), (3, 2), (0, 2)]]
    assert outlines(MASKS["two parts"]) == [[(0, 0), (1, 0), (1, 1), (0, 1)], [(2, 0), (3, 0), (3, 1), (2, 1)]]
    assert outlines(np.zeros((2, 2), bool)) == []
    (ring,) = outlines(RING)
    hole = [(2, 1), (2, 3), (4, 3), (4, 1), (2, 1)]  # there and back from (0, 0), against the outer ring
    assert ring == [(0, 0), *hole, (0, 0), (5, 0), (5, 5), (0, 5)]


@pytest.mark.parametrize("name", ["falling", "rising", "ring of corners"])
def test_pixels_hang_together_at_their_corners(name):
    assert len(outlines(MASKS[name])) == 1


def test_each_part_has_its_own_ring_and_holes():
    rings = outlines(MASKS["part in a hole"])
    assert sorted(map(len, rings)) == [4, 10]  # the part, and the frame with its hole


@pytest.mark.parametrize("tolerance", [1.1, 2.2, 3.03])
def test_corners_left_out_are_those_that_scikit_image_leaves_out(tolerance):
    from skimage.measure import approximate_polygon  # which takes one of several equally far corners by its rounding

    y, x = np.mgrid[:60, :60]
    mask = (x - 30) ** 2 / 2 + (y - 30) ** 2 < 400 + 60 * np.sin(x / 3)
    (exact,), (fewer,) = outlines(mask), outlines(mask, tolerance)
    theirs = approximate_polygon(np.array([*exact, exact[0]], float), tolerance)
    assert fewer == [tuple(corner) for corner in theirs[:-1].tolist()]


def test_fewer_corners_within_the_tolerance():
    y, x = np.mgrid[:60, :60]
    disc = (x - 30) ** 2 + (y - 30) ** 2 < 25**2
    (exact,), (fewer,) = outlines(disc), outlines(disc, 1.0)
    assert len(fewer) < len(exact) / 3
    filled = windings([fewer], disc.shape, True)
    off = np.argwhere(filled != disc)
    assert 0 < len(off) < 0.1 * disc.sum()
    assert abs(np.hypot(off[:, 0] - 30, off[:, 1] - 30) - 25).max() < 2
    assert outlines(np.ones((1, 1), bool), 5.0) == [[(0, 0), (1, 0), (1, 1), (0, 1)]]  # never less than a ring
