"""Networks of other frameworks that run on torch, as the torch adapter reads them."""

from typing import NamedTuple

from torch import nn

from .containers import Foreign


class LeftOff(NamedTuple):
    """The activation at a network's end that it runs without here, so that logits are explained."""

    kind: str = ""  # "softmax" or "sigmoid"; "" where nothing is left off
    note: str = ""  # in words


class AdaptedNetwork(nn.Module):
    """A network of another framework that computes by calls of torch."""

    def __init__(self) -> None:
        super().__init__()
        self.ended = Foreign(LeftOff())  # by the last pass; what stands in for the network writes to the same

    @property
    def left_off(self) -> LeftOff:
        """What the network was run without in its last pass."""
        return self.ended.value
