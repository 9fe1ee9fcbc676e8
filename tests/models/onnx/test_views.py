"""Views of tensors: which dimensions hold what, and where cells of several tensors lie together."""

from math import inf

import pytest

from seewhy.models.onnx.dims import CHANNELS, IMAGES, whole
from seewhy.models.onnx.views import CellsAlong, TensorView, as_maps, at_input, together


def view(shape, *along):
    return TensorView(shape, at_input(shape, 1).dims, along or (CellsAlong(1.0, 0.0, 1.0),) * (len(shape) - 2))


def test_the_image_lies_as_it_comes_in():
    assert at_input((1, 3, 8, 9), 1).order() == (1, 2, 3)
    assert at_input((1, 8, 9, 3), 3).order() == (3, 1, 2)
    assert at_input((1, 8, 9, 3), 3).images() == 0
    assert at_input((1, 3, 8), 1).place() == ((1.0,), (0.0,), (1.0,))


def test_windows_move_cells():
    assert CellsAlong(4.0, 1.5, 7.0).through(3, -1, 2) == CellsAlong(8.0, 1.5, 15.0)
    assert CellsAlong(4.0, 1.5, 7.0).through(2, 0, 2) == CellsAlong(8.0, 3.5, 11.0)


@pytest.mark.parametrize(("second", "expected"), [
    (CellsAlong(2.0, 0.0, 3.0), CellsAlong(2.0, 0.0, 3.0)),
    (CellsAlong(2.0, 0.0, 9.0), CellsAlong(2.0, 0.0, 9.0)),
    (CellsAlong(2.0, 2.0, 3.0), CellsAlong(2.0, 1.0, 5.0)),
    (CellsAlong(2.0, 7.0, inf), CellsAlong(2.0, 0.0, inf)),
    (CellsAlong(3.0, 0.0, 3.0), None),
    (None, None),
])  # fmt: skip
def test_cells_that_are_added_see_what_both_see(second, expected):
    first = view((1, 4, 6), CellsAlong(2.0, 0.0, 3.0))
    assert together([first, TensorView(first.shape, first.dims, (second,))], first.shape).along == (expected,)


def test_one_cell_that_is_added_to_all_leaves_them_in_their_place():
    first, gate = view((1, 4, 6), CellsAlong(2.0, 0.0, 3.0)), view((1, 4, 1), CellsAlong(12.0, 5.0, inf))
    assert together([first, gate], first.shape).along == (CellsAlong(2.0, 0.0, inf),)


def test_a_map_has_each_axis_once():
    maps = (whole(IMAGES, 1), whole(CHANNELS, 3), whole(0, 4), whole(0, 4))
    assert TensorView((1, 3, 4, 4), maps, (None, None)).order() is None
    assert view((1, 3, 4, 5)).lost((1, 3, 4, 5)).order() is None
    assert as_maps((1, 3, 4, 5), view((1, 3, 4, 5))).place() is None
    assert as_maps((1, 3, 4), view((1, 3, 4, 5))).order() is None
