"""Tokens through whole networks: the codes of tensors, of which truth is known by how the network is built."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from seewhy.models.torch.attention.codes import Coded
from seewhy.models.torch.attention.tracing import CELLS, Tracing

X = torch.randn(1, 3, 12, 16, generator=torch.Generator().manual_seed(0))
W = torch.randn(5, 3, 4, 4, generator=torch.Generator().manual_seed(1))
GRID = (3, 4)


def codes(follow: Tracing, tensor: Tensor) -> list[int]:
    coded = follow(tensor)
    assert isinstance(coded, Coded)
    assert coded.pairs is None
    return coded.codes.flatten().tolist()


def test_cells_become_tokens_where_they_are_asked_for():
    follow = Tracing(X)
    with follow:
        cells = F.conv2d(X, W, stride=4)
        tokens = cells.flatten(2).mT
    assert codes(follow, tokens) == [*range(CELLS, CELLS + 12)]
    space = follow.space_of(CELLS + 3)
    assert space.grid == GRID
    assert space.place is not None
    assert space.place.stride == (4, 4)


def test_a_class_token_amid_the_patches_is_a_token_of_no_place():
    follow = Tracing(X)
    with follow:
        tokens = F.conv2d(X, W, stride=4).flatten(2).mT
        row = torch.cat([tokens[:, :5], torch.zeros(1, 2, 5), tokens[:, 5:]], 1)
        row = F.layer_norm(F.gelu(row), (5,))
    found = codes(follow, row)
    assert [code for code in found if code >= CELLS] == [*range(CELLS, CELLS + 12)]
    assert [i for i, code in enumerate(found) if code < CELLS] == [5, 6]
    assert len({*found}) == 14


def test_tokens_that_are_put_anew_into_a_row_are_others():
    """As the prompts of each layer are, which stand where those of the layer before stood."""
    follow = Tracing(X)
    with follow:
        tokens = F.conv2d(X, W, stride=4).flatten(2).mT
        first = torch.cat([torch.zeros(1, 2, 5), tokens], 1)
        second = torch.cat([torch.zeros(1, 2, 5), first[:, 2:]], 1)
    assert codes(follow, first)[2:] == codes(follow, second)[2:]
    assert not {*codes(follow, first)[:2]} & {*codes(follow, second)[:2]}


@pytest.mark.parametrize("mixing", ["conv", "mean", "roll added", "softmax"])
def test_what_mixes_tokens_makes_others(mixing):
    follow = Tracing(X)
    with follow:
        cells = F.conv2d(X, W, stride=4)
        tokens = cells.flatten(2).mT
        before = codes(follow, tokens)
        if mixing == "conv":
            other = F.conv2d(cells, torch.ones(5, 1, 3, 3), padding=1, groups=5).flatten(2).mT
        elif mixing == "mean":
            other = tokens.mean(1, keepdim=True)
        elif mixing == "softmax":
            other = tokens * tokens.mT.softmax(-1).mT
        else:
            other = tokens.roll(1, 1)
        made = tokens + other
    coded = follow(made)
    assert coded is not None
    assert coded.pairs is not None or not {*before} & {*codes(follow, made)}  # weights of keys are no tokens either


def test_what_is_all_zeros_carries_nothing():
    follow = Tracing(X)
    with follow:
        tokens = F.conv2d(X, W, stride=4).flatten(2).mT
        made = tokens + 0 * tokens.mean(1, keepdim=True)
    assert codes(follow, made) == [*range(CELLS, CELLS + 12)]


def test_what_is_written_over_is_another():
    follow = Tracing(X)
    with follow:
        tokens = F.conv2d(X, W, stride=4).flatten(2).mT.contiguous()
        before = codes(follow, tokens)
        tokens[:, 1:] += tokens[:, :-1].clone()
        written = codes(follow, tokens)
    assert not {*before} & {*written}


def test_what_an_attention_gave_is_of_its_queries_and_tells_so():
    follow = Tracing(X)
    with follow:
        tokens = F.conv2d(X, W, stride=4).flatten(2).mT
        out = F.avg_pool1d(tokens.mT, 3, 1, 1).mT  # as an attention mixes them
    known = follow(tokens)
    assert known is not None
    follow.passed(out, known.codes, known.seen)
    assert codes(follow, out) == codes(follow, tokens)
    made = follow(out)
    assert made is not None
    assert made.seen == 1
    with follow:
        beside = tokens + out
        spoilt = out + tokens.mean(1, keepdim=True)
    both = follow(beside)
    assert both is not None
    assert both.seen == 1
    assert 0 in follow.mixed_beside
    assert not {*codes(follow, spoilt)} & {*codes(follow, tokens)}


def test_some_of_the_cells_are_a_coarser_map():
    follow = Tracing(X)
    with follow:
        taken = F.conv2d(X, W, stride=4)[:, :, ::2, ::2].flatten(2).mT
    assert codes(follow, taken) == [CELLS + cell for cell in (0, 2, 8, 10)]
    coded = follow.anew(taken)
    assert coded is not None
    assert follow.space_of(int(coded.codes.max())).grid == (2, 2)
