"""Which dimensions run over space, kept true while tensors are turned about: against arrays that hold their own positions."""

from math import inf

import numpy as np
import pytest

from seewhy.images.places import Place
from seewhy.models.torch.places.marks import (
    NOWHERE,
    Axis,
    Dim,
    Factor,
    apart,
    merged,
    mixed,
    moved,
    permuted,
    plain,
    regrouped,
    shaped,
    start,
)

SHAPE = (2, 3, 8, 6)
IMAGE = start(SHAPE)
EVERY = Place((1, 1), (0, 0), (1, 1))


def test_the_image_lies_where_it_lies():
    assert IMAGE.shape == SHAPE
    assert IMAGE.where == ((8, 6), EVERY)
    assert [j for j, _ in IMAGE.spots] == [-2, -1]
    assert start((2, 3, 5)).where == ((5,), Place((1,), (0,), (1,)))
    assert start((2, 3)).where is None


def test_a_cell_of_cells_sees_what_they_see():
    axis = Axis(2, 3, 1, 5).through(4, -1, 2)  # cell j reads the cells from 4j - 1 to 4j + 2
    assert axis == Axis(8, 3 + 2 * 0.5, 1 - 2, 5 + 2 * 2)
    assert axis.through(1, 0, 0) == axis
    assert Axis(2, 3).through(2, 0, 1).through(3, 1, 1) == Axis(2, 3).through(6, 2, 3)


def test_parts_of_a_cell_lie_beside_one_another_around_its_centre():
    axis = apart(Axis(6, 1), 3)
    assert [axis.first + i * axis.stride for i in range(6)] == pytest.approx([-1, 1, 3, 5, 7, 9])


def positions(shape):
    """The row and the column of each element of the image, as arrays of that shape."""
    grid = np.indices(SHAPE)[2:]
    return [row.reshape(shape) for row in grid]


REGROUPED = {
    "strung out": (2, 3, 48),
    "cut into windows": (2, 3, 4, 2, 2, 3),
    "folded into the batch": (6, 8, 6),
    "all in one": (288,),
}


@pytest.mark.parametrize("how", REGROUPED)
def test_the_same_elements_in_other_dimensions_and_back(how):
    mark = regrouped(IMAGE, REGROUPED[how])
    assert mark.shape == REGROUPED[how]
    windows = {"cut into windows": ((4, 2), Place((2, 3), (0.5, 1), (2, 3))), "all in one": None}
    assert mark.where == windows.get(how, IMAGE.where)
    assert regrouped(mark, SHAPE).where == IMAGE.where
    assert regrouped(IMAGE, (2, 3, 7, 7)) is NOWHERE
    assert regrouped(IMAGE, (2, 3, 8)) is NOWHERE


def test_windows_folded_into_channels_are_cells_of_their_pixels():
    cut = permuted(regrouped(IMAGE, (2, 3, 4, 2, 2, 3)), (0, 2, 4, 1, 3, 5))  # (n, rows, columns, c, 2, 3)
    tokens = regrouped(cut, (2, 8, 18))
    assert tokens.where == ((4, 2), Place((2, 3), (0.5, 1), (2, 3)))
    rows, columns = (p.reshape(2, 3, 4, 2, 2, 3).transpose(0, 2, 4, 1, 3, 5).reshape(2, 8, 18) for p in positions(SHAPE))
    centres = np.array([[0.5 + 2 * i, 1 + 3 * j] for i in range(4) for j in range(2)])
    np.testing.assert_allclose(np.stack([rows[0].mean(-1), columns[0].mean(-1)], 1), centres)


def test_tokens_of_no_place_stand_before_and_behind():
    dim = Dim((Factor(8, 0), Factor(6, 1)), 1, 2)
    assert (dim.size, dim.axes, dim.spatial, dim.single) == (51, (0, 1), True, None)
    assert Dim((Factor(8, 0),)).single == 0
    assert not plain(4).spatial
    assert plain(1) == Dim(())


def test_what_is_summed_over_is_lost_and_seen_by_all():
    channels = mixed(IMAGE, 1, 5)
    assert (channels.shape, channels.where) == ((2, 5, 8, 6), IMAGE.where)
    rows = mixed(IMAGE, -1, None)
    assert (rows.shape, rows.where, rows.whole) == ((2, 3, 8), None, True)


def test_windows_move_cells_and_what_mixes_space_sees_all():
    mark = moved(IMAGE, {-2: (2, -1, 1), -1: (3, 0, 0)}, (2, 5, 4, 2))
    assert mark.where == ((4, 2), Place((2, 3), (0, 0), (3, 1)))
    assert moved(IMAGE, {}, (2, 3, 8, 5)) is NOWHERE
    assert moved(IMAGE, {-1: (1, 0, 0)}, (2, 3, 8)) is NOWHERE
    assert moved(permuted(IMAGE, (0, 2, 3, 1)), {}, (2, 9, 6, 3), mixes=1).whole


def test_what_broadcasts_keeps_its_space():
    assert shaped(IMAGE, SHAPE) is IMAGE
    assert shaped(IMAGE, (7, 2, 1, 8, 6)).where == IMAGE.where
    assert shaped(IMAGE, (2, 3, 8, 7)) is NOWHERE
    assert shaped(IMAGE, (6,)) is NOWHERE


def test_of_branches_the_centres_are_averaged_and_the_fields_joined():
    left, right = (moved(IMAGE, {-2: (1, shift, shift), -1: (1, 0, 0)}, SHAPE) for shift in (0, 3))
    assert merged([left, right], SHAPE).where == ((8, 6), Place((1, 1), (1.5, 0), (4, 1)))
    assert merged([left, right], SHAPE, [1, 2]).where == ((8, 6), Place((1, 1), (2, 0), (4, 1)))
    assert merged([left, NOWHERE], SHAPE).where == ((8, 6), Place((1, 1), (0, 0), (inf, inf)))
    assert merged([NOWHERE, NOWHERE], SHAPE) is NOWHERE


def test_of_branches_of_two_strides_the_one_that_sees_least_has_the_place():
    fine, coarse = (moved(IMAGE, {-2: (step, 0, step - 1), -1: (1, 0, 0)}, SHAPE) for step in (1, 4))
    where = merged([fine, coarse], SHAPE).where
    assert where is not None
    assert (where[1].stride, where[1].first) == ((1, 1), (0, 0))


def test_everywhere_is_said_once():
    mark = IMAGE.everywhere()
    assert mark.everywhere() is mark
    assert mark.where == ((8, 6), Place((1, 1), (0, 0), (inf, inf)))
