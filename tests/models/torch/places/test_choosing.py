"""Entries that are chosen at places that are known: by the cells that they carry."""

import pytest
import torch
from torch import Tensor

from seewhy.models.torch.places.choosing import BY_CONTENT
from support.cells import Program, faults, followed_mark, numbered_cells
from support.following import mark_of


def tokens(x: Tensor) -> Tensor:
    return x.flatten(2).mT


KEPT = torch.tensor([7, 3, 3, 40])
EACH = torch.tensor([[0, 5], [9, 2]])
EXACT: dict[str, Program] = {  # of an image (2, 3, 6, 8)
    "slices": lambda x: x[:, 1:, 2:5, ::3],
    "an ellipsis, a new axis, a number": lambda x: x[..., None, 1:, 4],
    "a negative number": lambda x: x[-1, :, -2:],
    "an index of tokens": lambda x: tokens(x)[:, KEPT],
    "a list": lambda x: tokens(x)[:, [4, 2]],
    "a table of tokens": lambda x: tokens(x)[0][torch.tensor([[0, 1], [8, 9]])],
    "several indices": lambda x: tokens(x)[torch.tensor([0, 1])[:, None], torch.tensor([3, 4])[None]],
    "a mask": lambda x: tokens(x)[:, torch.arange(48) % 5 != 2],
    "a mask over rows and columns": lambda x: x[:, :, torch.ones(6, 8) > 0],
    "a number in a tensor": lambda x: x[:, torch.tensor(1)],
    "index_select": lambda x: x.index_select(-1, KEPT[:3]),
    "gather": lambda x: tokens(x).gather(1, KEPT[None, :, None].expand(2, -1, 3)),
    "gather of fewer channels": lambda x: tokens(x).gather(1, KEPT[None, :, None].expand(2, -1, 2)),
    "gather by image": lambda x: tokens(x)[:, :1].expand(2, 10, 3).gather(1, EACH[..., None].expand(-1, -1, 3)),
    "gather by channel": lambda x: x.gather(2, torch.arange(3)[None, :, None, None].expand(2, 3, 1, 8)),
    "take_along_dim": lambda x: tokens(x).take_along_dim(KEPT[None, :, None], 1),
    "repeat_interleave": lambda x: x.repeat_interleave(torch.tensor([1, 2, 0, 1, 1, 1]), 2),
    "repeat_interleave of all": lambda x: x.repeat_interleave(2),
    "repeat": lambda x: x.repeat(2, 1, 1, 2, 1),
    "tile": lambda x: torch.tile(x, (2,)),
    "expand": lambda x: x[:, :1].expand(-1, 5, -1, -1),
    "flips": lambda x: torch.flip(x, (2, 3)),
    "fliplr and flipud": lambda x: torch.fliplr(torch.flipud(x[0, 0])),
    "turned": lambda x: torch.rot90(x, 3, (2, 3)),
    "narrow": lambda x: x.narrow(2, -3, 2),
    "select": lambda x: x.select(3, 5),
    "split": lambda x: torch.cat(x.split([1, 5], 2)[::-1], 2),
    "vsplit": lambda x: torch.cat(torch.vsplit(x[0].movedim(0, -1), 3), 0),
    "unbind": lambda x: x.unbind(3)[2],
    "iteration": lambda x: [*x][1],
}


@pytest.mark.parametrize("name", EXACT)
def test_entries_lie_where_they_were_chosen(name):
    x = numbered_cells(2, 3, 6, 8)
    _, mark = followed_mark(EXACT[name], x)
    assert mark is not None
    assert mark.lost == ""
    assert faults(EXACT[name], x) == []


REFUSED: dict[str, Program] = {
    "the strongest": lambda x: tokens(x).gather(1, tokens(x).mean(-1).topk(4).indices[..., None].expand(-1, -1, 3)),
    "where it is bright": lambda x: x[x > 0.5],
    "sorted": lambda x: tokens(x).sort(1).values,
    "an index from the image": lambda x: tokens(x)[:, tokens(x)[0, :, 0].argsort()],
    "masked_select": lambda x: x.masked_select(x > 0.5),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_the_image_decides_on_is_refused(name):
    assert mark_of(REFUSED[name], torch.rand(2, 3, 6, 8)).lost == BY_CONTENT


def test_images_that_are_all_kept_are_all_there():
    """Padded images are taken out by their content."""
    mark = mark_of(lambda x: x[(x != 0).any(-1).any(-1).any(-1)], torch.rand(2, 3, 6, 8))
    assert mark.where is not None


def test_other_entries_for_each_column_are_refused():
    index = torch.arange(6).repeat(2)[:8].expand(2, 3, 1, 8)
    assert mark_of(lambda x: x.gather(2, index), torch.zeros(2, 3, 6, 8)).lost == "other entries for each cell"
    assert mark_of(lambda x: x.diagonal(0, 2, 3), torch.zeros(2, 3, 6, 8)).lost == "a diagonal of a tensor"
