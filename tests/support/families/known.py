"""What is known of a network of the test bed, and how its weights are drawn."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

CLASSES = 7
FIRST, LAST, TOKENS = "channels first", "channels last", "tokens"


class Known(NamedTuple):
    """What one layer emits."""

    layer: str
    grid: tuple[int, ...]  # (h, w), or (frames, h, w), in reading order
    kind: str = TOKENS
    prefix: int = 0  # tokens before those of the image
    suffix: int = 0  # tokens after them
    near: int = 0  # cells beside its own that a part of the image may show most at, where windows overlap


class Family(NamedTuple):
    build: Callable[[], nn.Module]
    early: Known  # the first layer that has the network's own layout
    default: tuple[int, ...]  # the grid of the layer to explain by default
    space: tuple[int, ...] = (64, 96)  # of the images
    seen: tuple[int, ...] | None = None  # of it the part that is cut into cells, where that is not all

    def network(self) -> nn.Module:
        """Seeded, float64, in eval mode."""
        return bold(self.build)

    def images(self, n: int = 2, seed: int = 0) -> NDArray[np.float64]:
        return np.random.default_rng([seed, *self.space]).normal(0, 1, (n, 3, *self.space))


def bold(build: Callable[[], nn.Module], seed: int = 0) -> nn.Module:
    """The network, its weights drawn so that what they emit is as large as what came in, and attention prefers some tokens."""
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        network = build().double().eval()
        for module in network.modules():
            for name, parameter in module.named_parameters(recurse=False):
                drawn(module, name, parameter)
        return network


def drawn(module: nn.Module, name: str, parameter: Tensor) -> None:
    if "logit_scale" in name or "temperature" in name:  # exponents: they would flatten or sharpen any attention
        return
    if name.endswith("bias") and parameter.ndim == 1:
        parameter.normal_(0, 0.1)
    elif parameter.ndim == 1 or (parameter.numel() == max(parameter.shape) and "scale" in name):  # of norms, layer scales
        parameter.uniform_(0.5, 1.5)
    elif isinstance(module, nn.Linear | nn.Conv1d | nn.Conv2d | nn.Conv3d) or name == "in_proj_weight":
        parameter.normal_(0, parameter[0].numel() ** -0.5)
    else:  # tokens, positions
        parameter.normal_(0, 0.3)
        if name == "attention_biases":  # by how far apart two tokens are; LeViT has no other sense of place
            parameter[:, 0] += 6
