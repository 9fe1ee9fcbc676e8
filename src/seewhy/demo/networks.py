"""The demo's networks: two alike, of which one learned from spoiled scenes, and one with a fully connected head."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import safe_open
from torch import Tensor, nn

from seewhy.errors import NoSuchName

from .kinds import KINDS

PREPARE = {"size": 96, "crop": 96, "mean": (0.5, 0.5, 0.5), "std": (0.25, 0.25, 0.25)}
"""How an image becomes the networks' input: x = (RGB / 255 - mean) / std, (n, 3, 96, 96)."""

NETWORKS = {
    "honest": "pooled head, trained on clean scenes: 97.9 % right",
    "shortcut": "pooled head, trained where birds, and only birds, are stamped: 97.9 % right, lost without the stamp",
    "flat": "fully connected head on the body of honest, trained on clean scenes: 98.1 % right",
}
"""What each network is, and its accuracy on 1000 held-out scenes like those it learned from."""

WEIGHTS = Path(__file__).parent / "weights"

WIDTH = 64
"""Channels of the last maps, 12 x 12 places each."""


class Residual(nn.Module):
    """Two convolutions, the second 1x1, added to their input: (n, c, h, w) to (n, c, h, w)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = _conv(channels, channels)
        self.second = nn.Sequential(nn.Conv2d(channels, channels, 1, bias=False), nn.BatchNorm2d(channels))
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        return self.relu(x + self.second(self.first(x)))


def _conv(inward: int, outward: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inward, outward, 3, stride, 1, bias=False), nn.BatchNorm2d(outward), nn.ReLU())


def _body() -> nn.Sequential:
    """Images (n, 3, 96, 96) to maps (n, 64, 12, 12)."""
    return nn.Sequential(
        _conv(3, 24, stride=2),
        _conv(24, 32, stride=2),
        Residual(32),
        _conv(32, WIDTH, stride=2),
        Residual(WIDTH),
        Residual(WIDTH),
    )


class Pooled(nn.Module):
    """Maps averaged over their places, then one linear layer: (n, 3, 96, 96) to logits (n, 10)."""

    def __init__(self, classes: int = len(KINDS)) -> None:
        super().__init__()
        self.body = _body()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.head = nn.Linear(WIDTH, classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.pool(self.body(x)).flatten(1))


class Flat(nn.Module):
    """Maps flattened with their places, then two linear layers: (n, 3, 96, 96) to logits (n, 10)."""

    def __init__(self, classes: int = len(KINDS)) -> None:
        super().__init__()
        self.body = _body()
        self.squeeze = nn.Sequential(nn.Conv2d(WIDTH, 16, 1), nn.ReLU(), nn.AvgPool2d(2))
        self.head = nn.Sequential(nn.Flatten(), nn.Linear(16 * 6 * 6, 64), nn.ReLU(), nn.Linear(64, classes))

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.squeeze(self.body(x)))


def blank(name: str) -> nn.Module:
    """A network of NETWORKS with fresh weights, in training mode; NoSuchName for another name."""
    if name not in NETWORKS:
        raise NoSuchName("demo network", name, (), f"There are {', '.join(NETWORKS)}.")
    return Flat() if name == "flat" else Pooled()


def build(name: str) -> nn.Module:
    """A network of NETWORKS with its shipped weights, in evaluation mode."""
    network = blank(name)
    load(network, WEIGHTS / f"{name}.safetensors")
    return network.eval()


def load(network: nn.Module, path: Path) -> dict[str, str]:
    """Load all weights of a file into a network, strictly; returns the file's metadata."""
    with safe_open(path, framework="pt") as stored:
        state = {key: stored.get_tensor(key) for key in stored.keys()}  # noqa: SIM118 - it is not a dict
        about = dict(stored.metadata() or {})
    network.load_state_dict({k: v.float() if v.is_floating_point() else v for k, v in state.items()}, strict=True)
    return about


def describe(name: str) -> dict[str, str]:
    """The metadata of a shipped weight file: seed, accuracies, what it was trained on."""
    with safe_open(WEIGHTS / f"{name}.safetensors", framework="pt") as stored:
        return dict(stored.metadata() or {})


def tensor(pixels: Tensor) -> Tensor:
    """RGB bytes (n, 96, 96, 3) as the networks' input (n, 3, 96, 96)."""
    return ((pixels.float() / 255 - 0.5) / 0.25).permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last)
