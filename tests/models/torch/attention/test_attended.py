"""Where rollout, relevance and LeGrad have no meaning, what they say then; and what they leave of a network."""

from functools import partial

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import seewhy
from seewhy import METHODS
from support.ask import close, far, values
from support.families import ALL, Tokens
from support.families.known import bold
from support.families.timm import made
from support.references.attention import NAMES, Brightest, core


class Odd(nn.Module):
    """ByHand, but something is odd about it."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.tokens, self.first, self.block, self.how = Tokens(1, 8), Brightest(), Brightest(), how
        self.mixed = nn.Conv1d(4, 4, 3, padding=1).double()

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.tokens(x)
        if self.how == "frozen":
            with torch.no_grad():
                return self.block(tokens)[:, 0, 1:]
        if self.how == "zero":
            return 0 * self.block(tokens)[:, 0, 1:]
        tokens = self.first(tokens)
        tokens = self.mixed(tokens.mT).mT if self.how == "mixed" else tokens.flip(1) if self.how == "flipped" else tokens
        return self.block(tokens)[:, 0, 1:]


@pytest.mark.parametrize(
    ("how", "why"),
    [("mixed", "Between first and block .*tokens are mixed in between"), ("flipped", "tokens change their places in it")],
)
def test_what_lies_between_attentions_is_seen(how, why):
    x = np.random.default_rng(0).normal(0, 1, (1, 3, 32, 48))
    for name in NAMES:
        with pytest.raises(seewhy.NotApplicable, match=why):
            METHODS[name](seewhy.wrap(Odd(how)), x)
    core("attention-rollout", Odd("plain"), x)


REFUSED = {
    "timm swin": "the number of tokens changes",
    "hf swinv2": "the number of tokens changes",
    "timm maxvit": "stages.1.blocks.0.attn_grid.attn and stages.1.blocks.1.attn_block.attn .*mixed in between",
    "timm pvt_v2": "stages.0.blocks.0.attn: 16x24 tokens look at 2x3, which are pooled",
    "timm xcit": "blocks.0.attn: it cannot be followed to tokens of the image: channels attend to channels",
    "timm cait": "blocks.0.attn: what its softmax made is changed before it meets the values, as talking heads",
    "timm levit": "stages.1.downsample.attn_downsample: 2x2 tokens look at 4x4",
    "timm davit": "stages.0.blocks.0.1.attn: it cannot be followed",
    "timm resnet": "ResNet has no attention that can be seen",
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_has_no_meaning_is_refused_and_why(name):
    model = seewhy.wrap(ALL[name].network())
    for method in NAMES:
        with pytest.raises(seewhy.NotApplicable, match=REFUSED[name]):
            METHODS[method](model, ALL[name].images(1))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("net", ["timm deit, distilled", "hf dinov2, 4 registers", "tokens before the batch, averaged"])
def test_a_batch_equals_its_singles(name, net):
    x, model = ALL[net].images(3), seewhy.wrap(ALL[net].network())
    together = METHODS[name](model, x, target=[0, 1])
    alone = [m for i in range(3) for m in METHODS[name](model, x[i : i + 1], target=[0, 1])]
    close(values(together), values(alone), 1e-6)
    assert [(m.place, m.source.target) for m in together] == [(i, t) for i in range(3) for t in ("0", "1")]
    assert {m.source.layer for m in together} == {"attention"}
    for one, other in zip(together, alone, strict=True):
        assert one.source.predicted.index == other.source.predicted.index
        assert one.source.score == pytest.approx(other.source.score)


def test_cells_lie_where_the_patches_do():
    """75 x 54 pixels hold 4 x 3 patches of 16: 11 rows below and 6 columns at the right are seen by none."""
    (m,) = seewhy.attention_rollout(seewhy.wrap(ALL["timm vit, an odd size"].network()), ALL["timm vit, an odd size"].images(1))
    assert m.cells is not None
    assert (m.cells.first, m.cells.stride, m.cells.size) == ((7.5, 7.5), (16, 16), (75, 54))
    assert m.source.geometry == "receptive-field"


def test_a_class_is_named_where_it_plays_a_part():
    model, x = seewhy.wrap(ALL["timm vit"].network()), ALL["timm vit"].images(1)
    rollout, relevance = seewhy.explain(model, x, ["attention-rollout", "transformer-relevance"], target=2)
    assert (rollout.source.index, rollout.source.score) == (None, None)
    answer = model.answer(x)
    assert relevance.source.index == 2
    assert relevance.source.score == pytest.approx(answer.scores[0, 2])
    assert rollout.source.predicted == relevance.source.predicted


@pytest.mark.parametrize("name", NAMES)
def test_frozen_networks_and_no_grad_outside(name):
    x = ALL["timm vit"].images(1)
    expected = core(name, ALL["timm vit"].network(), x)
    with torch.no_grad():
        close(core(name, ALL["timm vit"].network().requires_grad_(False), x), expected)


def state(network: nn.Module) -> list:
    modules = [*network.modules()]
    return [[m.training for m in modules], [len(m._forward_hooks) + len(m._forward_pre_hooks) for m in modules],
            [(p.requires_grad, p.grad is None) for p in network.parameters()], torch.get_rng_state().tolist(),
            torch.is_grad_enabled(), torch.overrides._get_current_function_mode_stack()]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("fails", [False, True])
def test_the_model_comes_back_as_it_was(name, fails, monkeypatch):
    network = ALL["timm vit"].network().train()
    if fails:
        monkeypatch.setattr(network.blocks[2].mlp, "forward", lambda x: 1 / 0)
    before = state(network)
    with pytest.raises(seewhy.BadNetwork, match="division by zero") if fails else torch.no_grad():
        METHODS[name](seewhy.wrap(network), ALL["timm vit"].images(1))
    assert state(network) == before


def test_a_zero_gradient_leaves_an_empty_map_that_says_so():
    network = ALL["timm vit"].network()
    with torch.no_grad():
        network.head.weight.zero_()  # as torchvision begins
    x = ALL["timm vit"].images(1)
    rollout, relevance, le_grad = seewhy.explain(seewhy.wrap(network), x, [*NAMES], target=0)
    assert rollout.values.any()
    for m in (relevance, le_grad):
        assert not m.values.any()
        assert any("no attention weight raises the score" in w for w in m.warnings)


def test_one_target_without_a_gradient_among_others():
    network = ALL["timm vit"].network()
    with torch.no_grad():
        network.head.weight[0] = 0
    for name in NAMES[1:]:
        empty, full = METHODS[name](seewhy.wrap(network), ALL["timm vit"].images(1), target=[0, 1])
        assert full.values.any()
        assert not empty.values.any()
        assert any("no attention weight raises the score" in w for w in empty.warnings)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("name", NAMES)
def test_half_precision(name, dtype):
    x, net = ALL["timm deit, distilled"].images(1), ALL["timm deit, distilled"].network()
    expected = values(METHODS[name](seewhy.wrap(net), x, target=1))
    found = values(METHODS[name](seewhy.wrap(net.to(dtype)), x.astype(np.float32), target=1))
    close(found, expected, 0.03)


def test_what_a_network_runs_without_gradient_is_told():
    x = np.random.default_rng(0).normal(0, 1, (1, 3, 32, 48))
    with pytest.raises(seewhy.NotApplicable, match="no gradient passes it"):
        seewhy.transformer_relevance(seewhy.wrap(Odd("frozen")), x)


@pytest.mark.parametrize(
    ("params", "what"), [({"head_fusion": "sum"}, "head_fusion is one of"), ({"discard": 1}, "is a share")]
)
def test_parameters_out_of_range(params, what):
    with pytest.raises(seewhy.BadParameter, match=what):
        seewhy.attention_rollout(seewhy.wrap(ALL["timm vit"].network()), ALL["timm vit"].images(1), **params)


def test_other_weights_are_read_anew():
    """Where tokens lie is kept; what they look at is not."""
    network, x = ALL["timm vit"].network(), ALL["timm vit"].images(1)
    model = seewhy.wrap(network)
    first = values(seewhy.attention_rollout(model, x))
    with torch.no_grad():
        network.blocks[0].attn.qkv.weight.mul_(3)
    far(values(seewhy.attention_rollout(model, x)), first)
    close(values(seewhy.attention_rollout(model, x)), values(seewhy.attention_rollout(seewhy.wrap(network), x)))


def test_nothing_is_taken_for_attention_by_its_number_of_channels():
    """XCiT whose heads have as many channels as there are patches: their matrices are square, and of channels."""
    xcit = bold(partial(made, "xcit", "Xcit", img_size=(64, 64), embed_dim=32, depth=2, num_heads=2, eta=1.0))
    with pytest.raises(seewhy.NotApplicable, match="channels attend to channels"):
        seewhy.attention_rollout(seewhy.wrap(xcit), np.random.default_rng(0).normal(0, 1, (1, 3, 64, 64)))
