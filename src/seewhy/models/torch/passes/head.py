"""The linear layer that makes a network's scores, what is pooled before it, and where numbers go bad."""

from collections.abc import Callable
from math import prod
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from seewhy.errors import NotApplicable

from .taps import activation_of, hooked, modules_of, offloaded
from .torch_calls import bound, spelled


def linear_head(network: nn.Module, run: Callable[[], tuple[Tensor, Tensor]]) -> tuple[tuple[Tensor, Tensor], Tensor, Tensor]:
    """Run, and find the linear layer (or 1x1 convolution) that made the scores: (run's result, its weights, its input)."""
    with LinearCalls(bool(offloaded(network))) as calls:
        result = run()
    for entered, weight, out in reversed(calls.seen):
        flat = out.flatten(1)
        if flat.shape == result[0].shape and torch.equal(flat.nan_to_num(), result[0].nan_to_num()):
            return result, weight, entered.flatten(1)
    raise NotApplicable(
        "CAM needs a network that ends in global average pooling and one linear layer; no linear layer makes the scores "
        "of this one. grad-cam and hires-cam need no such head."
    )


class LinearCalls(TorchFunctionMode):
    """While it is entered, notes what linear layers and 1x1 convolutions that give one vector per image do, module or not.

    fleeting: weights come and go while layers run, as accelerate's do, so that copies are kept.
    """

    def __init__(self, fleeting: bool) -> None:
        super().__init__()
        self.fleeting = fleeting
        self.seen: list[tuple[Tensor, Tensor, Tensor]] = []  # what entered, the weights (k, c, ...), what came out

    def __torch_function__(self, fn: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        out = fn(*args, **kwargs)
        if fn in LINEAR and isinstance(out, Tensor) and out.ndim > 1 and len(out):
            with torch._C.DisableTorchFunction():  # no other mode's business
                self._note(bound(PARAMETERS, args, kwargs), out)
        return out

    def _note(self, given: dict[str, Any], out: Tensor) -> None:
        x, w = given["input"], given["weight"].detach()
        pointwise = w.ndim == 2 or (prod(w.shape[2:]) == 1 and given.get("groups", 1) == 1)
        if pointwise and out[0].numel() == out.shape[1]:
            self.seen.append((x.detach().clone(), w.clone() if self.fleeting else w, out.detach().clone()))


LINEAR = {F.linear, *spelled("conv1d", "conv2d", "conv3d")}
PARAMETERS = ("input", "weight", "bias", "stride", "padding", "dilation", "groups")  # of a linear layer the first three


def pooled(a: Tensor, entered: Tensor, layer: str, model: str) -> Tensor:
    """What was averaged over space to give the linear layer's input (n, c): the layer's output, or its ReLU."""
    entered = entered.nan_to_num()
    near = 1e-3 * float(entered.abs().max()) + 1e-12
    for candidate in (a, a.relu()):
        mean = candidate.flatten(2).mean(2).nan_to_num()
        if mean.shape == entered.shape and torch.allclose(mean, entered, rtol=0, atol=near):
            return candidate
    raise NotApplicable(
        f"CAM needs global average pooling and one linear layer right after {layer}; in {model} something else lies "
        "between. hires-cam says the same thing where CAM exists, and needs no such head."
    )


def first_bad(network: nn.Module, run: Callable[[], Any]) -> str | None:
    """The first module to emit NaN or infinity."""
    bad: list[str] = []

    def hook_for(name: str) -> Callable[..., None]:
        def hook(_module: nn.Module, _args: Any, output: Any) -> None:
            tensor = activation_of(output)
            if tensor is not None and not bool(tensor.isfinite().all()):
                bad.append(name)

        return hook

    with hooked((module, hook_for(name)) for name, module in modules_of(network).items()):
        run()
    return bad[0] if bad else None
