"""Transformers' own methods on a network that knows what it looks for: a small ViT, trained here, finds one planted figure."""

import numpy as np
import pytest
import torch
from torch import nn

import seewhy
from seewhy.methods.making.method import lookup

torchvision = pytest.importorskip("torchvision")

SIDE, PATCH = 32, 4
CELLS = SIDE // PATCH


def scenes(n: int, seed: int) -> tuple[torch.Tensor, torch.Tensor, np.ndarray]:
    """Noise, and in one patch a figure, whose pattern (squares, columns, rows) is the class; where it is: (n, 2) in patches."""
    rng, k = np.random.default_rng(seed), np.arange(PATCH)
    figures = [np.add.outer(k, k) % 2, np.add.outer(0 * k, k) // 2 % 2, np.add.outer(k, 0 * k) // 2 % 2]
    x, y, where = rng.normal(0, 0.3, (n, SIDE, SIDE)), rng.integers(0, 3, n), rng.integers(0, CELLS, (n, 2))
    for image, kind, (row, column) in zip(x, y, where * PATCH, strict=True):
        image[row : row + PATCH, column : column + PATCH] += figures[kind] * 2 - 1
    return torch.tensor(x, dtype=torch.float32)[:, None].repeat(1, 3, 1, 1), torch.tensor(y), where


def drawn() -> nn.Module:
    torch.manual_seed(0)
    network = torchvision.models.VisionTransformer(
        image_size=SIDE, patch_size=PATCH, num_layers=2, num_heads=4, hidden_dim=32, mlp_dim=64, num_classes=3
    )
    nn.init.trunc_normal_(network.heads.head.weight, std=0.02)
    return network


@pytest.fixture(scope="module")
def trained() -> nn.Module:
    network = drawn()
    steps = torch.optim.AdamW(network.parameters(), 3e-3)
    for step in range(160):
        x, y, _ = scenes(32, step)
        loss = nn.functional.cross_entropy(network(x), y)
        steps.zero_grad()
        loss.backward()
        steps.step()
    network.eval()
    x, y, _ = scenes(300, 10_000)
    assert (network(x).argmax(1) == y).float().mean() > 0.98
    return network


def found(network: nn.Module, method: seewhy.Method) -> tuple[float, float]:
    """How often the strongest patch is the figure's, and the share of positive evidence there: means over 24 images."""
    x, y, where = scenes(24, 20_000)
    maps = method(seewhy.wrap(network), x.numpy(), target=seewhy.PerImage(y.tolist()))
    hits, shares = [], []
    for one, (row, column) in zip(maps, where, strict=True):
        cells = np.maximum(one.full(), 0).reshape(CELLS, PATCH, CELLS, PATCH).sum((1, 3))
        hits.append(np.unravel_index(cells.argmax(), cells.shape) == (row, column))
        shares.append(cells[row, column] / max(cells.sum(), 1e-12))
    return float(np.mean(hits)), float(np.mean(shares))


WAYS = {  # the least share of the evidence in the figure's patch, of which there are 64
    "attention-rollout": 4 / 64,
    "transformer-relevance": 8 / 64,
    "attn-lrp": 0.5,
    "libra(input-x-gradient)": 0.5,
    "libra(integrated-gradients)": 8 / 64,
}  # le-grad, which leaves the attention weights out, finds it in 5 of 24 images, and so does its derivation by hand


@pytest.mark.parametrize("name", WAYS)
def test_it_finds_the_figure(trained, name):
    hits, share = found(trained, lookup(name))
    assert hits > 0.6
    assert share > WAYS[name]


@pytest.mark.parametrize("name", WAYS)
def test_it_finds_nothing_in_a_network_that_knows_nothing(name):
    with torch.random.fork_rng():
        hits, _ = found(drawn().eval(), lookup(name))
    assert hits < 0.5
