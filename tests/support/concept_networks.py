"""A linear network whose classes weigh one pattern, and images with and without that."""

from collections import OrderedDict
from functools import cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

import seewhy

PATTERN = np.random.default_rng(1).normal(size=(3, 4, 4))
LABELS = ["with", "against", "beside"]


@cache
def network() -> nn.Sequential:
    """Patches of 4 x 4 pixels -> 24 numbers -> their mean -> scores: for the pattern, against it, and across it."""
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(0)
        mix, fc = nn.Conv2d(3, 24, 4, 4), nn.Linear(24, 3)
        answer = torch.einsum("ochw,chw->o", mix.weight, torch.tensor(PATTERN).float())
        other = torch.randn(24)
        fc.weight[0], fc.weight[1] = answer, -answer
        fc.weight[2] = other - (other @ answer) / (answer @ answer) * answer
        layers = [("mix", mix), ("pool", nn.AdaptiveAvgPool2d(1)), ("flat", nn.Flatten()), ("fc", fc)]
        return nn.Sequential(OrderedDict(layers)).double().eval()


@cache
def model() -> Any:
    return seewhy.wrap(network(), labels=LABELS, name="linear")


def images(count: int, seed: int, pattern: float = 0.0) -> NDArray[np.float64]:
    """Noise (count, 3, 8, 12), with so much of the pattern in each patch."""
    noise = np.random.default_rng(seed).normal(size=(count, 3, 8, 12))
    return noise + pattern * np.tile(PATTERN, (1, 2, 3))
