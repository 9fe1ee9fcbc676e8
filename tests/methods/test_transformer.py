"""Rollout, relevance and LeGrad against what their papers say, written a second time; and where they have no meaning."""

import re
from functools import partial

import numpy as np
import pytest
import torch
from torch import Tensor

import seewhy
from seewhy.methods.transformer import _without_weakest, relevance, rolled
from support.ask import close, far
from support.families import ALL
from support.families.known import Family, Known
from support.families.timm import SWIN, made
from support.references import attention as plain
from support.references.attention import ByHand, core

HF = ("hf vit", "hf deit, distilled", "hf dinov2", "hf dinov2, 4 registers", "hf beit", "hf clip", "hf siglip")
TIMM = ("timm vit", "timm vit, 4 registers", "timm vit, 4 registers, no class token", "timm vit, no prefix, averaged",
        "timm deit, distilled", "timm beit", "timm eva", "timm vit, attention pooling")  # fmt: skip
READS = {  # the rows that the head reads, from each model's documentation; n: the mean over patches
    "hf vit": [0], "hf deit, distilled": [0, 1], "hf dinov2": [0, "n"], "hf dinov2, 4 registers": [0, "n"], "hf beit": ["n"],
    "hf clip": ["n"], "hf siglip": ["n"], "timm vit": [0], "timm vit, 4 registers": [0], "timm deit, distilled": [0, 1],
    "timm vit, 4 registers, no class token": ["n"], "timm vit, no prefix, averaged": ["n"], "timm beit": ["n"],
    "timm eva": [0], "timm vit, attention pooling": ["n"], "torchvision vit": [0], "tokens before the batch": [0],
    "tokens before the batch, averaged": ["n"], "the class token at the end": [-1], "registers at the end": [0],
}  # fmt: skip


def drawn(name: str, rows: np.ndarray, patches: int = 0) -> np.ndarray:
    """The rows of (n, tokens, tokens) that the head reads, averaged, at the patches: (n, h, w)."""
    early = ALL[name].early
    own = slice(early.prefix, early.prefix + int(np.prod(ALL[name].early.grid)))
    read = [rows[:, own].mean(1) if row == "n" else rows[:, row] for row in READS[name]]
    return np.mean(read, axis=0)[:, own].reshape(-1, *early.grid)


def weighed(name: str) -> tuple:
    return (plain.told if name in HF else plain.dropped)(plain.eager(name), ALL[name].images(2))


def looks(name: str) -> list[Tensor]:
    """Of the layers over tokens, not of a pooling head."""
    return [a for a in weighed(name)[0] if a.shape[-1] == a.shape[-2]]


@pytest.mark.parametrize("name", [*HF, *TIMM])
def test_rollout(name):
    network, weights = ALL[name].network(), looks(name)
    for how in ("mean", "max", "min"):
        found = core("attention-rollout", network, ALL[name].images(2), head_fusion=how)[0]
        close(found, drawn(name, plain.rollout(weights, how)), 1e-6)


@pytest.mark.parametrize("name", [*HF, *TIMM])
def test_relevance(name):
    found = core("transformer-relevance", ALL[name].network(), ALL[name].images(2), (0, 3))
    for t, target in enumerate((0, 3)):
        weights, scores = weighed(name)
        rows = plain.relevance([a for a in weights if a.shape[-1] == a.shape[-2]], scores[:, target])
        close(found[t], drawn(name, rows - np.eye(rows.shape[-1])), 1e-5)
    far(found[0], found[1])


@pytest.mark.parametrize("name", ["torchvision vit", "tokens before the batch", "tokens before the batch, averaged",
                                  "the class token at the end", "registers at the end"])  # fmt: skip
def test_rollout_of_multihead_attention(name):
    expected = drawn(name, plain.rollout(plain.torch_weights(ALL[name].network(), ALL[name].images(2))))
    close(core("attention-rollout", ALL[name].network(), ALL[name].images(2))[0], expected)


def timm_end(network, z: Tensor) -> Tensor:
    return network.forward_head(network.norm(z))


def hf_end(network, z: Tensor) -> Tensor:
    return network.classifier(network.vit.layernorm(z)[:, 0])


def deit_end(network, z: Tensor) -> Tensor:
    z = network.norm(z)
    return (network.head(z[:, 0]) + network.head_dist(z[:, 1])) / 2


