"""Products of tensors: which cells the result holds, however the product is written."""

from math import inf

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from seewhy.models.torch.places.marks import IMAGES, Dim, Factor, Mark
from seewhy.models.torch.places.merging import MIXED
from support.following import Net, followed, lies, mark_of

X = torch.rand(2, 3, 4, 5, generator=torch.Generator().manual_seed(0))
CELLS = Dim((Factor(4, 0), Factor(5, 1)))


def tokens(x: Tensor) -> Tensor:
    return x.flatten(2).mT


def holds(mark: Mark, *dims: str) -> None:
    """Each dimension holds the images (n), the cells (hw), a part of them (h or w), or neither (c)."""
    kinds = {"n": Dim((Factor(2, IMAGES),)), "hw": CELLS, "h": Dim((Factor(4, 0),)), "w": Dim((Factor(5, 1),))}
    assert mark.lost == ""
    assert len(mark.dims) == len(dims)
    for dim, kind in zip(mark.dims, dims, strict=True):
        assert dim == kinds[kind] if kind != "c" else not dim.informed


PRODUCTS: dict[str, tuple[Net, tuple[str, ...]]] = {
    "cells times weights": (lambda x: tokens(x) @ torch.ones(3, 7), ("n", "hw", "c")),
    "weights times cells": (lambda x: torch.ones(7, 3) @ x.flatten(2), ("n", "c", "hw")),
    "cells times a vector": (lambda x: tokens(x) @ torch.ones(3), ("n", "hw")),
    "weights over cells": (lambda x: tokens(x).mT @ torch.ones(20, 7), ("n", "c", "c")),
    "reversed": (lambda x: tokens(x).__rmatmul__(torch.ones(2, 6, 20)), ("n", "c", "c")),
    "bmm": (lambda x: torch.bmm(torch.ones(2, 7, 3), x.flatten(2)), ("n", "c", "hw")),
    "addmm": (lambda x: torch.addmm(torch.ones(7), tokens(x)[0], torch.ones(3, 7)), ("hw", "c")),
    "baddbmm": (lambda x: torch.baddbmm(tokens(x), tokens(x), torch.ones(2, 3, 3)), ("n", "hw", "c")),
    "inner": (lambda x: torch.inner(tokens(x), torch.ones(7, 3)), ("n", "hw", "c")),
    "outer": (lambda x: torch.outer(x[0, 0, :, 0], x[0, 0, 0, :]), ("h", "w")),
    "tensordot": (lambda x: torch.tensordot(x, torch.ones(3, 7), ([1], [0])), ("n", "h", "w", "c")),
    "tensordot of the last": (lambda x: torch.tensordot(x, torch.ones(4, 5), 2), ("n", "c")),
    "bilinear": (lambda x: F.bilinear(tokens(x), tokens(x), torch.ones(7, 3, 3)), ("n", "hw", "c")),
    "cdist": (lambda x: torch.cdist(tokens(x), torch.ones(6, 3)), ("n", "hw", "c")),
    "einsum, weights": (lambda x: torch.einsum("nchw,kc->nkhw", x, torch.ones(7, 3)), ("n", "c", "h", "w")),
    "einsum, turned": (lambda x: torch.einsum("n c h w -> n w h c", x), ("n", "w", "h", "c")),
    "einsum, an ellipsis": (lambda x: torch.einsum("...hw,wk->...kh", x, torch.ones(5, 2)), ("n", "c", "c", "h")),
    "einsum, no arrow": (lambda x: torch.einsum("ba,cbij", torch.ones(3, 7), x), ("c", "n", "h", "w")),
    "einsum, a list": (lambda x: torch.einsum("nij,nkj->nik", [tokens(x), torch.ones(2, 7, 3)]), ("n", "hw", "c")),
    "rows and columns": (lambda x: x.mean(3).mT @ x.mean(2), ("n", "h", "w")),
    "attention by hand": (lambda x: (t := tokens(x), (t @ t.mT).softmax(-1) @ t)[1], ("n", "hw", "c")),
    "attention the other way round": (lambda x: (t := tokens(x), t.mT @ (t @ t.mT).softmax(1))[1], ("n", "c", "hw")),
    "attention of channels": (lambda x: (t := tokens(x), (t.mT @ t).softmax(-1) @ t.mT)[1], ("n", "c", "hw")),
    "linear attention": (lambda x: (t := tokens(x), t @ (t.mT @ t))[1], ("n", "hw", "c")),
    "attention": (lambda x: F.scaled_dot_product_attention(tokens(x), tokens(x), tokens(x)), ("n", "hw", "c")),
    "attention to fewer": (
        lambda x: (k := tokens(F.avg_pool2d(x, 2)), F.scaled_dot_product_attention(tokens(x), k, k))[1], ("n", "hw", "c")
    ),
    "learned queries": (
        lambda x: F.scaled_dot_product_attention(torch.ones(2, 6, 3), tokens(x), tokens(x)), ("n", "c", "c")
    ),
    "learned queries by hand": (lambda x: (torch.ones(6, 3) @ x.flatten(2)).softmax(-1) @ tokens(x), ("n", "c", "c")),
    "slots": (
        lambda x: torch.einsum("nlk,nlc->nkc", F.linear(tokens(x), torch.ones(4, 3)).softmax(1), tokens(x)), ("n", "c", "c")
    ),
    "the maps of learned queries": (lambda x: torch.ones(6, 3) @ x.flatten(2), ("n", "c", "hw")),
}  # fmt: skip


