"""Which part of a photo a cell sees."""

from typing import Any

import numpy as np
import pytest

import seewhy
from seewhy.images.places import Extent, Turned
from seewhy.inside.exciting.sights import CellSights, on_photo
from support import networks


def test_a_cell_sees_two_spreads_of_what_it_reads_and_not_beyond_the_border() -> None:
    model: Any = seewhy.wrap(networks.pooled())
    x = networks.images(1)
    grid = model.activations(x, ["act2"])[0]["act2"].shape[2:]
    place, gaze = model.cells("act2", x)[1], model.gaze("act2", x)
    sights = CellSights.of(model, "act2", x, grid)
    assert sights is not None
    for axis in range(2):
        half = max(min(2 * gaze.sights[axis].spread, gaze.sights[axis].reach), place.stride[axis] / 2)
        assert 0 < half <= place.field[axis] / 2
        centre = gaze.first[axis] + 0.5 + place.stride[axis] * 2
        cell = [0, 0]
        cell[axis] = 2
        low, high = sights.edges(tuple(cell), x.shape[2:])[axis]
        assert (low, high) == pytest.approx((max(0, centre - half), min(x.shape[2 + axis], centre + half)))
        low, high = sights.edges((0, 0), x.shape[2:])[axis]
        assert low == 0
        assert 0 < high <= half + max(0.5, gaze.first[axis] + 0.5) + 1e-9
    assert CellSights.of(model, "act2", x, (1, 1)) is None  # another grid than is known


@pytest.mark.parametrize(
    ("box", "expected"),
    [
        (Extent(10, 20, 74, 84), Extent(26, 28, 42, 44)),  # 64 pixels of the photo as 32: twice as large, moved
        (Extent(74, 20, 10, 84), Extent(58, 28, 42, 44)),  # mirrored
        (Turned(Extent(10, 20, 74, 84)), Turned(Extent(18, 36, 34, 52))),  # rows of the input are columns of the photo
    ],
    ids=["moved", "mirrored", "turned"],
)
def test_a_part_of_the_input_is_found_on_the_photo(box: Extent | Turned, expected: Extent | Turned) -> None:
    assert on_photo([(4.0, 12.0), (8.0, 16.0)], (32, 32), box) == expected


def test_nothing_is_cut_out_where_there_is_no_photo() -> None:
    assert on_photo([(0.0, 1.0), (0.0, 1.0)], (32, 32), None) is None
    assert on_photo([(0.0, 1.0)] * 3, (4, 32, 32), Extent(0, 0, 1, 1)) is None
    assert np.isfinite(np.array(on_photo([(0.0, 1.0), (0.0, 1.0)], (32, 32), Extent(0, 0, 32, 32)))).all()
