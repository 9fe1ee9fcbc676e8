"""Tensors put side by side: cells that are carried along, and maps that meet."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from seewhy.models.torch.places.joining import joined, stacked
from seewhy.models.torch.places.marks import IMAGES, start
from seewhy.models.torch.places.merging import DIFFERENT
from support.cells import Program, faults, followed_mark, numbered_cells
from support.following import lies, mark_of
from support.random_calls import blank

VIDEO = (2, 3, 4, 6, 5)


def tokens(x: Tensor) -> Tensor:
    return x.flatten(2).mT


EXACT: dict[str, Program] = {  # of an image (2, 3, 6, 8)
    "a class token in the middle": lambda x: (t := tokens(x), torch.cat([t[:, :20], blank(2, 1, 3), t[:, 20:]], 1))[1],
    "words before and behind": lambda x: torch.cat([blank(2, 5, 3), tokens(x), blank(2, 17, 3)], 1),
    "two halves, exchanged": lambda x: torch.cat([x[..., 3:, :], x[..., :3, :]], 2),
    "strips that were cut and joined": lambda x: torch.cat(x.chunk(4, -1), -1),
    "every second, and the others": lambda x: torch.cat([x[..., ::2], x[..., 1::2]], -1),
    "a roll by hand": lambda x: torch.cat([x[..., -2:], x[..., :-2]], -1),
    "rows one by one": lambda x: torch.stack(x.unbind(2), 2),
    "images one by one": lambda x: torch.stack([x[1], x[0]]),
    "images as lists": lambda x: torch.cat([x[i : i + 1] for i in range(2)]),
    "tokens of all images in one row": lambda x: torch.cat([*tokens(x)], 0),
    "channels of two images": lambda x: torch.cat([x[0], x[1]], 0),
    "twice along the batch": lambda x: torch.cat([x, x], 0),
    "views": lambda x: torch.stack([x, x, x], 1).flatten(0, 1),
    "tokens one by one": lambda x: torch.stack(tokens(x).unbind(1)[::-1], 1),
    "the class token put back": lambda x: (
        t := torch.cat([blank(2, 1, 3), tokens(x)], 1), torch.cat([t[:, :1], t[:, 1:]], 1)
    )[1],
    "nothing, and a map": lambda x: torch.cat([x[..., :0], x], -1),
}  # fmt: skip


@pytest.mark.parametrize("name", EXACT)
def test_what_is_put_side_by_side_is_where_it_was(name):
    x = numbered_cells(2, 3, 6, 8)
    _, mark = followed_mark(EXACT[name], x)
    assert mark is not None
    assert mark.lost == ""
    assert faults(EXACT[name], x) == []


def test_frames_one_by_one_are_the_film_again():
    def net(x: Tensor) -> Tensor:
        return torch.stack([F.avg_pool2d(x[:, :, i], 2) for i in range(4)], 1)

    mark = mark_of(net, torch.zeros(VIDEO))
    assert [dim.axes for dim in mark.dims] == [(), (0,), (), (1,), (2,)]
    assert mark.axes[0][:5] == (1, 0, 0, 0, None)


def test_a_border_lies_around_a_map():
    mark = mark_of(lambda x: torch.cat([torch.zeros(2, 3, 2, 5), x], 2), torch.zeros(2, 3, 4, 5))
    assert lies(mark) == ((6, 5), ((1, 1), (-2, 0), (1, 1)))


@pytest.mark.parametrize("cut", [3, 8, 20])
def test_pieces_that_were_worked_on_each_by_itself_are_the_row_again(cut):
    """Where they look differs by the weights of each, not where they lie."""

    def net(x: Tensor) -> Tensor:
        row = tokens(F.avg_pool2d(x, 2))
        first, second = row[:, :cut], row[:, cut:]
        return torch.cat([first + 0.1 * F.linear(first, torch.eye(3)), 2 * second], 1)

    x = torch.zeros(2, 3, 12, 16)
    whole = lies(mark_of(lambda x: tokens(F.avg_pool2d(x, 2)), x))
    assert whole is not None
    assert lies(mark_of(net, x)) == whole
    film = mark_of(lambda x: torch.cat([0.5 * x[:, :, :2], x[:, :, 2:] + x[:, :, 2:]], 2), x)
    assert lies(film) == lies(start(x.shape))


def test_along_channels_the_places_are_averaged():
    def net(x: Tensor) -> Tensor:
        return torch.cat([x[..., i::2, j::2] for i in (0, 1) for j in (0, 1)], 1)

    assert lies(mark_of(net, torch.zeros(2, 3, 8, 8))) == ((4, 4), ((2, 2), (0.5, 0.5), (2, 2)))


def test_cells_in_channels_beside_other_channels():
    """As where a fine map is folded into the channels of a coarse one."""

    def net(x: Tensor) -> Tensor:
        return torch.cat([F.pixel_unshuffle(x, 2), F.avg_pool2d(x, 2)], 1)

    assert lies(mark_of(net, torch.zeros(2, 3, 8, 8))) == ((4, 4), ((2, 2), (0.5, 0.5), (2, 2)))


REFUSED: dict[str, tuple[Program, str]] = {
    "maps of two scales": (
        lambda x: torch.cat([tokens(x), tokens(F.avg_pool2d(x, 2))], 1), "puts maps of several scales into one row"
    ),
    "crops": (lambda x: torch.cat([x[..., :6], x[..., 2:]], 0), DIFFERENT),
    "an image and its mirror image": (lambda x: torch.cat([x, x.flip(-1)], 0), DIFFERENT),
    "turned channels": (lambda x: torch.cat([x[..., :6], x[..., :6].mT], 1), DIFFERENT),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_lies_differently_is_refused(name):
    net, why = REFUSED[name]
    assert mark_of(net, torch.zeros(2, 3, 6, 8)).lost == why


def test_pooled_numbers_among_tokens_lie_nowhere():
    mark = mark_of(lambda x: torch.cat([tokens(x).mean(1, keepdim=True), tokens(x)], 1), torch.zeros(2, 3, 2, 2))
    assert mark.dims[1].rows == (-1, 0, 1, 2, 3)
    assert mark.whole


def test_marks_without_tensors():
    image = start((2, 3, 8, 6))
    assert lies(joined([image, image], -3, [3, 3], (2, 6, 8, 6))) == lies(image)
    assert lies(stacked([image, image], -4, (2, 2, 3, 8, 6))) == lies(image)
    assert joined([None, None], -1, [3, 3], (2, 6)).lost


def test_maps_that_lie_apart_are_not_stacked():
    quarters = lambda x: torch.stack([x[..., i : i + 3, k : k + 4] for i in (0, 3) for k in (0, 4)])  # noqa: E731
    assert mark_of(quarters, torch.zeros(2, 3, 6, 8)).lost == DIFFERENT
    branches = mark_of(lambda x: torch.stack([x[..., 1:], F.avg_pool2d(x, (1, 2), 1)], 1).mean(1), torch.zeros(2, 3, 6, 8))
    assert branches.where is not None, "of branches of one map the places are averaged"


@pytest.mark.parametrize("n", [1, 2])
def test_one_image_is_put_back_as_several_are(n):
    for net in (lambda x: torch.cat([*tokens(x)], 0), lambda x: torch.stack([*x]), lambda x: x[0][None]):
        assert mark_of(net, torch.zeros(n, 3, 6, 8)).dims[0].images


def test_copies_of_one_image_are_told_as_copies_of_several_are():
    for n in (1, 3):
        x = torch.zeros(n, 3, 6, 8)
        for net in (lambda x: x.repeat(2, 1, 1, 1), lambda x: torch.cat([x, x])):
            assert [f.axis for f in mark_of(net, x).dims[0].factors] == [None, IMAGES]
        for net in (lambda x: x.repeat_interleave(2, 0), lambda x: x[:, None].expand(-1, 2, 3, 6, 8).flatten(0, 1)):
            assert [f.axis for f in mark_of(net, x).dims[0].factors] == [IMAGES, None]
