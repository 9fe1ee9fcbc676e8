"""Which tokens the rows and columns of an attention are, where the network is built so that this is known."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from seewhy.models.torch.attention.met import NEITHER, OVERLAP, STRAY, TURNED, WORDS
from seewhy.models.torch.attention.places import AttentionSurvey, attention_survey
from seewhy.models.torch.passes.taps import modules_of

GRID, C = (4, 6), 8
NOISE = torch.randn(1, 3, 16, 24, generator=torch.Generator().manual_seed(0))


class Attention(nn.Module):
    """softmax(q k') v of rows (..., q, c) and (..., k, c), with two heads."""

    def __init__(self, fused: bool = True) -> None:
        super().__init__()
        self.q, self.kv, self.proj, self.fused = nn.Linear(C, C), nn.Linear(C, 2 * C), nn.Linear(C, C), fused

    def forward(self, x: Tensor, of: Tensor | None = None) -> Tensor:
        keys = x if of is None else of
        q, k, v = (part.unflatten(-1, (2, -1)).transpose(-2, -3) for part in (self.q(x), *self.kv(keys).chunk(2, -1)))
        out = F.scaled_dot_product_attention(q, k, v) if self.fused else (q @ k.mT * 0.5).softmax(-1) @ v
        return self.proj(out.transpose(-2, -3).flatten(-2))


class Net(nn.Module):
    """Patches of 4 pixels as tokens, `around` which an attention stands, and a head of the mean."""

    def __init__(self, around, fused: bool = True) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.patch, self.attn, self.head, self.around = nn.Conv2d(3, C, 4, 4), Attention(fused), nn.Linear(C, 3), around
        self.extra = nn.Parameter(torch.randn(1, 30, C))

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.around(self, self.patch(x).flatten(2).mT)
        return self.head(tokens.flatten(1, -2).mean(1))


def surveyed(network: nn.Module) -> AttentionSurvey:
    survey = attention_survey(network, NOISE, lambda x: ((raw := network(x)), raw))
    assert not survey.unknown
    assert not any(module._forward_hooks for module in modules_of(network).values())
    return survey


def amid(at: int, count: int):
    return lambda net, t: net.attn(torch.cat([t[:, :at], net.extra[:, :count], t[:, at:]], 1))


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize(("at", "count"), [(0, 0), (0, 1), (24, 1), (7, 1), (12, 12), (0, 12), (24, 17)])
def test_tokens_of_no_place_may_stand_anywhere(at, count, fused):
    (joined,) = surveyed(Net(amid(at, count), fused)).attentions
    expected = tuple(cell if cell < at else cell + count for cell in range(24))
    assert joined.square
    for row, places in ((joined.queries, joined.rows), (joined.keys, joined.columns)):
        assert row is not None
        assert places is not None
        assert (row.length, row.grid, row.cells) == (24 + count, GRID, expected)
        assert places.tolist() == [[*range(24 + count)]] * 2


def windows(net: Net, t: Tensor) -> Tensor:
    """Windows of 2 x 3 cells, of a map rolled by one cell along both axes."""
    rolled = t.unflatten(1, GRID).roll((-1, -1), (1, 2))
    cut = rolled.reshape(len(t), 2, 2, 2, 3, C).transpose(2, 3).reshape(-1, 6, C)
    back = net.attn(cut).reshape(len(t), 2, 2, 2, 3, C).transpose(2, 3).reshape(len(t), *GRID, C)
    return t + back.roll((1, 1), (1, 2)).flatten(1, 2)


def test_windows_lie_where_they_were_cut():
    (joined,) = surveyed(Net(windows)).attentions
    cells = torch.arange(24).reshape(GRID).roll((-1, -1), (0, 1))
    expected = [cells[2 * i : 2 * i + 2, 3 * j : 3 * j + 3].flatten().tolist() for i in range(2) for j in range(2)]
    assert joined.square
    assert joined.rows is not None
    assert joined.rows.tolist() == [row for row in expected for _ in range(2)]  # two heads
    assert torch.equal(joined.rows, joined.columns)


def columns_first(net: Net, t: Tensor) -> Tensor:
    return net.attn(t.unflatten(1, GRID).transpose(1, 2).flatten(1, 2))


def test_tokens_column_by_column_are_turned_back():
    (joined,) = surveyed(Net(columns_first)).attentions
    assert joined.queries is not None
    assert joined.queries.grid == GRID
    assert joined.queries.cells == tuple(torch.arange(24).reshape(6, 4).T.flatten().tolist())


def along_rows(net: Net, t: Tensor) -> Tensor:
    """Attention along each row of cells, with a class token that all rows share: (b h) (1 + w), then their mean."""
    rows = torch.cat([net.extra[:, None, :1].expand(len(t), GRID[0], 1, C), t.unflatten(1, GRID)], 2)
    out = net.attn(rows.flatten(0, 1)).unflatten(0, (-1, GRID[0]))
    return torch.cat([out[:, :, 0].mean(1, keepdim=True), t + out[:, :, 1:].flatten(1, 2)], 1)


def test_factorised_attention_is_of_its_own_rows():
    network = Net(lambda net, t: t + net.attn(t.unflatten(1, GRID).transpose(1, 2).flatten(0, 1)).unflatten(0, (-1, 6)).transpose(1, 2).flatten(1, 2))  # fmt: skip # noqa: E501
    (joined,) = surveyed(network).attentions
    assert joined.square
    assert joined.rows is not None
    assert joined.rows.tolist() == [[column + 6 * row for row in range(4)] for column in range(6) for _ in range(2)]
    (shared,) = surveyed(Net(along_rows)).attentions
    assert shared.left_out == OVERLAP  # the class token is the mean of what it is in each row
    assert shared.columns is not None
    assert [row[1:] for row in shared.columns.tolist()] == [[6 * i + j for j in range(6)] for i in range(4) for _ in range(2)]


def test_words_are_no_patches():
    """Words beside the patches are tokens of no place; words alone, and those that looked at the image, lie nowhere."""
    (beside,) = surveyed(Net(amid(0, 5))).attentions
    assert beside.keys is not None
    assert beside.keys.cells == tuple(range(5, 29))
    (words,) = surveyed(Net(lambda net, t: net.attn(net.extra[:, :9]) + t.mean(1, keepdim=True))).attentions
    assert (words.queries, words.keys) == (None, None)
    (asking,) = surveyed(Net(lambda net, t: net.attn(net.extra[:, :9], t))).attentions
    assert asking.queries is None
    assert asking.beside
    after = Net(lambda net, t: net.attn(net.first(net.extra[:, :16], t)))
    after.first = Attention()
    _, own = surveyed(after).attentions
    assert own.left_out == WORDS


def test_what_cannot_be_read_as_tokens_says_why():
    def turned(net: Net, t: Tensor) -> Tensor:
        """Queries of pairs of cells that stand in another order than their keys."""
        return net.attn(t.unflatten(1, (12, 2)).flip(2).flatten(0, 1), t.unflatten(1, (12, 2)).flatten(0, 1))

    assert surveyed(Net(turned)).attentions[0].left_out == TURNED
    channels = Net(lambda net, t: ((t.mT @ t).softmax(-1) @ t.mT).mT)
    assert surveyed(channels).attentions[0].left_out == NEITHER
    padded = Net(lambda net, t: net.attn(net.attn(F.pad(t, (0, 0, 0, 3)))))
    assert surveyed(padded).attentions[1].left_out == STRAY


def test_queries_may_stand_in_another_order():
    survey = surveyed(Net(lambda net, t: net.attn(t.flip(1), t)))
    queries, keys = survey.attentions[0].queries, survey.attentions[0].keys
    assert queries is not None
    assert keys is not None
    assert (queries.cells, keys.cells) == (tuple(range(24))[::-1], tuple(range(24)))
    assert not survey.proved  # their weights are not those of tokens with themselves in the same order


def test_a_class_token_that_looks_at_all_is_one_of_them():
    def around(net: Net, t: Tensor) -> Tensor:
        row = torch.cat([net.extra[:, :1], t], 1)
        return torch.cat([row[:, :1] + net.attn(row[:, :1], row), row[:, 1:]], 1)

    (joined,) = surveyed(Net(around)).attentions
    assert joined.rows is not None
    assert joined.rows.tolist() == [[0], [0]]
    assert joined.queries == joined.keys


def test_some_tokens_that_look_at_all_are_a_coarser_map():
    (joined,) = surveyed(Net(lambda net, t: net.attn(t.unflatten(1, GRID)[:, ::2, ::2].flatten(1, 2), t))).attentions
    assert joined.queries is not None
    assert joined.keys is not None
    assert (joined.queries.grid, joined.keys.grid) == ((2, 3), GRID)
    assert not joined.square
