"""What decides whether a method can run, and at what cost: the image's size, and what the layer emits for it."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray


class Conditions(NamedTuple):
    """One image before one network."""

    space: tuple[int, ...]  # of the image, in pixels
    layer: str | None = None  # to be explained; None where no layer has space
    a: NDArray[Any] | None = None  # what the layer emits for the image (c, *cells), where that is known
    refused: Mapping[str, str] = {}  # what cannot be read of the network, and why

    @property
    def channels(self) -> NDArray[Any] | None:
        """The layer's activation with its cells in a row: (c, cells)."""
        return None if self.a is None else self.a.reshape(len(self.a), -1)


Settings = Mapping[str, Any]
Forwards = Callable[[Settings, Conditions], int | None]  # how many forwards one map takes; None where that cannot be known
Obstacle = Callable[[Settings, Conditions], str]  # why a method cannot run, whatever the network is; "" where it can

NEEDS: Mapping[str, tuple[str, ...]] = {  # by what a method reads: what has to be readable of the network, keys of `refused`
    "gradients": ("inside", "layer", "layer gradient"),
    "pixels": ("image",),
    "activations": ("inside", "layer"),
    "head": ("inside", "layer", "head"),
    "nothing": ("inside", "layer"),
    "scores": (),
    "layer scores": ("inside", "layer"),
}


def from_channels(count: Callable[[NDArray[Any], Settings], int]) -> Forwards:
    """The forwards of a method whose cost depends on the channels (c, cells) of the layer."""

    def forwards(settings: Settings, conditions: Conditions) -> int | None:
        return None if conditions.channels is None else count(conditions.channels, settings)

    return forwards


def varying(channels: NDArray[Any]) -> int:
    """How many channels vary over space, and one for all that do not: these share a mask, which is empty."""
    varies = np.ptp(channels, axis=1) > 0
    return int(varies.sum()) + (not varies.all())
