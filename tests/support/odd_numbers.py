"""A network of which one layer makes NaN of dark images, while its scores stay numbers."""

import numpy as np
import torch
from torch import nn

import seewhy


class OddNumbers(nn.Module):
    """The channels `odd` of an image, NaN where its mean is below zero; the scores read them as zero there."""

    def __init__(self) -> None:
        super().__init__()
        self.mix, self.odd, self.fc = nn.Conv2d(3, 6, 2, 2), nn.ReLU(), nn.Linear(6, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        dark = x.mean((1, 2, 3), keepdim=True) < 0
        a = self.odd(torch.where(dark, torch.nan, self.mix(x)))
        return self.fc(torch.nan_to_num(a).mean((2, 3)))


def model():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return seewhy.wrap(OddNumbers().eval(), name="odd")


def images(count: int, dark: tuple[int, ...] = (), seed: int = 0) -> np.ndarray:
    """Noise (count, 3, 6, 6), of which some are dark."""
    x = 1 + np.random.default_rng(seed).normal(0, 0.5, (count, 3, 6, 6))
    x[list(dark)] -= 2
    return x.astype(np.float32)
