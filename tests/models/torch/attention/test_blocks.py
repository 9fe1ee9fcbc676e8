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


class Sharing(nn.Module):
    """A block whose attention is written out, so that a test can hold its weights."""

    def __init__(self):
        super().__init__()
        self.norm, self.qkv, self.out = nn.LayerNorm(8), nn.Linear(8, 24), nn.Linear(8, 8)
        self.seen = []

    def forward(self, tokens):
        q, k, v = self.qkv(self.norm(tokens)).chunk(3, -1)
        a = (q @ k.transpose(-2, -1) / 8**0.5).softmax(-1)
        self.seen[:] = [a]
        return tokens + self.out(a @ v)


class Dense(nn.Module):
    """Three such blocks, and an end that makes scores (n, 3, h, w), or (n, 3), of the tokens and the images."""

    def __init__(self, end):
        super().__init__()
        self.patch, self.blocks = nn.Conv2d(3, 8, 8, 8), nn.Sequential(Sharing(), Sharing(), Sharing())
        self.norm, self.head, self.end = nn.LayerNorm(8), nn.Conv2d(8, 3, 1), end

    def forward(self, x):
        return self.end(self, x, self.norm(self.blocks(self.patch(x).flatten(2).transpose(1, 2))))


ENDS = {
    "of tokens alone": lambda net, x, t: net.head(t.transpose(1, 2).unflatten(2, (2, 3))),
    "that counts the images": lambda net, x, t: net.head(t.permute(0, 2, 1).reshape(len(x), 8, 2, 3)),
    "that counts them, drawn out": lambda net, x, t: nn.functional.interpolate(
        net.head(t.permute(0, 2, 1).reshape(len(x), -1, 2, 3)), size=x.shape[2:], mode="bilinear"
    ),
    "that adds the image": lambda net, x, t: net.head(t.transpose(1, 2).unflatten(2, (2, 3))) + nn.functional.avg_pool2d(x, 8),
    "that goes image by image": lambda net, x, t: torch.stack(
        [net.head(t[i : i + 1].transpose(1, 2).unflatten(2, (2, 3)))[0] for i in range(len(x))]
    ),
    "that sets rows beside": lambda net, x, t: torch.cat(
        [net.head(t.transpose(1, 2).unflatten(2, (2, 3))), nn.functional.avg_pool2d(x, 8)], 1
    )[:, :3],
    "that pools rows counted": lambda net, x, t: net.head(t.transpose(1, 2)[..., None]).reshape(len(x), -1, 3, 6).mean((1, 3)),
}


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("count", [1, 2])
def test_le_grad_of_any_end_is_that_of_each_block_by_itself(end, count):
    """sum_l mean_q relu(ds_l/dA_l), each s_l from a pass of its own of one image, in which a hook puts block l's tokens at the
    end: also where that knows how many images came in, so that the tokens of all blocks cannot go on as more of them.
    """
    network = bold(lambda: Dense(ENDS[end]))
    space = network(X).shape[2:]
    mask = torch.arange(space.numel()).reshape(space) % 3 == 1
    target = seewhy.Region(1, mask.numpy()) if space else 1
    maps = seewhy.le_grad(seewhy.wrap(network), X[:count].numpy(), target=target)
    for i in range(count):
        total = torch.zeros(2, 3, dtype=torch.float64)
        for block in network.blocks:
            kept = {}
            handles = [block.register_forward_hook(lambda _m, _a, out, kept=kept: kept.update(tokens=out))]
            handles.append(network.blocks[-1].register_forward_hook(lambda _m, _a, _out, kept=kept: kept["tokens"]))
            scores = network(X[i : i + 1])[0, 1]
            for handle in handles:
                handle.remove()
            (g,) = torch.autograd.grad(scores[mask].mean() if space else scores, block.seen[0])
            total += g.clamp(min=0).mean(1).reshape(2, 3)
        torch.testing.assert_close(torch.as_tensor(maps[i].values).double(), total, rtol=1e-5, atol=1e-9)


def test_an_end_that_takes_neither_is_refused_with_what_works():
    def single(net, x, t):
        assert len(t) == 1, "one image at a time"
        return net.head(t.transpose(1, 2).unflatten(2, (2, 3)))

    network = bold(lambda: Dense(single))
    with pytest.raises(seewhy.NotApplicable, match=r"one image at a time.* transformer-relevance"):
        seewhy.le_grad(seewhy.wrap(network), X[:1].numpy(), target=seewhy.Point(0, 0, 1))
