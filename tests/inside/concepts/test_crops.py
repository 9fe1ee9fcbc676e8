"""Crops: they cover the image, lie where they say, and are enlarged by the image's own numbers."""

from itertools import pairwise

import numpy as np
import pytest

from seewhy.images.places import Cells
from seewhy.inside.concepts.crops import OVERLAP, SHOWN, CropPlace, around_cell, crop_places, cropped


@pytest.mark.parametrize("share", [0.1, 0.25, 0.3, 0.5, 0.99, 1.0])
def test_crops_cover_all_and_overlap(share):
    places = crop_places(share, 1)
    starts = [place.first[0] for place in places]
    assert starts[0] == 0
    assert places[-1].last[0] == pytest.approx(1)
    assert all(after - before <= (1 - OVERLAP) * share + 1e-9 for before, after in pairwise(starts))
    assert len(crop_places(share, 2)) == len(places) ** 2


def test_a_crop_is_the_image_between_its_edges():
    """Of a ramp the pixel at i has i: the pixel j of the crop from 2 to 6, eight wide, has its centre at 2 + (j + 1/2) / 2."""
    ramp = np.arange(8.0)[None].repeat(2, 0)
    crop = cropped(ramp, CropPlace((0.25,), (0.5,)))
    np.testing.assert_allclose(crop, [[2 + (j + 0.5) / 2 - 0.5 for j in range(8)]] * 2)


def test_the_whole_is_the_image_itself_and_axes_keep_apart():
    x = np.random.default_rng(0).random((3, 6, 8))
    np.testing.assert_array_equal(cropped(x, CropPlace((0, 0), (1.0, 1.0))), x)
    rows = cropped(np.arange(6.0)[:, None].repeat(8, 1)[None], CropPlace((0.5, 0), (0.5, 1.0)))[0]
    np.testing.assert_allclose(rows[:, 0], np.clip([3 + (j + 0.5) / 2 - 0.5 for j in range(6)], 0, 5))


def test_what_is_shown_around_a_cell_does_not_reach_over_the_edge():
    middle = around_cell((3,), (7,), None)
    assert middle.first[0] == pytest.approx(0.5 - SHOWN / 2)
    assert around_cell((0,), (7,), None).first == (0.0,)
    assert around_cell((6,), (7,), None).last[0] == pytest.approx(1)
    placed = Cells((31.0,), (32.0,), (224,))  # as a network has them that pads on one side
    assert around_cell((3,), (7,), placed).first[0] == pytest.approx((31 + 96 + 0.5) / 224 - SHOWN / 2)
