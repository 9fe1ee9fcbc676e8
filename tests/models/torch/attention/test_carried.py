"""Each rule against what its call does: a number of the result hangs on those tokens, by gradient, that its code names."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from seewhy.models.torch.attention.carried import RULES, carried
from seewhy.models.torch.attention.codes import CONSTANT, MIXED, Coded

N, TOKENS, C = 1, 6, 4
RNG = torch.Generator().manual_seed(0)
W = torch.randn(5, C, generator=RNG)
CLASS = torch.randn(N, 2, C, generator=RNG)
ORDER = torch.randperm(TOKENS, generator=RNG)


class Codes:
    """The codes of one row of tokens x (n, tokens, c); of all other tensors none."""

    def __init__(self, x: Tensor) -> None:
        self.x, self.others = x, 100

    def __call__(self, tensor):
        row = torch.arange(TOKENS, dtype=torch.int32).reshape(1, TOKENS, 1)
        return Coded(row) if tensor is self.x else None

    def fresh(self, count: int) -> Tensor:
        self.others += count
        return torch.arange(self.others - count, self.others, dtype=torch.int32)


CALLS = {
    "linear": (F.linear, (W,)), "of a matrix": (torch.matmul, (W.mT,)), "einsum": (torch.einsum, (W,)),
    "layer norm": (F.layer_norm, ((C,),)), "norm over tokens": (F.layer_norm, ((TOKENS, C),)), "gelu": (F.gelu, ()),
    "plus": (torch.add, (torch.ones(TOKENS, 1),)), "mean over tokens": (torch.mean, (1,)),
    "mean over channels": (torch.mean, (2,)),
    "transposed": (torch.transpose, (1, 2)), "reshaped": (torch.reshape, ((N, 2, 3, C),)), "flattened": (torch.flatten, (1,)),
    "flipped": (torch.flip, ((1,),)), "rolled": (torch.roll, (2, 1)), "reordered": (torch.index_select, (1, ORDER)),
    "taken": (Tensor.__getitem__, ((slice(None), slice(1, 5, 2)),)), "one": (Tensor.__getitem__, ((slice(None), 3),)),
    "padded": (F.pad, ((0, 0, 1, 2),)), "shares of channels": (torch.softmax, (2,)), "expanded": (Tensor.expand, (3, -1, -1)),
    "repeated": (Tensor.repeat, (1, 2, 1)), "convolved": (F.conv1d, (torch.randn(TOKENS, TOKENS, 1, generator=RNG),)),
    "cells convolved": (F.conv1d, (torch.randn(3, TOKENS, 3, generator=RNG),)),
}  # fmt: skip


def run(name, fn, x, rest):
    return fn("ntc,oc->nto", x, *rest) if name == "einsum" else fn(x, *rest)


def hangs_on(x: Tensor, out: Tensor) -> list[set[int]]:
    """The tokens on which each number of the result depends."""
    found = []
    for number in out.flatten():
        (g,) = torch.autograd.grad(number, [x], retain_graph=True, allow_unused=True)
        found.append(set() if g is None else {*torch.nonzero(g[0].abs().sum(-1)).flatten().tolist()})
    return found


@pytest.mark.parametrize("name", CALLS)
def test_codes_name_the_tokens_that_a_result_hangs_on(name):
    fn, rest = CALLS[name]
    x = torch.randn(N, TOKENS, C, generator=RNG).requires_grad_()
    out = run(name, fn, x, rest)
    args = ("ntc,oc->nto", x, *rest) if name == "einsum" else (x, *rest)
    try:
        made = carried(Codes(x), fn, args, {}, out)
    except NotImplementedError:
        made = None
    expected = hangs_on(x, out)
    if made is None:  # refused rightly: tokens are mixed
        assert any(len(tokens) > 1 for tokens in expected)
        return
    assert isinstance(made, Coded)
    found = made.codes.expand(out.shape).flatten().tolist()
    assert all({code} == tokens if code >= 0 else tokens == set() if code == CONSTANT else len(tokens) > 1
               for code, tokens in zip(found, expected, strict=True))  # fmt: skip


def test_what_is_joined_to_tokens_becomes_tokens_of_its_own():
    x, codes = torch.randn(N, TOKENS, C, generator=RNG), None
    codes = Codes(x)
    for parts in ((CLASS, x), (x[:, :0], x, CLASS)):
        made = carried(codes, torch.cat, (parts, 1), {}, torch.cat(parts, 1))
        assert isinstance(made, Coded)
        found = made.codes.flatten().tolist()
        assert [code for code in found if code < 100] == [*range(TOKENS)]
        assert len({*found}) == TOKENS + 2
    made = carried(codes, torch.cat, ((x, torch.ones(N, TOKENS, 1)), 2), {}, torch.ones(N, TOKENS, C + 1))
    assert isinstance(made, Coded)  # numbers beside those of a token are no tokens
    assert {*made.codes.flatten().tolist()} == {*range(TOKENS), CONSTANT}


def test_queries_and_keys_are_told_apart():
    x = torch.randn(N, TOKENS, C, generator=RNG)
    keys = x.clone()

    class Both(Codes):
        def __call__(self, tensor):
            own = super().__call__(tensor)
            row = torch.arange(50, 50 + TOKENS, dtype=torch.int32)
            return (
                Coded(row.reshape(1, 1, -1), None, 2)
                if tensor is turned
                else Coded(row.reshape(1, -1, 1))
                if tensor is keys
                else own
            )

    turned = keys.mT
    codes = Both(x)
    for made in (
        carried(codes, torch.matmul, (x, turned), {}, x @ turned),
        carried(codes, torch.einsum, ("nqc,nkc->nqk", x, keys), {}, x @ turned),
    ):
        assert isinstance(made, Coded)
        assert made.pairs is not None
        assert made.codes.flatten().tolist() == [*range(TOKENS)]
        assert made.pairs.flatten().tolist() == [*range(50, 50 + TOKENS)]


def test_a_softmax_over_tokens_is_no_token():
    """Its numbers hang on all of them, whatever they are multiplied with."""
    x = torch.randn(N, C, TOKENS, generator=RNG)
    row = torch.arange(TOKENS, dtype=torch.int32).reshape(1, 1, TOKENS)
    made = RULES["softmax"](lambda t: Coded(row) if t is x else None, x.softmax(-1), x, -1)
    assert isinstance(made, Coded)
    assert made.codes.flatten().tolist() == [CONSTANT]
    assert made.pairs is not None
    with pytest.raises(NotImplementedError):
        RULES["sum"](lambda t: made if t is x else None, x.sum(-1), x, -1)


def test_batch_norm_counts_in_eval_mode_alone():
    x, norm = torch.randn(N, TOKENS, C, generator=RNG), nn.BatchNorm1d(TOKENS)
    args = (x, norm.running_mean, norm.running_var)
    assert carried(Codes(x), F.batch_norm, args, {"training": False}, x) is not None
    with pytest.raises(NotImplementedError):
        carried(Codes(x), F.batch_norm, args, {"training": True}, x)
    assert MIXED < 0
