"""The same small networks in torch and in Keras, with the same weights."""

from typing import Any

import torch
from torch import Tensor, nn

from support.keras_models import residual, weights_of


class Residual(nn.Module):
    """The twin of `keras_models.residual` in torch: its logits."""

    def __init__(self, classes: int = 5) -> None:
        super().__init__()
        self.conv, self.norm, self.relu = nn.Conv2d(3, 6, 3), nn.BatchNorm2d(6, eps=1e-3), nn.ReLU()
        self.down, self.down_relu = nn.Conv2d(6, 8, 3, stride=2), nn.ReLU()
        self.branch, self.joined = nn.Conv2d(8, 8, 3, padding=1), nn.ReLU()
        self.scores = nn.Linear(8, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(self.norm(self.conv(x)))
        x = self.down_relu(self.down(nn.functional.pad(x, (0, 1, 0, 1))))  # "same" of Keras, for even sides
        return self.scores(self.joined(x + self.branch(x)).mean((2, 3)))


def twins(classes: int = 5, activation: str | None = "softmax") -> tuple[Any, nn.Module]:
    """The Keras model and the torch network."""
    model = residual(classes=classes, activation=activation)
    network = Residual(classes)
    with torch.no_grad():
        stem = model.get_layer("block")
        pairs = [(stem.get_layer("conv"), network.conv)]
        pairs += [(model.get_layer(name), getattr(network, name)) for name in ("down", "branch", "scores")]
        for layer, part in pairs:
            kernel, bias = map(torch.tensor, weights_of(layer))
            part.weight.copy_(kernel.permute(3, 2, 0, 1) if kernel.ndim == 4 else kernel.T)
            part.bias.copy_(bias)
        gamma, beta, mean, variance = map(torch.tensor, weights_of(stem.get_layer("norm")))
        norm = network.norm
        norm.load_state_dict({"weight": gamma, "bias": beta, "running_mean": mean, "running_var": variance}, strict=False)
    return model, network.eval()
