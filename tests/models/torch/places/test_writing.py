"""Rows of an image that are written among others: by the cells that they carry."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from support.cells import Program, faults, followed_mark, numbered_cells
from support.following import Lies, lies, mark_of
from support.random_calls import blank

AMONG = torch.zeros(2, 60, dtype=torch.bool)
SPREAD = torch.arange(48) * 7 % 60
AMONG[:, 5:25] = AMONG[:, 30:58] = True


def tokens(x: Tensor) -> Tensor:
    return x.flatten(2).mT


def put(sheet: Tensor, *writes: tuple[object, Tensor]) -> Tensor:
    for index, value in writes:
        sheet[index] = value
    return sheet


def each_image(x: Tensor) -> Tensor:
    sheet = blank(2, 3, 9, 10)
    for image, page in zip(x, sheet, strict=True):
        page[:, :6, 1:9].copy_(image)
    return sheet


EXACT: dict[str, Program] = {  # of an image (2, 3, 6, 8)
    "masked_scatter": lambda x: blank(2, 60, 3).masked_scatter(AMONG[..., None].expand(2, 60, 3), tokens(x)),
    "masked_scatter_": lambda x: blank(2, 60, 3).masked_scatter_(AMONG[..., None], tokens(x)),
    "a mask": lambda x: put(blank(2, 60, 3), (AMONG, tokens(x).flatten(0, 1))),
    "a slice": lambda x: put(blank(2, 60, 3), ((slice(None), slice(4, 52)), tokens(x))),
    "an index": lambda x: put(blank(2, 60, 3), ((slice(None), SPREAD), tokens(x))),
    "index_put": lambda x: blank(60, 3).index_put((torch.arange(48) + 7,), tokens(x)[0]),
    "index_copy": lambda x: blank(2, 60, 3).index_copy(1, torch.arange(47, -1, -1), tokens(x)),
    "two parts": lambda x: put(
        blank(2, 60, 3), ((slice(None), slice(0, 20)), tokens(x)[:, :20]), ((slice(None), slice(30, 58)), tokens(x)[:, 20:])
    ),
    "a part that is changed": lambda x: put(tokens(x).clone(), ((slice(None), slice(0, 20)), tokens(x)[:, :20])),
    "one row that is changed": lambda x: put(tokens(x).clone(), ((slice(None), 3), tokens(x)[:, 3])),
    "images on sheets": each_image,
    "row by row": lambda x: put(blank(2, 3, 6, 8), *(((slice(None), slice(None), i), x[:, :, i]) for i in range(6))),
    "a class token over a token": lambda x: put(tokens(x).clone(), ((slice(None), 0), blank(3))),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:Use of masked_scatter")
@pytest.mark.parametrize("name", EXACT)
def test_rows_lie_where_they_were_written(name):
    x = numbered_cells(2, 3, 6, 8)
    _, mark = followed_mark(EXACT[name], x)
    assert mark is not None
    assert mark.lost == ""
    assert faults(EXACT[name], x) == []


def test_what_is_written_on_a_blank_sheet_lies_where_it_was_written():
    def net(x: Tensor) -> Tensor:
        sheet = x.new_zeros(1, 3, 20, 24)
        sheet[:, :, 3:19, 5:21].copy_(x)
        return sheet

    assert lies(mark_of(net, torch.zeros(1, 3, 16, 16))) == ((20, 24), Lies((1, 1), (-3, -5), (1, 1)))


def test_frames_in_a_buffer_are_a_film():
    def net(x: Tensor) -> Tensor:
        buffer = torch.zeros(2, 4, 3, 3, 2)
        for i in range(4):
            buffer[:, i] = F.avg_pool2d(x[:, :, i], 2)
        return buffer

    mark = mark_of(net, torch.zeros(2, 3, 4, 6, 5))
    assert [dim.axes for dim in mark.dims] == [(), (0,), (), (1,), (2,)]
    assert mark.dims[1].rows is None


def test_numbers_that_are_set_to_zero_stay_where_they_are():
    def net(x: Tensor) -> Tensor:
        y = x.clone()
        y[:, :, 2:4, 3:5] = 0
        return y

    assert lies(mark_of(net, torch.zeros(2, 3, 6, 8))) == ((6, 8), Lies((1, 1), (0, 0), (1, 1)))


def test_a_part_to_which_something_is_added_stays_where_it_is():
    """As position biases are to the weights of patches, not of a class token."""

    def net(x: Tensor) -> Tensor:
        row = torch.cat([blank(2, 1, 3), tokens(x)], 1)
        row[:, 1:] += 0.3 * row[:, 1:]
        return row

    x = torch.zeros(2, 3, 6, 8)
    assert lies(mark_of(net, x)) == lies(mark_of(lambda x: torch.cat([blank(2, 1, 3), tokens(x)], 1), x))
    assert not mark_of(net, x).lost


def test_the_only_entry_of_two_dimensions_may_be_written_to():
    def net(x: Tensor) -> Tensor:
        y = x.flatten(2).mT[:, None].clone()  # (1, 1, cells, channels)
        y[0, 0].mul_(2)
        return y

    mark = mark_of(net, torch.zeros(1, 3, 6, 8))
    assert mark.shape == (1, 1, 48, 3)
    assert mark.dims[2].axes == (0, 1)


REFUSED: dict[str, Program] = {
    "at other places for each image": lambda x: blank(2, 60, 3).masked_scatter(
        torch.stack([AMONG[0], AMONG[0].roll(1)])[..., None].expand(2, 60, 3), tokens(x)
    ),
    "to an entry twice": lambda x: put(blank(60, 3), (torch.zeros(48, dtype=torch.long), tokens(x)[0])),
    "added": lambda x: blank(60, 3).index_put((torch.arange(48),), tokens(x)[0], accumulate=True),
    "where the image says": lambda x: put(blank(2, 3, 6, 8), (x > 3, x[x > 3])),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_told_is_refused(name):
    assert mark_of(REFUSED[name], numbered_cells(2, 3, 6, 8)).lost
