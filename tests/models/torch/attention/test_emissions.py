"""Codes of tokens: sent through a network, each arrives as what it was, and a mixture of several is none."""

import pytest
import torch
from torch import nn

from seewhy.models.torch.attention.attending import Attending
from seewhy.models.torch.attention.emissions import Emission, decoded, emissions, length_of
from seewhy.models.torch.places.layout import FIRST, LAST, SEQUENCE, TOKENS, Located
from support import layouts

RNG = torch.Generator().manual_seed(0)
SPACE = (2, 3)
LAYOUTS = {
    FIRST: layouts.first(5, SPACE), LAST: layouts.last(5, SPACE), TOKENS: layouts.tokens(5, SPACE, before=1),
    SEQUENCE: layouts.tokens(5, SPACE, before=1, sequence=True),
}  # fmt: skip
SHAPES = {FIRST: (2, 5, *SPACE), LAST: (2, *SPACE, 5), TOKENS: (2, 7, 5), SEQUENCE: (7, 2, 5)}


def emission(kind, dtype=torch.float32):
    a = torch.randn(SHAPES[kind], generator=RNG).to(dtype)
    return Emission(a, LAYOUTS[kind], 0, 7 if a.ndim == 3 else 6)


@pytest.mark.parametrize("kind", SHAPES)
def test_tokens_come_image_by_image(kind):
    seen = emission(kind)
    tokens = seen.tokens(seen.a)
    assert tokens.shape == (2, seen.length, 5)
    lies = seen.lies
    own = tokens[:, list(lies.tokens)].transpose(1, 2).reshape(2, 5, *SPACE)
    assert torch.equal(own, lies.turn(seen.a))


@pytest.mark.parametrize("kind", SHAPES)
def test_each_token_has_one_code_in_all_its_numbers(kind):
    seen = emission(kind)
    codes = seen.codes(torch.arange(2 * seen.length))
    assert codes.shape == seen.a.shape
    assert torch.equal(seen.tokens(codes)[..., 0].flatten(), torch.arange(2.0 * seen.length))
    assert bool((seen.tokens(codes).std(-1) == 0).all())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("kind", SHAPES)
def test_what_arrives_in_another_order_is_known_again(kind, dtype):
    seen = emission(kind, dtype)
    count = 2 * seen.length
    order = torch.randperm(count, generator=RNG)
    weights = torch.randn(count, 5, generator=RNG).to(dtype)  # of each row other ones, as behind a layer
    found = decoded(lambda codes: (seen.tokens(codes) * 1).reshape(count, 5)[order] * weights, seen)
    assert found is not None
    assert torch.equal(found, order)


def test_rows_where_nothing_arrives_are_none_of_the_tokens():
    seen = emission(TOKENS)
    found = decoded(lambda codes: torch.cat([seen.tokens(codes)[:, 1:3], torch.zeros(2, 1, 5)], 1), seen)
    assert found is not None
    assert found.tolist() == [[1, 2, -1], [8, 9, -1]]


MIXED = {
    "a mean": lambda tokens: tokens.mean(1, keepdim=True),
    "neighbours": lambda tokens: tokens + 0.5 * tokens.roll(1, 1),
    "other channels of others": lambda tokens: torch.cat([tokens[..., :2], tokens.roll(1, 1)[..., 2:]], -1),
}


@pytest.mark.parametrize("how", MIXED)
def test_what_several_were_mixed_into_has_no_code(how):
    seen, noise = emission(TOKENS), torch.randn(2, 7, 5, generator=RNG)
    assert decoded(lambda codes: MIXED[how](seen.tokens(codes) * noise), seen) is None


def test_what_is_not_connected_has_no_code():
    assert decoded(lambda _: None, emission(TOKENS)) is None


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.patch, self.norm, self.fc = nn.Conv2d(3, 5, 4, 4), nn.LayerNorm(5), nn.Linear(5, 4)

    def forward(self, x):
        tokens = self.patch(x).flatten(2).transpose(1, 2)
        tokens = self.norm(tokens)
        return self.fc(tokens.mean(1))


def lies(a):
    if a.ndim == 4:
        layout = layouts.first(a.shape[1], a.shape[2:]) if a.shape[1] == 5 else None
    else:
        layout = layouts.tokens(a.shape[2], SPACE) if a.shape[1:2] == (6,) and a.ndim == 3 else None
    return Located(tuple(a.shape), layout)


def test_what_layers_emit_is_noted_in_order_and_hooks_are_gone():
    network, emitted, entered = Net(), [], []
    x = torch.randn(2, 3, 8, 12, generator=RNG).requires_grad_()
    with emissions(network, Attending(network), emitted, entered, lies):
        network(x)
    assert [length_of(one.lies, one.a.shape) for one in emitted] == [6, 6, 6]
    assert [one.lies.kind for one in emitted] == [FIRST, TOKENS, TOKENS]  # of the norm also what enters it
    assert torch.equal(emitted[1].a, emitted[0].tokens(emitted[0].a))
    assert torch.equal(entered[0], emitted[2].a.mean(1))
    assert not any(module._forward_hooks for module in network.modules())
