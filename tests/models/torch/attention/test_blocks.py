"""The scores of the tokens behind each block, by the network's own end: against running the blocks by hand."""

import pytest
import torch
from torch import nn
from torch.testing import assert_close

import seewhy
from seewhy.models.torch.attention.attended import survey_of
from seewhy.models.torch.attention.blocks import _blocks, at_each_block
from support.families.known import bold


class Net(nn.Module):
    """Patches, three blocks of attention in boxes of other modules, and an end."""

    def __init__(self):
        super().__init__()
        self.patch = nn.Conv2d(3, 8, 8, 8)
        self.stem = nn.Sequential(Block(), Block())
        self.last, self.norm, self.fc = Block(), nn.LayerNorm(8), nn.Linear(8, 5)

    def end(self, tokens):
        return self.fc(self.norm(tokens).mean(1))

    def forward(self, x):
        return self.end(self.last(self.stem(self.patch(x).flatten(2).transpose(1, 2))))


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm, self.attn, self.mlp = nn.LayerNorm(8), nn.MultiheadAttention(8, 2, batch_first=True), nn.Linear(8, 8)

    def forward(self, tokens):
        h = self.norm(tokens)
        tokens = tokens + self.attn(h, h, h, need_weights=False)[0]
        return tokens + self.mlp(tokens)


X = torch.randn(2, 3, 16, 24, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def network():
    return bold(Net)


def ran(model):
    with model.runner.ready(X) as x, torch.enable_grad():
        survey = survey_of(model.runner, x, True)
        return _blocks(survey), at_each_block(model.runner, x.requires_grad_().clone(), survey)


def test_each_block_is_the_largest_around_one_attention(network):
    blocks, _ = ran(seewhy.wrap(network))
    assert blocks == ["stem.0", "stem.1", "last"]


def test_the_scores_behind_each_block_are_those_of_its_tokens(network):
    _, (raw, scores) = ran(seewhy.wrap(network))
    tokens = network.patch(X).flatten(2).transpose(1, 2)
    expected = []
    for block in (*network.stem, network.last):
        tokens = block(tokens)
        expected.append(network.end(tokens))
    assert_close(raw, torch.cat(expected))
    assert_close(scores, raw)


def test_no_gradient_passes_from_one_block_to_the_one_before(network):
    model = seewhy.wrap(network)
    with model.runner.ready(X) as x, torch.enable_grad():
        survey = survey_of(model.runner, x, True)
        _, scores = at_each_block(model.runner, x.requires_grad_().clone(), survey)
        for i, block in enumerate((*network.stem, network.last)):
            found = torch.autograd.grad(
                scores[2 * i : 2 * i + 2, 1].sum(), [b.mlp.weight for b in (*network.stem, network.last)],
                retain_graph=True, allow_unused=True,
            )  # fmt: skip
            assert [g is not None and bool(g.any()) for g in found] == [
                other is block for other in (*network.stem, network.last)
            ]


def test_hooks_are_gone(network):
    ran(seewhy.wrap(network))
    assert not any(module._forward_hooks for module in network.modules())


def test_a_unit_has_no_end_behind_each_block(network):
    model = seewhy.wrap(network).upto("last", "max")
    with pytest.raises(seewhy.NotApplicable, match="no end of the network behind each block"), model.runner.ready(X) as x:
        at_each_block(model.runner, x, survey_of(model.runner, x, True))


def test_an_attention_in_no_block_of_its_own_is_refused():
    class Outer(Net):
        def __init__(self):
            super().__init__()
            self.stem, self.last = nn.Sequential(nn.Identity()), Pair()

    class Pair(nn.Module):
        """Two attentions of one module."""

        def __init__(self):
            super().__init__()
            self.query = nn.Linear(8, 8)

        def forward(self, tokens):
            for _ in range(2):
                q = self.query(tokens)
                tokens = tokens + (q @ q.transpose(1, 2)).softmax(-1) @ tokens
            return tokens

    model = seewhy.wrap(bold(Outer))
    with pytest.raises(seewhy.NotApplicable, match="lies in no block of its own"):
        ran(model)
