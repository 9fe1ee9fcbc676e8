"""A network of which one layer, or the scores alone, are NaN for dark images."""

import numpy as np
import torch
from torch import nn

import seewhy


class OddNumbers(nn.Module):
    """Channels `odd`, NaN where the mean of an image is below zero, which scores read as zero; or scores that are NaN there."""

    def __init__(self, scores: bool) -> None:
        super().__init__()
        self.scores = scores
        self.mix, self.odd, self.fc = nn.Conv2d(3, 6, 2, 2), nn.ReLU(), nn.Linear(6, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        dark = x.mean((1, 2, 3), keepdim=True) < 0
        if self.scores:
            return torch.where(dark[:, :, 0, 0], torch.nan, self.fc(self.odd(self.mix(x)).mean((2, 3))))
        a = self.odd(torch.where(dark, torch.nan, self.mix(x)))
        return self.fc(torch.nan_to_num(a).mean((2, 3)))


def model(scores: bool = False):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return seewhy.wrap(OddNumbers(scores).eval(), name="odd")


def images(count: int, dark: tuple[int, ...] = (), seed: int = 0) -> np.ndarray:
    """Noise (count, 3, 6, 6), of which some are dark."""
    x = 1 + np.random.default_rng(seed).normal(0, 0.5, (count, 3, 6, 6))
    x[list(dark)] -= 2
    return x.astype(np.float32)