def beit_end(network, z: Tensor) -> Tensor:
    return network.classifier(network.beit.pooler.layernorm(z[:, 1:].mean(1)))


def dinov2_end(network, z: Tensor) -> Tensor:
    z = network.dinov2_with_registers.layernorm(z)
    return network.classifier(torch.cat([z[:, 0], z[:, 5:].mean(1)], 1))


ENDS = {
    "timm vit": ("blocks.{}", timm_end),
    "timm vit, no prefix, averaged": ("blocks.{}", timm_end),
    "timm vit, 4 registers, no class token": ("blocks.{}", timm_end),
    "timm deit, distilled": ("blocks.{}", deit_end),
    "hf vit": ("vit.layers.{}", hf_end),
    "hf beit": ("beit.layers.{}", beit_end),
    "hf dinov2, 4 registers": ("dinov2_with_registers.encoder.layer.{}", dinov2_end),
}


@pytest.mark.parametrize("name", ENDS)
def test_le_grad(name):
    """Every block's score by hand: its tokens through the network's norm, pooling and head."""
    block, end = ENDS[name]
    network, x, got = plain.eager(name), ALL[name].images(2), []
    weigh = plain.told if name in HF else plain.dropped
    tokens = plain.emitted(network, [block.format(i) for i in range(3)], lambda: got.append(weigh(network, x)))
    (weights, scores) = got[0]
    close(end(network, tokens[-1]).detach().numpy(), scores.detach().numpy())  # the end is the network's
    found = core("le-grad", ALL[name].network(), x, (0, 3))
    early = ALL[name].early
    own = slice(early.prefix, early.prefix + int(np.prod(early.grid)))
    for t, target in enumerate((0, 3)):
        expected = plain.le_grad(weights, tokens, partial(end, network), target)
        close(found[t], expected[:, own].reshape(-1, *early.grid), 1e-5)


def test_the_rows_of_a_rollout_sum_to_one():
    draw = np.random.default_rng(0)
    e = [draw.dirichlet(np.ones(7), (2, 7)) for _ in range(4)]
    close(rolled(e, np.stack([np.eye(7)] * 2)).sum(-1), np.ones((2, 7)), 1e-14)
    many = [draw.random((2, 7, 7)) for _ in range(3)]  # as of the max over heads
    close(rolled(many, np.stack([np.eye(7)] * 2)).sum(-1), np.ones((2, 7)), 1e-14)


def test_a_rollout_of_identity_is_identity():
    same = np.eye(5)[None]
    close(rolled([same] * 6, same), same, 1e-15)


def test_a_rollout_by_hand():
    """E + I over its row sums: (3/4, 1/4; 0, 1), then (1, 0; 1/2, 1/2)."""
    first, second = np.array([[[0.5, 0.5], [0, 1]]]), np.array([[[1.0, 0], [1, 0]]])
    close(rolled([first, second], np.eye(2)[None]), np.array([[[3 / 4, 1 / 4], [3 / 8, 5 / 8]]]), 1e-15)


def test_relevance_by_hand():
    """(I + E_2)(I + E_1) - I of E_1 = (0, 1; 0, 0), E_2 = (0, 2; 1, 0); of no gradient nothing."""
    e = [np.array([[[0.0, 1], [0, 0]]]), np.array([[[0.0, 2], [1, 0]]])]
    close(relevance(e, np.eye(2)[None]), np.array([[[0.0, 3], [1, 1]]]), 1e-15)
    assert not relevance([np.zeros((1, 2, 2))] * 3, np.eye(2)[None]).any()


def test_the_weakest_weights_are_left_out():
    e = np.array([[[0.05, 0.3, 0.65], [0.2, 0.7, 0.1]]])
    found = _without_weakest(e, 0.5, slice(1, 3))
    assert found.tolist() == [[[0.05, 0, 0.65], [0.2, 0.7, 0]]]
    assert e[0, 0, 1] == 0.3
    x = ALL["timm vit"].images(1)
    far(core("attention-rollout", ALL["timm vit"].network(), x, discard=0.5),
        core("attention-rollout", ALL["timm vit"].network(), x))  # fmt: skip


