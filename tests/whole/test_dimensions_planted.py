"""What was planted is found: small networks trained on signals and volumes, whose maps must lie where the evidence is."""

from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

import seewhy
from seewhy.images.resample import blurred, resized

Floats = NDArray[Any]
SIDE, LENGTH = 24, 256
PLACES = np.indices((SIDE,) * 3)
METHODS: dict[str, dict[str, Any]] = {
    "occlusion": {}, "lime": {"samples": 250}, "rise": {"masks": 250}, "grad-cam": {}, "gradient": {},
    "smooth-grad": {"samples": 10}, "deconvnet": {}, "integrated-gradients": {"steps": 20},
}  # fmt: skip
FINE = ("gradient", "smooth-grad", "deconvnet", "integrated-gradients")  # which are grains, seen from some way off


class Scenes(NamedTuple):
    x: NDArray[np.float32]  # (n, c, *space)
    y: NDArray[np.int64]
    near: NDArray[np.bool_]  # (n, *space), where it was planted and two pixels about it


def volumes(n: int, seed: int) -> Scenes:
    """A ball (0) or the edges of a cube (1), seven voxels across, among four rods as bright."""
    rng = np.random.default_rng(seed)
    x, y = rng.normal(0, 0.2, (n, 1, *[SIDE] * 3)).astype(np.float32), rng.integers(0, 2, n)
    near = np.zeros((n, *[SIDE] * 3), bool)
    for i in range(n):
        centre = rng.integers(4, SIDE - 4, 3)
        off = abs(PLACES - centre[:, None, None, None])
        for _ in range(4):
            rod, half = rng.integers(3, SIDE - 3, 3), np.ones(3, int)
            while abs(rod - centre).max() < 8:
                rod = rng.integers(3, SIDE - 3, 3)
            half[rng.integers(3)] = 3
            x[i, 0][(abs(PLACES - rod[:, None, None, None]) < half[:, None, None, None]).all(0)] += 1
        x[i, 0][(off**2).sum(0) <= 10 if y[i] == 0 else (off.max(0) == 3) & ((off >= 2).sum(0) >= 2)] += 1
        near[i] = off.max(0) <= 5
    return Scenes(x, y, near)


def signals(n: int, seed: int) -> Scenes:
    """A slow (0) or a quick (1) wavelet on the first of two channels, between two bumps as high."""
    rng, t = np.random.default_rng(seed), np.arange(LENGTH)
    x, y = rng.normal(0, 0.3, (n, 2, LENGTH)).astype(np.float32), rng.integers(0, 2, n)
    near = np.zeros((n, LENGTH), bool)
    for i in range(n):
        centre = rng.integers(20, LENGTH - 20)
        for _ in range(2):
            bump = rng.integers(20, LENGTH - 20)
            while abs(bump - centre) < 50:
                bump = rng.integers(20, LENGTH - 20)
            x[i, rng.integers(2)] += 1.5 * np.exp(-(((t - bump) / 8) ** 2) / 2)
        x[i, 0] += 1.5 * np.cos((t - centre) * 2 * np.pi / (12, 5)[y[i]]) * np.exp(-(((t - centre) / 8) ** 2) / 2)
        near[i] = abs(t - centre) <= 20
    return Scenes(x, y, near)


def of_volumes() -> nn.Module:
    conv, norm, relu = nn.Conv3d, nn.BatchNorm3d, nn.ReLU
    return nn.Sequential(
        conv(1, 8, 3, stride=2, padding=1), norm(8), relu(), conv(8, 24, 3, stride=2, padding=1), norm(24), relu(),
        conv(24, 24, 3, padding=1), norm(24), relu(), nn.AdaptiveMaxPool3d(1), nn.Flatten(), nn.Linear(24, 2),
    )  # fmt: skip


def of_signals() -> nn.Module:
    conv, norm, relu = nn.Conv1d, nn.BatchNorm1d, nn.ReLU
    return nn.Sequential(
        conv(2, 16, 9, padding=4), norm(16), relu(), nn.MaxPool1d(2), conv(16, 24, 9, padding=4), norm(24), relu(),
        nn.MaxPool1d(2), conv(24, 24, 5, padding=2), norm(24), relu(), nn.AdaptiveMaxPool1d(1), nn.Flatten(), nn.Linear(24, 2),
    )  # fmt: skip


KINDS: dict[str, tuple[Any, Any, int]] = {"volumes": (volumes, of_volumes, 6), "signals": (signals, of_signals, 3)}


def network(kind: str, trained: bool) -> nn.Module:
    scenes, build, epochs = KINDS[kind]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        found = build()
        x, y, _ = map(torch.tensor, scenes(384, 0))
        optimizer = torch.optim.Adam(found.parameters(), 1e-2)
        for _ in range(epochs if trained else 0):
            for some in torch.randperm(len(x)).split(32):
                optimizer.zero_grad()
                nn.functional.cross_entropy(found(x[some]), y[some]).backward()
                optimizer.step()
    return found.eval()


@pytest.fixture(scope="module", params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def nets(kind: str) -> dict[bool, nn.Module]:
    return {trained: network(kind, trained) for trained in (True, False)}


def judged(method: str, net: nn.Module, scenes: Scenes) -> tuple[float, float]:
    """How much denser the map's energy is near what was planted than anywhere, and how often its peak lies there."""
    x, y, near = scenes
    asked = seewhy.PerImage([seewhy.Class(int(one)) for one in y])
    dense, hits = [], []
    for m, there in zip(seewhy.METHODS[method](seewhy.wrap(net), x, target=asked, **METHODS[method]), near, strict=True):
        values = m.values.astype(float)
        values = values if values.shape == there.shape else resized(values, there.shape, m.cells)
        values = abs(values) if method in FINE else np.maximum(values - (np.median(values) if method == "rise" else 0), 0)
        values = blurred(values[None], 1.5 / 24 if there.ndim == 3 else 4 / LENGTH, 1)[0] if method in FINE else values
        dense.append(values[there].sum() / max(values.sum(), 1e-12) / there.mean())
        hits.append(there[np.unravel_index(values.argmax(), there.shape)])
    return float(np.mean(dense)), float(np.mean(hits))


def test_the_networks_tell_what_was_planted(kind, nets):
    x, y, _ = KINDS[kind][0](100, 1)
    right = {trained: (net(torch.tensor(x)).argmax(1).numpy() == y).mean() for trained, net in nets.items()}
    assert right[True] >= 0.95
    assert right[False] < 0.75
    assert sum(p.numel() for p in nets[True].parameters()) < 25_000


def finds(dense: float, hits: float) -> bool:
    return dense > 3.5 and hits >= 5 / 6


@pytest.mark.parametrize("method", METHODS)
def test_maps_find_what_was_planted(kind, nets, method):
    """Three and a half times as dense there as on average, and the peak there in five of six; untrained, they find nothing."""
    scenes = KINDS[kind][0](6, 1)
    assert finds(*judged(method, nets[True], scenes))
    assert not finds(*judged(method, nets[False], scenes))
