"""What only moves elements about: against cells that are carried through the same calls."""

import numpy as np
import pytest

from seewhy.images.places import Place
from seewhy.models.torch.places.dims import entries
from seewhy.models.torch.places.marks import IMAGES, Axis, Dim, Factor, Mark, plain, start
from seewhy.models.torch.places.moves import (
    chosen,
    coarser,
    inserted,
    permuted,
    placed,
    plainly,
    regrouped,
    selected,
    shaped,
    splits,
    tidied,
    unplaced,
    with_dim,
)
from support.cells import faults, followed_mark, numbered_cells
from support.random_calls import random_program

SHAPE = (2, 3, 8, 6)
IMAGE = start(SHAPE)
SHAPES = [(2, 3, 8, 6), (1, 2, 4, 4), (2, 2, 12), (2, 2, 4, 3, 2), (2, 4, 4, 4), (6, 3, 6), (2, 1, 4, 6), (3, 1, 12)]


@pytest.mark.parametrize("steps", [1, 3, 6])
def test_random_calls_carry_the_cells_to_where_the_mark_says(steps):
    lost = 0
    for seed in range(250):
        r = np.random.default_rng([seed, steps])
        shape = SHAPES[seed % len(SHAPES)]
        text, program = random_program(shape, r, steps)
        x = numbered_cells(*shape)
        assert faults(program, x) == [], (shape, text)
        mark = followed_mark(program, x)[1]
        lost += mark is not None and mark.lost != ""
    assert lost <= 250 * 0.01 * steps


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
    again = regrouped(mark, SHAPE)
    assert again.dims == IMAGE.dims
    assert again.where == IMAGE.where


def test_a_reshape_that_cannot_be_is_lost():
    assert regrouped(IMAGE, (2, 3, 7, 7)).lost
    assert regrouped(IMAGE, (2, 3, 8)).lost
    assert regrouped(IMAGE, (2, 3, 0)).lost


def test_what_broadcasts_keeps_its_space():
    assert shaped(IMAGE, SHAPE) is IMAGE
    assert shaped(IMAGE, (7, 2, 3, 8, 6)).where == IMAGE.where
    assert shaped(with_dim(IMAGE, 1, plain(1)), (2, 9, 8, 6)).where == IMAGE.where
    assert shaped(IMAGE, (2, 3, 8, 7)).lost
    assert shaped(IMAGE, (6,)).lost


def test_permuted_and_inserted_dimensions():
    last = permuted(IMAGE, (0, 2, 3, 1))
    assert last.shape == (2, 8, 6, 3)
    assert inserted(last, 1).shape == (2, 1, 8, 6, 3)
    assert inserted(last, 4, plain(2)).shape == (2, 8, 6, 3, 2)


CHOSEN = {
    "every second": (range(0, 8, 2), Axis(2)),
    "from the third on": (range(2, 8), Axis(1, 2, 2, 2)),
    "turned": (range(7, -1, -1), Axis(-1, 7, 7, 7)),
    "rolled": ([6, 7, 0, 1, 2, 3, 4, 5], Axis(order=(6, 7, 0, 1, 2, 3, 4, 5))),
    "every second, rolled": ([4, 6, 0, 2], Axis(2, order=(2, 3, 0, 1))),
}


@pytest.mark.parametrize("name", CHOSEN)
def test_entries_of_an_axis_change_the_axis(name):
    index, axis = CHOSEN[name]
    mark = chosen(IMAGE, -2, np.array(index))
    assert mark.axes == (axis, IMAGE.axes[1])
    assert mark.dims[-2] == Dim((Factor(len(index), 0),))


def test_rolled_back_and_turned_back_is_as_before():
    for index in ([6, 7, 0, 1, 2, 3, 4, 5], range(7, -1, -1)):
        there = chosen(IMAGE, -2, np.array(index))
        assert chosen(there, -2, np.argsort(index)).axes == IMAGE.axes


def test_any_other_entries_are_named_one_by_one():
    mark = chosen(IMAGE, -2, np.array([0, 3, 4, 4, -1]))
    assert mark.dims[-2].rows == (0, 3, 4, 4, -1)
    cells = chosen(mark, -2, np.array([4, 1]))
    assert cells.dims[-2].rows == (-1, 3)
    assert (plainly(cells).dims[-2], plainly(cells).axes[0].first) == (Dim((Factor(1, 0),), (-1, 0)), 3), (
        "alone, in simple form"
    )
    assert chosen(IMAGE, 1, np.array([2, 0])).dims[1] == plain(2)
    assert chosen(IMAGE, 0, np.array([1])).dims[0] == Dim((Factor(2, IMAGES),), (1,))
    assert tidied(mark, 0) is mark


def test_an_entry_that_was_taken_is_remembered():
    frame = selected(IMAGE, -2, 5)
    assert frame.taken == (Dim((Factor(8, 0),), (5,)),)
    assert placed(frame) is not None
    assert placed(frame).taken == frame.taken, "no dimension needs it"
    image = selected(IMAGE, 0, -1)
    assert image.taken == (Dim((Factor(2, IMAGES),), (1,)),)
    assert selected(IMAGE, 1, 0).taken == ()


def test_of_a_part_of_an_axis_the_others_lie_where_it_was_taken():
    cut = regrouped(IMAGE, (2, 3, 4, 2, 6))
    second = plainly(selected(cut, 3, 1))
    assert second.where == ((4, 6), Place((2, 1), (1, 0), (1, 1)))
    window = plainly(selected(cut, 2, 3))
    assert window.where == ((2, 6), Place((1, 1), (6, 0), (1, 1)))
    assert window.taken == ()


def test_cells_are_counted_without_gaps():
    gaps = Mark((Dim((Factor(4, 0, 2),)),), (Axis(),))
    assert coarser(gaps, 0).dims == (Dim((Factor(4, 0),)),)
    assert coarser(gaps, 0).axes == (Axis(2),)
    assert coarser(IMAGE, 0) is IMAGE


def test_an_axis_may_be_given_up():
    mark = unplaced(IMAGE, 0)
    assert mark.whole
    assert [j for j, _ in mark.spots] == [-1]
    assert mark.shape == SHAPE
    assert not splits(IMAGE, 2, 0)
    cut = regrouped(IMAGE, (2, 3, 4, 2, 6))
    assert splits(cut, 3, 0), "the inner cells"
    assert not splits(cut, 2, 0), "the outer cells"
    assert entries(mark.dims[2]).tolist() == [*range(8)]
