"""Intersection over union: by hand, and as pycocotools and the released code of Choe et al. 2020 count it."""

import numpy as np
import pytest

from seewhy.metrics.localization.overlap import overlaps


def test_by_hand():
    assert overlaps([(0, 0, 4, 2)], [(2, 0, 6, 2)]).tolist() == [[4 / 12]]
    assert overlaps([(0, 0, 4, 2)], [(4, 0, 6, 2), (0, 0, 4, 2)]).tolist() == [[0, 1]]  # edges that touch share nothing


def test_pixels_that_belong_to_a_box_count_where_edges_are_inclusive():
    """Two examples of the released code's own tests."""
    assert overlaps([(1, 2, 5, 6)], [(3, 1, 4, 5)], inclusive=True).tolist() == [[8 / 27]]
    assert overlaps([(0, 0, 0, 0)], [(0, 0, 0, 0)], inclusive=True).tolist() == [[1]]
    assert overlaps([(0, 0, 0, 0)], [(0, 0, 0, 0)]).tolist() == [[0]]  # a box without area


def test_as_pycocotools():
    mask = pytest.importorskip("pycocotools.mask")
    rng = np.random.default_rng(0)
    corners, sides = rng.uniform(0, 50, (2, 20, 2)), rng.uniform(1, 40, (2, 20, 2))
    ours = overlaps(*(np.concatenate([at, at + side], 1) for at, side in zip(corners, sides, strict=True)))
    theirs = mask.iou(*(np.concatenate([at, side], 1) for at, side in zip(corners, sides, strict=True)), [0] * 20)
    np.testing.assert_allclose(ours, theirs, atol=1e-12)
