"""The kernels of a layer, as a pass multiplies with them."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from seewhy.arrays import Array
from seewhy.errors import NotApplicable
from seewhy.models.kernels import Kernels
from seewhy.models.torch.passes.taps import Stop, recorded, watched
from seewhy.models.torch.passes.torch_calls import bound, known_as, running, spelled

from .runner import Runner
from .scores import as_numpy
from .undisturbed import again

CONVOLUTIONS = spelled("conv1d", "conv2d", "conv3d")
TRANSPOSED = spelled("conv_transpose1d", "conv_transpose2d", "conv_transpose3d")
TAKES = ("input", "weight", "bias", "stride", "padding", "dilation", "groups")
TRANSPOSED_TAKES = ("input", "weight", "bias", "stride", "padding", "output_padding", "groups")


class Convolved(NamedTuple):
    """A call of a convolution: its weights, in how many groups, and by which module."""

    weight: Tensor
    groups: int
    transposed: bool
    module: str


@again
def kernels(runner: Runner, layer: str, x: Array) -> Kernels:
    """What the one convolution that runs in the layer multiplies with, as an image like x (n, c, *space) runs through.

    Raises NotApplicable where none or several run there, NoSuchName where there is no such layer.
    """
    with runner.ready(x[:1]) as image, torch.no_grad():
        tap = runner.taps([layer], image)[layer]
        calls = ConvolutionCalls(runner.network)
        with watched([tap.module], calls.enter), recorded([tap], False, lambda: True), calls, suppress(Stop):
            _ = runner.called(image)
        tap.check()
        inside = calls.inside
        if len(inside) != 1:
            kind = type(tap.module).__name__
            raise NotApplicable(f"Layer {layer} ({kind}) of {runner.name} has no kernels of its own: {_why(inside)}.")
        (call,) = inside
        weights = as_numpy(call.weight.detach())
        if call.transposed:
            return Kernels.transposed(weights, call.groups)
        first = calls.start == 0 and weights.shape[1] * call.groups == image.shape[1]
        return Kernels(weights, call.groups, first)


def _why(inside: Sequence[Convolved]) -> str:
    if not inside:
        return "no convolution runs in it"
    names = ", ".join(dict.fromkeys(call.module for call in inside[:6]))
    return f"{len(inside)} convolutions run in it; name one of {names}"


class ConvolutionCalls(TorchFunctionMode):
    """Notes the convolutions that run from `enter` on, and how many ran before."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network, self.before, self.start, self.entered = network, 0, 0, False
        self.inside: list[Convolved] = []

    def enter(self) -> None:
        """The layer begins to run."""
        self.start, self.entered = self.before, True
        self.inside.clear()

    def __torch_function__(self, fn: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        known = known_as(fn)
        if known in CONVOLUTIONS or known in TRANSPOSED:
            given = bound(TAKES if known in CONVOLUTIONS else TRANSPOSED_TAKES, args, kwargs)
            self.before += 1
            if self.entered:
                call = Convolved(given["weight"], given.get("groups", 1), known in TRANSPOSED, running(self.network))
                self.inside.append(call)
        return fn(*args, **kwargs)