def test_relevance_where_the_answer_is_known():
    """A_0j = e^(brightness of j) / (1 + sum), dscore_c / dA_0j = the colour c of j: the map is relu of their product."""
    x = np.random.default_rng(0).normal(0, 1, (2, 3, 32, 48)) * 4
    colour = x.reshape(2, 3, 4, 8, 6, 8).mean((3, 5))  # (n, c, 4, 6)
    bright = np.exp(colour.sum(1))
    a = bright / (1 + bright.sum((1, 2)))[:, None, None]  # the class token's brightness is 0
    found = core("transformer-relevance", ByHand(), x, (0, 1, 2))
    for c in range(3):
        close(found[c], np.maximum(a * colour[:, c], 0))
        close(core("le-grad", ByHand(), x, (c,))[0], np.maximum(colour[:, c], 0) / 25)  # of 25 queries one is read
    close(core("attention-rollout", ByHand(), x)[0], a / 2)


def put_back(a: Tensor, block, n: int) -> Tensor:
    """Windows (n * windows, heads, 16, 16) as whole matrices, by the partition of an image of numbers."""
    from timm.models.swin_transformer import window_partition

    numbers = torch.arange(16 * 24).reshape(1, 16, 24, 1)
    places = window_partition(torch.roll(numbers, [-s for s in block.shift_size], (1, 2)), block.window_size).flatten(1)
    full = torch.zeros(n, a.shape[1], 384, 384, dtype=torch.float64)
    for i, one in enumerate(a.unflatten(0, (n, len(places)))):
        for place, window in zip(places, one, strict=True):
            full[i, :, place[:, None], place] = window
    return full


def test_windows_are_put_in_their_places():
    """Shifted windows of one resolution: rollout and relevance of matrices over all 384 patches."""
    options = {**SWIN, "depths": (2,), "num_heads": (2,)}
    family = Family(partial(made, "swin_transformer", "SwinTransformer", **options), Known("patch_embed", (16, 24)), (16, 24))
    network, x = family.network(), family.images(2)
    for module in network.modules():
        if getattr(module, "fused_attn", False):
            module.fused_attn = False
    weights, scores = plain.dropped(network, x)
    blocks = [*network.layers[0].blocks]
    assert blocks[1].shift_size != (0, 0)
    whole = [put_back(a.detach(), block, 2) for a, block in zip(weights, blocks, strict=True)]
    close(core("attention-rollout", family.network(), x)[0], plain.rollout(whole).mean(1).reshape(2, 16, 24))
    grads = torch.autograd.grad(scores[:, 1].sum(), [*weights], retain_graph=True)
    e = [(a * put_back(g, block, 2)).clamp(min=0).mean(1) for a, g, block in zip(whole, grads, blocks, strict=True)]
    rows = (e[1] + e[0] + e[1] @ e[0]).mean(1).numpy()
    close(core("transformer-relevance", family.network(), x, (1,))[0], rows.reshape(2, 16, 24))
    sums = sum(put_back(g, block, 2).clamp(min=0).mean((1, 2)) for g, block in zip(grads[1:], blocks[1:], strict=True))
    first = core("le-grad", family.network(), x, (1,))[0].reshape(2, 384) - sums.numpy()
    assert first.min() > -1e-12  # the last block's own score is the network's


def test_how_much_each_token_counts_is_said():
    """DINOv2 reads the class token and the mean of the patches; a mean over 24 patches and 4 registers reads all alike."""
    for net, said in (
        ("hf dinov2", "1 token of no place .* for 50 %"),
        ("registers at the end, averaged", "4 tokens .* for 86 %"),
    ):
        (m,) = seewhy.attention_rollout(seewhy.wrap(ALL[net].network()), ALL[net].images(1))
        assert any(re.search(said, w) for w in m.warnings)
    rows = plain.rollout(plain.torch_weights(ALL[net].network(), ALL[net].images(1))).mean(1)
    close(m.values.ravel(), rows[0, :24], 1e-6)


def test_a_bright_patch_is_found():
    """In a trained network's place: one whose class token looks at the brightest patch."""
    x = np.full((1, 3, 32, 48), -0.1)
    x[0, 1, 16:24, 32:40] = 2  # green, the patch (2, 4)
    for name in ("attention-rollout", "transformer-relevance", "le-grad"):
        found = core(name, ByHand(), x, (1,))[0, 0]
        assert np.unravel_index(found.argmax(), found.shape) == (2, 4), name
