"""Networks of other frameworks that run on torch, as the torch adapter reads them."""

from typing import NamedTuple

from torch import Tensor, nn

from .containers import Foreign


class LeftOff(NamedTuple):
    """The activation at a network's end that it runs without here, so that logits are explained."""

    kind: str = ""  # "softmax" or "sigmoid"; "" where nothing is left off
    note: str = ""  # in words


class AdaptedLayer(nn.Module):
    """What stands for a layer of another framework."""

    @property
    def linear(self) -> bool:
        """Does it do what torch's Linear does?"""
        return False

    @property
    def weight(self) -> Tensor | None:
        """The weights that it multiplies with, if it has such."""
        return None


def is_linear(module: nn.Module) -> bool:
    """Is it a linear layer, of torch or of another framework?"""
    return isinstance(module, nn.Linear) or (isinstance(module, AdaptedLayer) and module.linear)


class AdaptedNetwork(nn.Module):
    """A network of another framework that computes by calls of torch."""

    def __init__(self) -> None:
        super().__init__()
        self.ended = Foreign(LeftOff())  # by the last pass; what stands in for the network writes to the same

    @property
    def left_off(self) -> LeftOff:
        """What the network was run without in its last pass."""
        return self.ended.value
