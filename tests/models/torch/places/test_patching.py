"""Maps that are cut into patches and put together again: by the cells that they carry."""

import pytest
import torch
from torch.nn import functional as F

from support.cells import Program, faults, followed_mark, numbered_cells
from support.following import Lies, lies, mark_of

EXACT: dict[str, Program] = {  # of an image (2, 3, 12, 8)
    "unfold": lambda x: F.unfold(x, (3, 4), stride=(3, 4)),
    "unfold and fold": lambda x: F.fold(F.unfold(x, (3, 4), stride=(3, 4)), (12, 8), (3, 4), stride=(3, 4)),
    "Tensor.unfold": lambda x: x.unfold(2, 3, 3).unfold(3, 2, 2),
    "Tensor.unfold, with a rest": lambda x: x.unfold(2, 5, 5),
    "unshuffle": lambda x: F.pixel_unshuffle(x, 2),
    "unshuffle and shuffle": lambda x: F.pixel_shuffle(F.pixel_unshuffle(x, 4), 4),
    "unshuffle, shuffle a little": lambda x: F.pixel_shuffle(F.pixel_unshuffle(x, 4), 2),
}


@pytest.mark.parametrize("name", EXACT)
def test_patches_hold_the_cells_that_they_were_cut_from(name):
    x = numbered_cells(2, 3, 12, 8)
    _, mark = followed_mark(EXACT[name], x)
    assert mark is not None
    assert mark.lost == ""
    assert faults(EXACT[name], x) == []


def test_patches_that_overlap_lie_around_their_centres():
    mark = mark_of(lambda x: F.unfold(x, 3, stride=2, padding=1).unflatten(-1, (6, 4)), torch.zeros(1, 3, 12, 8))
    assert lies(mark) == ((6, 4), Lies((2, 2), (0, 0), (3, 3)))


def test_what_overlapping_patches_are_folded_to_lies_where_they_lay():
    """As the outlook attention of VOLO does: patches of 3 x 3 around each second cell, changed, and summed again."""
    mark = mark_of(
        lambda x: F.fold(F.unfold(x, 3, padding=1, stride=2), (12, 8), 3, padding=1, stride=2), torch.zeros(1, 3, 12, 8)
    )
    assert mark.where is not None
    assert mark.where[0] == (12, 8)
    assert mark.where[1][:2] == ((1, 1), (0, 0))


def test_other_channels_are_shuffled_to_parts_of_a_cell():
    mark = mark_of(lambda x: F.pixel_shuffle(torch.cat([x, x], 1)[:, :4], 2), torch.zeros(1, 3, 12, 8))
    assert lies(mark) == ((24, 16), Lies((0.5, 0.5), (-0.25, -0.25), (1, 1)))
