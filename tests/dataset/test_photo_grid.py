"""Stored maps on the grid of their photo."""

import numpy as np
import pytest

pytest.importorskip("pyarrow")

from seewhy.dataset.photo_grid import on_photo_grid
from seewhy.dataset.photo_rows import MapRow
from seewhy.images.places import Extent, Turned


def row(values, box, nothing=0.0):
    return MapRow("m", "top", 0, "a", 1.0, 0.5, np.asarray(values, np.float32), False, {}, None, (), box, None, nothing)


def test_a_map_lies_where_the_network_saw_the_photo():
    values, seen = on_photo_grid(row(np.full((2, 2), 3.0), Extent(40, 0, 80, 40)), (80, 40), 8)
    assert values.shape == seen.shape == (4, 8)
    assert (seen[:, 4:]).all()
    assert not seen[:, :4].any()
    assert values[seen] == pytest.approx(3.0)
    assert (values[~seen] == 0).all()


def test_a_map_of_one_value_for_each_place_is_itself():
    given = np.random.default_rng(0).random((4, 8))
    values, _ = on_photo_grid(row(given, Extent(0, 0, 80, 40)), (80, 40), 8)
    assert values == pytest.approx(given)


def test_what_says_nothing_is_zero_and_what_is_no_upright_part_has_no_grid():
    values, _ = on_photo_grid(row(np.full((2, 2), 3.0), Extent(0, 0, 8, 8), nothing=2.5), (8, 8), 8)
    assert values == pytest.approx(0.5)
    assert on_photo_grid(row(np.ones((2, 2)), Turned(Extent(0, 0, 8, 8))), (8, 8), 8) is None
    assert on_photo_grid(row(np.ones((2, 2)), None), (8, 8), 8) is None
