"""Attention that is not all that joins tokens, or whose rows are no weights of single tokens: refused, and why."""

from functools import partial

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import seewhy
from seewhy import METHODS, attention
from seewhy.models.torch.attention.places import Lately, attention_survey
from support.families.known import bold
from support.families.timm import made
from support.references.attention import NAMES

GRID = (4, 6)


class Block(nn.Module):
    """Attention over GRID, and something beside it."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.how, self.qkv, self.project = how, nn.Linear(8, 24), nn.Linear(8, 8)
        self.conv, self.gain = nn.Conv2d(8, 8, 3, padding=1, groups=8), float(how != "zeros")

    def forward(self, tokens: Tensor) -> Tensor:
        q, k, v = self.qkv(tokens).chunk(3, -1)
        out = F.scaled_dot_product_attention(q[:, None], k[:, None], v[:, None])[:, 0]
        if self.how in ("of values", "of tokens"):
            out = out + self.conv((v if self.how == "of values" else tokens).mT.unflatten(2, GRID)).flatten(2).mT
        elif self.how == "mean":
            out = out + v.mean(1, keepdim=True)
        return tokens + self.gain * self.project(out)


class Net(nn.Module):
    def __init__(self, how: str) -> None:
        super().__init__()
        self.how, self.patches, self.head = how, nn.Conv2d(3, 8, 16, 16), nn.Linear(8, 3)
        self.blocks = nn.Sequential(Block(how), Block(how))

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.patches(x).flatten(2).mT
        order = torch.randperm(24) if self.how == "shuffled" else torch.arange(24)
        return self.head(self.blocks(tokens[:, order]).mean(1))


def net(how: str) -> seewhy.models.model.Differentiable:
    return seewhy.wrap(bold(partial(Net, how)), grid=GRID)


X = np.random.default_rng(0).normal(0, 1, (2, 3, 64, 96))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("how", "layer"), [("of values", "blocks.0"), ("of tokens", "blocks.1"), ("mean", "blocks.0")])
def test_what_mixes_tokens_beside_attention_is_seen(how, layer, name):
    """As a convolution of the values (CSWin's positions) does, which rollout would take for nothing."""
    with pytest.raises(seewhy.NotApplicable, match=f"Beside {layer} tokens are mixed by something else, too"):
        METHODS[name](net(how), X)
    assert METHODS[name](net("alone"), X)[0].values.any()


def test_its_weights_may_be_looked_at():
    for m in attention(net("of values"), X, "blocks.0", query=3):
        assert m.values.sum() == pytest.approx(1, abs=1e-6)


def test_a_layer_of_zeros_is_no_change_of_places():
    with pytest.raises(seewhy.NotApplicable, match="nothing of what the first makes goes on: a layer of zeros"):
        seewhy.attention_rollout(net("zeros"), X)


def test_tokens_that_are_shuffled_have_no_place():
    """As those of a masked autoencoder, whose class token says the same each time."""
    for ask in (attention, seewhy.attention_rollout):
        with pytest.raises(seewhy.NotApplicable, match=r"blocks\.0 looks elsewhere each time that the same images come in"):
            ask(net("shuffled"), X)


def test_windows_that_overlap_have_no_row_of_one_token():
    """VOLO's outlook attention: a token is the sum of what up to four windows make of it, and their weights sum to four."""
    outlook = {"layers": (1, 1), "embed_dims": (16, 32), "num_heads": (2, 2), "outlook_attention": (True, False)}
    build = partial(made, "volo", "VOLO", img_size=64, downsamples=(True, False), stem_hidden_dim=8, post_layers=None,
                    mlp_ratio=2.0, use_aux_head=False, **outlook)  # fmt: skip
    model, x = seewhy.wrap(bold(build)), X[:, :, :, :64]
    with pytest.raises(seewhy.NotApplicable, match="its windows overlap"):
        attention(model, x, "network.0")
    for m in attention(model, x):
        assert m.source.layer == "network.2.0.attn"
        assert m.values.sum() == pytest.approx(1, abs=1e-6)


def test_what_can_be_looked_at_is_named_only_where_it_can():
    with pytest.raises(seewhy.NotApplicable, match=r"alone does not tell\. attention\(model, images, layer=\.\.\.\) shows"):
        seewhy.attention_rollout(net("mean"), X)
    channels = bold(partial(made, "xcit", "Xcit", img_size=64, embed_dim=32, depth=2, cls_attn_layers=0, num_heads=2, eta=1.0,
                            global_pool="avg"))  # fmt: skip
    with pytest.raises(seewhy.NotApplicable, match=r"cannot be multiplied\. Grad-CAM and other methods"):
        seewhy.attention_rollout(seewhy.wrap(channels), X[:, :, :64, :64])


class Beside(nn.Module):
    """Patches, and tokens of no place beside them that stand anywhere; the scores read the first of these."""

    def __init__(self, at: int, extra: int, depth: int = 2, prompts: bool = False) -> None:
        super().__init__()
        self.patches, self.head, self.at, self.prompts = nn.Conv2d(3, 8, 16, 16), nn.Linear(8, 3), at, prompts
        self.blocks = nn.ModuleList(Block("alone") for _ in range(depth))
        self.extra = nn.Parameter(torch.randn(depth, 1, extra, 8, generator=torch.Generator().manual_seed(3)))

    def joined(self, tokens: Tensor, extra: Tensor) -> Tensor:
        return torch.cat([tokens[:, : self.at], extra.expand(len(tokens), -1, -1).to(tokens), tokens[:, self.at :]], 1)

    def forward(self, x: Tensor) -> Tensor:
        tokens, count = self.joined(self.patches(x).flatten(2).mT, self.extra[0]), self.extra.shape[2]
        for depth, block in enumerate(self.blocks):
            if self.prompts and depth:
                tokens = self.joined(torch.cat([tokens[:, : self.at], tokens[:, self.at + count :]], 1), self.extra[depth])
            tokens = block(tokens)
        return self.head(tokens[:, self.at])


@pytest.mark.parametrize("name", ["attention-rollout", "transformer-relevance"])
@pytest.mark.parametrize("extra", [1, 12, 17])
def test_a_map_is_the_same_wherever_tokens_of_no_place_stand(extra, name):
    """Attention does not know the order of its tokens, so that the map must be the same, bit for bit but for rounding."""
    first, *others = (METHODS[name](seewhy.wrap(bold(partial(Beside, at, extra))), X, target=1) for at in (0, 24, 7))
    for other in others:
        for one, m in zip(first, other, strict=True):
            assert one.values.shape == m.values.shape == GRID
            assert np.allclose(one.values, m.values, atol=1e-6 * one.values.max())


def surveyed(build, x=X[:1]):
    network = bold(build)
    return attention_survey(network, torch.as_tensor(x), lambda x: ((raw := network(x)), raw))


def test_what_the_scores_read_is_told():
    reads = surveyed(partial(Beside, 7, 3)).reads
    assert reads is not None
    assert [i for i, each in enumerate(reads.tolist()) if each] == [7]
    even = surveyed(partial(Net, "alone")).reads
    assert even is not None
    assert even.shape == (24,)
    assert bool((even > 0).all())


def test_prompts_of_each_layer_are_other_tokens():
    """Where those of one layer stood stand those of the next: rollout would hand on what the first looked at."""
    assert surveyed(partial(Beside, 0, 2)).proved
    assert not surveyed(partial(Beside, 0, 2, prompts=True)).proved
    with pytest.raises(seewhy.NotApplicable, match="alone does not tell"):
        seewhy.attention_rollout(seewhy.wrap(bold(partial(Beside, 0, 2, prompts=True))), X)


class SideBySide(Net):
    def forward(self, x: Tensor) -> Tensor:
        tokens = self.patches(x).flatten(2).mT
        return self.head((self.blocks[0](tokens) + self.blocks[1](tokens)).mean(1))


def test_attentions_side_by_side_are_no_chain():
    survey = surveyed(partial(SideBySide, "alone"))
    assert [attention.square for attention in survey.attentions] == [True, True]
    assert not survey.proved
    with pytest.raises(seewhy.NotApplicable, match="one does not come behind the other"):
        seewhy.attention_rollout(seewhy.wrap(bold(partial(SideBySide, "alone"))), X)


@pytest.mark.parametrize("how", ["of values", "of tokens", "mean", "zeros", "shuffled"])
def test_what_mixes_tokens_is_no_proof(how):
    survey = surveyed(partial(Net, how))
    assert not survey.proved
    assert bool(survey.unknown) == (how == "shuffled")


def test_layers_say_how_many_tokens_they_emit():
    survey = surveyed(partial(Beside, 7, 3))
    assert survey.row("patches") == (24, "channels first")
    assert survey.row("blocks.1") == (27, "tokens")
    assert survey.row("head") == (0, "")
    assert survey.row("no such layer") == (0, "")


def test_the_first_rollout_runs_the_network_twice():
    """Once to find out which tokens are joined, and once for the map; each later one once."""
    network = bold(partial(Beside, 0, 1, depth=4))
    images: list[int] = []
    forward = network.forward
    network.forward = lambda x: images.append(len(x)) or forward(x)
    model = seewhy.wrap(network)
    for expected in ([1, 2], [2]):
        seewhy.attention_rollout(model, X)
        assert images == expected
        images.clear()


def test_a_graph_keeps_what_came_lately():
    x = torch.ones(3, requires_grad=True)
    lately = Lately()
    with lately:
        first = (x * 2).exp()
        lately.begin()
        second = (first * 3).exp()
        assert len(lately.kept) > 0
    (g,) = torch.autograd.grad(second.sum(), [first], retain_graph=True)
    assert torch.equal(g, 3 * second.detach())
    with pytest.raises(IndexError):
        torch.autograd.grad(second.sum(), [x])
