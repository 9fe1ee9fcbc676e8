"""Images that are made of three known patches, and a network of which one layer emits these patches as they are."""

from functools import cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

import seewhy

Floats = NDArray[Any]
PATCHES = np.array([[4.0, 0, 1, 0], [0, 3, 2, 0], [0, 0, 1, 5]])  # (3, 4): each of 2 x 2 pixels, row by row, one its own alone
SIDE = 4  # patches along each side of an image
WEIGHTS = np.array([[2.0, -1, 0.5, 0.3], [0, 1, 0, 1]])  # of the linear head: (2, 4)


class Product(nn.Module):
    """The product of two sums over the image, as one of two scores; the other is zero."""

    def __init__(self, rows: Floats) -> None:
        super().__init__()
        self.rows = nn.Parameter(torch.tensor(rows))

    def forward(self, pooled: Any) -> Any:
        product = (pooled @ self.rows.T).prod(1, keepdim=True)
        return torch.cat([product, torch.zeros_like(product)], 1)


def network(head: nn.Module | None = None, rectified: bool = True) -> nn.Sequential:
    """`cut` emits the pixels of each patch as channels, `act` what is above zero of them; then their mean, and the head."""
    cut = nn.Conv2d(1, 4, 2, 2, bias=False)
    cut.weight.data = torch.eye(4).reshape(4, 1, 2, 2)
    linear = nn.Linear(4, 2, bias=False)
    linear.weight.data = torch.tensor(WEIGHTS, dtype=torch.float32)
    net = nn.Sequential()
    net.add_module("cut", cut)
    net.add_module("act", nn.ReLU() if rectified else nn.Identity())
    net.add_module("pool", nn.AdaptiveAvgPool2d(1))
    net.add_module("flat", nn.Flatten())
    net.add_module("head", head or linear)
    return net.double().eval()


def model(head: nn.Module | None = None, rectified: bool = True) -> Any:
    return seewhy.wrap(network(head, rectified), labels=["first", "second"])


def amounts(n: int, seed: int = 0) -> Floats:
    """How much of each patch there is in each place: (n, 3, SIDE, SIDE), in every place of one patch alone."""
    draw = np.random.default_rng(seed)
    kinds = draw.integers(0, 3, (n, SIDE, SIDE))
    strength = draw.uniform(0.5, 2, (n, SIDE, SIDE))
    return np.stack([(kinds == k) * strength for k in range(3)], 1)


def images(of: Floats, patches: Floats = PATCHES) -> Floats:
    """The images (n, 1, 2 SIDE, 2 SIDE) with so much of each patch."""
    each = np.einsum("nkyx,kp->nyxp", of, patches).reshape(len(of), SIDE, SIDE, 2, 2)
    return each.transpose(0, 1, 3, 2, 4).reshape(len(of), 1, 2 * SIDE, 2 * SIDE)


def unit(rows: Floats) -> Floats:
    """Each row at length 1."""
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def which(bank: Floats, patches: Floats = PATCHES) -> Floats:
    """For each patch the concept that is most like it: (3,)."""
    return (unit(patches) @ bank.T).argmax(1)


@cache
def of_scenes() -> seewhy.Concepts:
    """Two concepts of five scenes of the demo, at its default layer."""
    return seewhy.concepts(seewhy.load("demo/honest"), [scene.image for scene in seewhy.demo.scenes(5, 3)], count=2, samples=2)
