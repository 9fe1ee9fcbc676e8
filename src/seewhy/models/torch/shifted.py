"""A torch network behind a constant shift of its images, which the bias of a first layer takes back."""

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from seewhy.arrays import Array
from seewhy.errors import BadParameter, NotApplicable

from .adapted import AdaptedNetwork

LAYERS = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}


class ShiftedNetwork(nn.Module):
    """What the network gives for x, asked with x + shift: a first layer multiplies each channel by one, and its bias is -shift.

    In the interior of an image this is the network whose own first convolution has the shift folded into its bias; at a border
    that is padded with zeros it is exact as well, where folding would not be.
    """

    def __init__(self, network: nn.Module, shift: Tensor, dims: int) -> None:
        super().__init__()
        channels = len(shift)
        self.first = LAYERS[dims](channels, channels, 1, groups=channels).to(shift)
        self.network = network
        with torch.no_grad():
            self.first.weight.fill_(1)
            self.first.bias.copy_(-shift)  # type: ignore[union-attr]

    def forward(self, x: Tensor) -> Any:
        """What the network gives for x - shift."""
        return self.network(self.first(x))


def behind_shift(model: Any, shift: NDArray[Any], x: Array) -> Any:
    """The model of images x + shift, shift (c,), that says of them what `model` says of x (n, c, *space).

    Raises NotApplicable where the network is called with more than the images, BadParameter where shift is not of its channels.
    """
    runner = model.runner
    call, network = runner.call, runner.call.original
    if (
        call.inputs.template is not None
        or call.towers
        or runner.end is not None
        or runner.aims
        or isinstance(network, AdaptedNetwork)
    ):
        raise NotApplicable(
            f"{runner.name}: a shift goes before a network of torch that is called with images alone and gives classes."
        )
    if x.ndim - 2 not in LAYERS:
        raise NotApplicable(f"{runner.name} takes {tuple(x.shape[1:])}; a shift goes before images of one to three axes.")
    if np.shape(shift) != (x.shape[1],):
        raise BadParameter(f"shift has shape {np.shape(shift)}; the images have {x.shape[1]} channels.")
    with runner.ready(x[:1]) as ready:
        if call.channels(ready) != 1:
            raise NotApplicable(f"{runner.name} takes its channels elsewhere; a shift goes before images (n, c, ...).")
        kind, device = ready.dtype, ready.device
    shifted = ShiftedNetwork(network, torch.as_tensor(np.array(shift), dtype=kind, device=device), x.ndim - 2)
    settings = replace(runner.settings, name=f"{runner.name} behind a shift", device=None, dtype=None)
    return type(model)(shifted, settings)