@pytest.mark.parametrize("name", PRODUCTS)
def test_which_cells_a_product_holds(name):
    net, dims = PRODUCTS[name]
    holds(mark_of(net, X), *dims)


@pytest.mark.parametrize("name", ["attention by hand", "attention", "attention of channels", "slots", "weights over cells"])
def test_what_is_summed_over_cells_sees_the_whole_image(name):
    assert mark_of(PRODUCTS[name][0], X).whole


def test_the_weights_of_an_attention_pair_cells():
    assert mark_of(lambda x: tokens(x) @ x.flatten(2), X).pairs


def test_products_over_the_batch_mix_images():
    assert mark_of(lambda x: torch.ones(2, 2) @ x.flatten(1), X).lost == MIXED
    assert mark_of(lambda x: torch.einsum("nchw,mchw->nm", x, x), X).lost == MIXED
    assert mark_of(lambda x: torch.einsum("nchh->nch", x[..., :4]), X).lost == "a diagonal of a tensor"


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("grad", [True, False])
def test_multi_head_attention(first, grad):
    attention = nn.MultiheadAttention(4, 2, batch_first=first).eval()
    rows = ("n", "hw", "c") if first else ("hw", "n", "c")

    def net(x: Tensor, queries: bool = False) -> tuple[Tensor, Tensor]:
        t = F.pad(tokens(x), (0, 1))
        q = torch.ones(2, 6, 4) if queries else t
        q, k = (q, t) if first else (q.transpose(0, 1), t.transpose(0, 1))
        return attention(q, k, k)

    with torch.set_grad_enabled(grad):
        (out, weights), following = followed(net, X)
        holds(following.of(out), *rows)
        assert following.of(weights).pairs
        (out, weights), following = followed(lambda x: net(x, True), X)
    holds(following.of(out), *("c" if name == "hw" else name for name in rows))
    holds(following.of(weights), "n", "c", "hw")


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, nn.RNN])
@pytest.mark.parametrize("first", [True, False])
def test_recurrent_networks_keep_their_rows(kind, first):
    net = kind(3, 4, 2, batch_first=first, bidirectional=True)

    def run(x: Tensor) -> tuple[Tensor, Tensor]:
        out, state = net(tokens(x) if first else tokens(x).transpose(0, 1))
        return out, state[0] if kind is nn.LSTM else state

    (out, state), following = followed(run, X)
    mark = following.of(out)
    assert mark is not None
    assert mark.whole
    holds(mark, *(("n", "hw", "c") if first else ("hw", "n", "c")))
    holds(following.of(state), "c", "n", "c")


@pytest.mark.parametrize("kind", [nn.LSTMCell, nn.GRUCell, nn.RNNCell])
def test_cells_of_recurrent_networks(kind):
    net = kind(3, 4)

    def run(x: Tensor) -> Tensor:
        state = None
        for t in tokens(x).unbind(1):
            state = net(t, state)
        return state[0] if isinstance(state, tuple) else state

    mark = mark_of(run, X)
    holds(mark, "n", "c")
    assert mark.whole


def test_rows_of_one_length_that_are_packed():
    net = nn.GRU(3, 4, batch_first=True)

    def run(x: Tensor, lengths: tuple[int, int]) -> Tensor:
        rows = nn.utils.rnn.pack_padded_sequence(tokens(x), torch.tensor(lengths), batch_first=True, enforce_sorted=False)
        return nn.utils.rnn.pad_packed_sequence(net(rows)[0], batch_first=True)[0]

    holds(mark_of(lambda x: run(x, (20, 20)), X), "n", "hw", "c")
    assert mark_of(lambda x: run(x, (20, 15)), X).lost == "rows of several lengths in one batch"


def test_an_encoder_layer_of_torch():
    layer = nn.TransformerEncoderLayer(4, 2, 8, batch_first=True).eval()
    with torch.no_grad():
        mark = mark_of(lambda x: layer(F.pad(tokens(x), (0, 1))), X)
    assert lies(mark) == ((4, 5), ((1, 1), (0, 0), (inf, inf)))
