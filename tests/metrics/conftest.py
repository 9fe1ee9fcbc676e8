"""Networks of which it is known where the evidence lies, and photos of their classes."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import seewhy

CLASSES, SIDE = 6, 16


@pytest.fixture(scope="session")
def colour_model() -> Any:
    """Two classes, red and blue: each is the mean of how red, or how blue, the 4x4 blocks of a photo of 32x32 are."""
    see = nn.Conv2d(3, 2, 4, stride=4, bias=False)
    with torch.no_grad():
        see.weight.zero_()
        see.weight[0, 0], see.weight[0, 1:], see.weight[1, 2], see.weight[1, :2] = 1 / 16, -1 / 16, 1 / 16, -1 / 16
    network = nn.Sequential(see, nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2, 2, bias=False)).eval()
    with torch.no_grad():
        network[4].weight.copy_(torch.eye(2))
    return seewhy.wrap(
        network, prepare={"size": 32, "crop": 32, "mean": 0.0, "std": 1.0}, labels=["red", "blue"], geometry="plain"
    )


@pytest.fixture(scope="session")
def square() -> Callable[..., Image.Image]:
    """A green photo of 32x32 with a square of a colour, 8x8, whose corner lies at (x, y)."""

    def make(colour: str, x: int, y: int) -> Image.Image:
        pixels = np.zeros((32, 32, 3), np.uint8)
        pixels[..., 1] = 128
        pixels[y : y + 8, x : x + 8] = {"red": (255, 0, 0), "blue": (0, 0, 255)}[colour]
        return Image.fromarray(pixels)

    return make


@pytest.fixture(scope="session")
def channel_model() -> Any:
    """Six classes, one for each channel of the image: how much of it there is, on average over blocks of 4 x 4."""
    blocks = nn.Conv2d(CLASSES, CLASSES, 4, stride=4, groups=CLASSES, bias=False)
    network = nn.Sequential(blocks, nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(CLASSES, CLASSES, bias=False))
    with torch.no_grad():
        blocks.weight.fill_(1 / 16)
        network[4].weight.copy_(200 * torch.eye(CLASSES))
    return seewhy.wrap(network.eval(), name="channels", labels=[f"class {k}" for k in range(CLASSES)])


@pytest.fixture(scope="session")
def channel_photos() -> np.ndarray:
    """Two prepared photos of each class (12, 6, 16, 16): a square in its channel, somewhere; photo i is of class i % 6."""
    rng = np.random.default_rng(0)
    x = np.zeros((2 * CLASSES, CLASSES, SIDE, SIDE), np.float32)
    for i in range(len(x)):
        top, left = rng.integers(0, 3, 2) * 4
        x[i, i % CLASSES, top : top + 8, left : left + 8] = rng.uniform(0.5, 1)
    return x
