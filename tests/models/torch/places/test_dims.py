"""Dimensions as products: against arrays that hold their own entries."""

import numpy as np
import pytest

from seewhy.models.torch.places.dims import cells_of, enlarged, entries, multiplied, numbered, parted, regrouped_dims
from seewhy.models.torch.places.marks import IMAGES, Dim, Factor, plain, start

CELLS = (Factor(4, 0), Factor(6, 1))
IMAGE = start((2, 3, 8, 6))
FORMS = {
    "all, in order": (np.arange(24), Dim(CELLS)),
    "a class token": (np.arange(-1, 24), Dim(CELLS, (-1, *range(24)))),
    "all, twice": (np.tile(np.arange(24), 2), Dim((Factor(2), *CELLS))),
    "each, twice": (np.repeat(np.arange(24), 2), Dim((*CELLS, Factor(2)))),
    "none": (np.full(3, -1), Dim(CELLS, (-1, -1, -1))),
}


@pytest.mark.parametrize("name", FORMS)
def test_entries_in_their_simplest_form(name):
    rows, dim = FORMS[name]
    assert numbered(CELLS, rows) == dim
    assert dim.size == len(rows)


def test_entries_of_what_has_no_place_are_any():
    assert numbered((Factor(5),), np.array([4, 2])) == plain(2)


@pytest.mark.parametrize("rows", [None, (-1, *range(24)), tuple(range(23, -1, -1)), (3, 3, 1)])
@pytest.mark.parametrize("images", [None, (1, 0), (0, -1, 1)])
def test_several_dimensions_as_one_and_back(rows, images):
    """Entry (i, j) of the product is what i and j are of."""
    left, right = Dim((Factor(2, IMAGES),), images), Dim(CELLS, rows)
    one = multiplied([left, right])
    table = entries(one).reshape(left.size, right.size)
    for i, image in enumerate(entries(left)):
        for j, cell in enumerate(entries(right)):
            assert table[i, j] == (-1 if min(image, cell) < 0 else image * 24 + cell)
    assert parted(one, [left.size, right.size]) == [left, right]


def test_a_dimension_that_does_not_come_apart():
    assert parted(Dim(CELLS), [5, 5]) is None
    assert parted(Dim(CELLS, (0, 7, 3, 1)), [2, 2]) is None, "the entries of each half differ"
    assert parted(Dim(CELLS, (-1, 1, 2, 3)), [2, 2]) is None, "one of them has no place"


def test_windows_are_cut_through_factors():
    assert parted(Dim((Factor(8, 0),)), [4, 2]) == [Dim((Factor(4, 0, 2),)), Dim((Factor(2, 0),))]
    assert parted(Dim(CELLS), [2, 2, 3, 2]) == [
        Dim((Factor(2, 0, 2),)), Dim((Factor(2, 0),)), Dim((Factor(3, 1, 2),)), Dim((Factor(2, 1),))
    ]  # fmt: skip


def test_dimensions_of_one_entry_are_found_again():
    single = start((1, 3, 8, 6)).dims
    flat = regrouped_dims(single, (1, 144))
    assert flat is not None
    assert flat[0] == single[0]
    assert regrouped_dims(flat, (1, 3, 8, 6)) == single
    assert regrouped_dims(IMAGE.dims, (2, 1, 3, 8, 1, 6)) == (IMAGE.dims[0], Dim(()), *IMAGE.dims[1:3], Dim(()), IMAGE.dims[3])


def test_one_entry_broadcast_is_that_entry_many_times():
    assert enlarged(plain(1), 5) == plain(5)
    assert enlarged(Dim((Factor(1, IMAGES),)), 5) == Dim((Factor(1, IMAGES), Factor(5)))
    assert enlarged(Dim(CELLS, (7,)), 2) == Dim(CELLS, (7, 7))


def test_an_entry_factor_by_factor():
    assert cells_of(CELLS, 13) == [2, 1]
