"""A small network of torch: two convolutions, the mean over all places, and one linear layer."""

import torch
from torch import nn


def small_network(
    widths: tuple[int, int] = (4, 4), classes: int = 3, padding: int = 0, stride: int = 1, seed: int = 0
) -> nn.Module:
    """Of images (n, 3, h, w); its layers are called "0" to "6".  padding: of both convolutions; stride: of the second."""
    torch.manual_seed(seed)
    first, second = widths
    return nn.Sequential(
        nn.Conv2d(3, first, 3, padding=padding),
        nn.ReLU(),
        nn.Conv2d(first, second, 3, stride, padding),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(second, classes),
    ).eval()
