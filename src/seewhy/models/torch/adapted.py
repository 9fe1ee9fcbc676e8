"""Networks of other frameworks that run on torch, as the torch adapter reads them."""

from collections.abc import Iterable
from threading import local
from typing import Any, NamedTuple
from weakref import ref

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


class OutputsHere(local):
    """The tensors that a network gave in the last pass of this thread, and what each was computed without."""

    def __init__(self) -> None:
        self.outputs: list[tuple[ref[Tensor], LeftOff]] = []


class AdaptedNetwork(nn.Module):
    """A network of another framework that computes by calls of torch."""

    def __init__(self) -> None:
        super().__init__()
        self.ended = Foreign(OutputsHere())  # what stands in for the network writes to the same

    def weights_by_name(self) -> dict[str, Tensor]:
        """Its weights as the other framework has them, by names that are the same in each process."""
        return {**dict(self.named_parameters()), **dict(self.named_buffers())}

    def leave_off(self, outputs: Iterable[tuple[Any, LeftOff]]) -> None:
        """Note what each output of the last pass was computed without."""
        self.ended.value.outputs = [(ref(output), left) for output, left in outputs if isinstance(output, Tensor)]

    def left_off(self, output: Any) -> LeftOff:
        """What that output of the last pass was computed without; of anything made of outputs, where it is the same for all."""
        outputs = self.ended.value.outputs
        own = [left for known, left in outputs if known() is output]
        every = {*own} or {left for _, left in outputs}
        return every.pop() if len(every) == 1 else LeftOff()
