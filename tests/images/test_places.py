"""Where things lie: parts of photos, grids in space, cells along an axis."""

import numpy as np
import pytest
from PIL import Image

from seewhy import NotApplicable
from seewhy.images.places import AxisCells, Cells, Extent, Grid, Place, cells_along, neighbours
from seewhy.images.sight import Sight


def photo(values) -> Image.Image:
    return Image.fromarray(np.asarray(values, np.uint8))


def test_an_extent_cuts_its_pixels_mirrored_where_its_edges_are_the_other_way_round():
    values = np.arange(12).reshape(3, 4)
    assert np.asarray(Extent(1, 0, 4, 2).cut(photo(values))).tolist() == values[:2, 1:].tolist()
    assert np.asarray(Extent(4, 0, 1, 2).cut(photo(values))).tolist() == values[:2, :0:-1].tolist()
    assert np.asarray(Extent(1, 2, 4, 0).cut(photo(values))).tolist() == values[1::-1, 1:].tolist()
    assert np.asarray(Extent(2.2, 1.1, 2.3, 1.2).cut(photo(values))).tolist() == [[6]]  # at least a pixel


def test_a_whole_grid_is_the_array_and_turned_it_is_its_transpose():
    x = np.random.default_rng(0).normal(size=(2, 3, 4))
    grid = Grid.whole(x.shape)
    assert np.array_equal(grid.read(x), x)
    assert np.array_equal(grid.matrix, np.eye(4))
    turned = grid.turned((2, 0, 1))
    assert np.array_equal(turned.read(x), x.transpose(2, 0, 1))
    assert np.array_equal(turned.spread(x.transpose(2, 0, 1)), x)


def test_cells_along_an_axis_follow_one_another_and_the_matrix_says_where():
    """Every second cell backwards from the fifth, of these the last two: cells 3 and 1 of the array."""
    x = np.arange(6.0) ** 2
    grid = Grid.whole((6,)).along(0, 5, -2, 3).along(0, 1, 1, 2)
    assert grid.read(x).tolist() == [9, 1]
    assert (grid.matrix @ [[0, 1], [1, 1]]).tolist() == [[3, 1], [1, 1]]


def test_reading_is_linear_between_centres_and_says_what_lies_outside():
    x = np.array([0.0, 10.0, 40.0])
    grid = Grid((0,), (-1.0,), (0.5,), (9,), (3,))
    assert grid.read(x, outside=-7).tolist() == [-7, 0, 0, 5, 10, 25, 40, 40, -7]  # half a cell beyond still counts
    lead = grid.read(np.stack([x, 2 * x]), outside=-7)
    assert lead[1].tolist() == [-7, 0, 0, 10, 20, 50, 80, 80, -7]


def test_spreading_puts_cells_where_they_lie_and_zero_around():
    grid = Grid((0,), (2.0,), (1.0,), (4,), (8,))
    assert grid.spread(np.array([3.0, 3.0])).tolist() == [0, 0, 3, 3, 3, 3, 0, 0]
    assert grid.spread(np.array([0.0, 4.0])).tolist() == [0, 0, 0, 1, 3, 4, 0, 0]  # even: centres at 2.5 and 4.5
    assert grid.spread(np.array([0.0, 4.0]), Cells((0.0,), (2.0,), (4,))).tolist() == [0, 0, 0, 2, 4, 4, 0, 0]


def test_even_cells_share_out_the_image():
    cells = Cells.even((2, 7), (8, 7))
    assert cells == Cells((1.5, 0.0), (4.0, 1.0), (8, 7))
    assert cells.spans(0, 2) == (2, 0.5)
    assert Cells.even((3,), (10,)).spans(0, 3) == (3, 0.5)  # exactly, whatever 10 / 3 is rounded to
    assert Cells((2.0,), (4.0,), (8,)).spans(0, 2) == (2.0, 0.625)


def test_neighbours_are_the_cell_before_and_the_share_of_the_next():
    low, share = neighbours(np.array([-2.0, 0.0, 0.25, 1 - 1e-10, 1 + 1e-10, 1.5, 2.0, 9.0]), 3)
    assert low.tolist() == [0, 0, 0, 1, 1, 1, 2, 2]
    assert share.tolist() == [0, 0, 0.25, 0, 0, 0.5, 0, 0]
    low, share = neighbours(np.array([0.96, 0.94]), 3, rounding=0.05)
    assert low.tolist() == [1, 0]
    assert share.tolist() == [0, 0.94]


def test_cells_lie_where_the_network_saw_the_image():
    """7 cells share out 448 of 512 pixels, from pixel 32 on; and cells at pixel 3, 11, ... of 64 that show 128 of them."""
    assert cells_along((7,), None, [(32.0, 480.0)]) == (AxisCells(64, 64, 7),)
    placed = Cells((3.0,), (8.0,), (64,))
    assert cells_along((8,), placed, [(100.0, 228.0)]) == (AxisCells(107, 16, 8),)


def test_a_mirrored_image_has_no_cells_that_could_be_joined():
    with pytest.raises(NotApplicable, match="mirrors the photo"):
        cells_along((4, 4), None, [(0.0, 8.0), (8.0, 0.0)])


SEEING = Cells((0.0,), (8.0,), (32,), (Sight(10.0, 40.0),))


def test_cells_whose_sight_the_border_cuts_off_lie_farther_inside():
    centres = SEEING.centres(0, 4)
    np.testing.assert_allclose(centres, Sight(10.0, 40.0).shown(np.array([0.0, 8.0, 16.0, 24.0]), 32))
    assert centres[0] > 5
    assert centres[3] < 22
    assert SEEING.uncut.centres(0, 4).tolist() == [0, 8, 16, 24]
    assert Cells.even((4,), (32,)).centres(0, 4).tolist() == [3.5, 11.5, 19.5, 27.5]


@pytest.mark.parametrize("way", [1, -1])
def test_a_map_has_its_values_where_its_cells_lie_and_is_linear_between(way):
    cells = SEEING if way > 0 else Cells((24.0,), (-8.0,), (32,), SEEING.sights)
    values = np.array([1.0, 5.0, 2.0, 4.0])
    pixels = np.arange(32.0)
    expected = np.interp(pixels, cells.centres(0, 4)[::way], values[::way])
    np.testing.assert_allclose(Grid.whole((32,)).spread(values, cells), expected, atol=1e-9)


def test_sights_are_told_in_pixels_of_the_image():
    assert cells_along((4,), SEEING, [(100.0, 164.0)]) == (AxisCells(101.0, 16.0, 4, Sight(20.0, 80.0)),)


def test_cells_of_a_place_lie_at_its_centre_if_it_has_one():
    bare = Place((8.0,), (3.5,), (15.0,))
    assert Cells.of(bare, [32]) == Cells((3.5,), (8.0,), (32,))
    sights = (Sight(4.0, 7.5),)
    assert Cells.of(bare._replace(centre=(2.0,), sights=sights), [32]) == Cells((2.0,), (8.0,), (32,), sights)
