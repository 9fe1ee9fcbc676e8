"""A network that sees two colours, and photos that show squares of them."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import seewhy


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
