"""Networks whose untiled map is known to be the sum of local parts, and their maps by tiles beside it."""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

import seewhy

LIKE = {"rtol": 0, "atol": 4e-7}  # of the largest value: heatmaps are float32


class Summed(nn.Module):
    def forward(self, a: Tensor) -> Tensor:
        return a.flatten(2).sum(2)


class Averaged(nn.Module):
    def forward(self, a: Tensor) -> Tensor:
        return a.flatten(2).mean(2)


def dense(d: int, head: type[nn.Module] = Summed, padding: int = 1, seed: int = 0) -> nn.Sequential:
    """A cell of layer 3 sees two pixels to each side, a class's gradient at a pixel depends on four; linear behind layer 3."""
    conv: Any = (nn.Conv1d, nn.Conv2d, nn.Conv3d)[d - 1]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return (
            nn.Sequential(
                conv(3, 4, 3, padding=padding), nn.ReLU(), conv(4, 6, 3, stride=2, padding=padding), nn.ReLU(),
                conv(6, 4, 1), head(),
            ).double().eval()
        )  # fmt: skip


def noise(*space: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(1, 3, *space))


def both(network: nn.Module, x: Any, method: Any, layer: str | None, target: Any = 1, **cut: Any) -> tuple[Any, Any]:
    model = seewhy.wrap(network)
    (plain,), (joined,) = (seewhy.explain(model, x, method, target, layer, **more) for more in ({}, cut))
    return plain, joined


def lie_alike(joined: Any, plain: Any) -> None:
    """The cells of two maps lie at the same places, up to rounding."""
    assert (joined.cells is None) == (plain.cells is None)
    if plain.cells is not None:
        assert joined.cells.size == plain.cells.size
        for axis, count in enumerate(plain.values.shape):
            np.testing.assert_allclose(joined.cells.centres(axis, count), plain.cells.centres(axis, count), atol=1e-9)


def same(joined: np.ndarray, plain: np.ndarray) -> None:
    assert plain.any()
    np.testing.assert_allclose(joined / abs(plain).max(), plain / abs(plain).max(), **LIKE)


WINDOWS = seewhy.METHODS["occlusion"].using(window=4, stride=4, fill="zero", incremental=False)

SIGNED, HIRES = (seewhy.METHODS[name].using(signed=True) for name in ("grad-cam", "hires-cam"))
