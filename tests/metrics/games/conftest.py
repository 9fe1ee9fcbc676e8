"""A network of which it is known where the evidence lies, and photos of its classes."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import seewhy

CLASSES, SIDE = 6, 16


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
