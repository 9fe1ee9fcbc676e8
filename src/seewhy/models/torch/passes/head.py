"""The linear layer that makes a network's scores, or what does the same; what is pooled before it; where numbers go bad."""

from collections.abc import Callable
from contextlib import suppress
from math import prod
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from seewhy.errors import NotApplicable

from .outputs import activation_of
from .taps import hooked, modules_of, offloaded
from .torch_calls import bound, spelled


def linear_head(network: nn.Module, run: Callable[[], tuple[Tensor, Tensor]]) -> tuple[tuple[Tensor, Tensor], Tensor, Tensor]:
    """Run, and find the linear layer (or 1x1 convolution) that made the scores: run's result, its weights (k, c), its input.

    It is one by what it did in this very pass, its output being weights times input and the bias: a class and a name say
    nothing of that.
    """
    with LinearCalls(bool(offloaded(network))) as calls:
        result = run()
    for call in reversed(calls.seen):
        flat = call.out.flatten(1)
        if flat.shape == result[0].shape and torch.equal(flat.nan_to_num(), result[0].nan_to_num()) and call.is_linear():
            return result, call.weight.flatten(1), call.entered.flatten(1)
    raise NotApplicable(NO_LINEAR)


class LinearCall(NamedTuple):
    """A call of a linear layer, as it ran."""

    entered: Tensor  # (n, c, ...)
    weight: Tensor  # (k, c, ...)
    bias: Tensor | None
    out: Tensor  # (n, k, ...)

    def is_linear(self) -> bool:
        """Is what came out the product and the bias?  Tensors of other kinds may do as they like with such a call."""
        with torch._C.DisableTorchFunction(), suppress(RuntimeError, TypeError, NotImplementedError):
            made = self.entered.flatten(1).double() @ self.weight.flatten(1).double().T
            made = made if self.bias is None else made + self.bias.double()
            out = self.out.flatten(1).double()
            size = self.entered.flatten(1).double().abs() @ self.weight.flatten(1).double().abs().T + out.abs()
            slack = torch.finfo(self.out.dtype).eps ** 0.6 * size
            return bool(((made - out).abs() <= slack)[out.isfinite()].all())
        return False


class LinearCalls(TorchFunctionMode):
    """While it is entered, notes what linear layers and 1x1 convolutions that give one vector per image do, module or not.

    fleeting: weights come and go while layers run, as accelerate's do, so that copies are kept.
    """

    def __init__(self, fleeting: bool) -> None:
        super().__init__()
        self.fleeting = fleeting
        self.seen: list[LinearCall] = []

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
        if pointwise and prod(out.shape[1:]) == out.shape[1]:
            bias = None if given.get("bias") is None else given["bias"].detach()
            if self.fleeting:
                w, bias = w.clone(), None if bias is None else bias.clone()
            self.seen.append(LinearCall(x.detach().clone(), w, bias, out.detach().clone()))


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


NO_LINEAR = (
    "CAM needs a network that ends in global average pooling and one linear layer; no linear layer makes the scores of this "
    "one. grad-cam and hires-cam need no such head."
)
UNLIKE = (
    "The cells of what {} emits do not count alike for the scores of {}: they are flattened, attended to or pooled otherwise "
    "than by their mean, or something that is not linear comes before the pooling."
)
OFF = (
    "The scores are not linear in what {} emits: those that {} gives of other activations are not the ones that weights of its "
    "channels make of them, as behind a softmax, a norm or a gate."
)
PAST = "Part of what the image says to {1} does not pass through {0}, as behind a skip: the map would miss it."


class PooledLayer(NamedTuple):
    """What of a layer's output is averaged over space, and what each channel's mean then counts."""

    a: Tensor  # (n, c, *space): the output, or its ReLU
    w: Tensor  # (t, n, c), so that a score moves by w times what the means of channels move by
    rectified: bool  # a is the ReLU


def straight(a: Tensor, g: Tensor) -> PooledLayer | None:
    """What is pooled, as the gradients g (t, n, c, *space) toward what a layer emits a (n, c, *space) tell; None where they
    differ from cell to cell otherwise than by a ReLU right behind the layer.
    """
    cells, slack = a[0, 0].numel(), torch.finfo(a.dtype).eps ** 0.6
    flat, on = g.flatten(3), (a > 0).flatten(2)
    for rectified in (False, True):
        live = on if rectified else torch.ones_like(on)
        count = live.sum(-1).clamp(min=1)
        mean = (flat * live).sum(-1) / count
        off = (flat - mean[..., None] * live).abs().flatten(2).amax(2)
        if bool((off <= slack * flat.abs().flatten(2).amax(2)).all()):
            return PooledLayer(a.relu() if rectified else a, mean * cells, rectified)
    return None


def probes(a: Tensor, w: Tensor, rectified: bool) -> Tensor:
    """Activations (m, c, *space) unlike a (1, c, *space), of its signs, and of its range and beyond: the most telling first.

    w (t, c): what channels count, as far as is known, so that some can be of those alone that raise a score, or lower it.
    rectified: each cell keeps its sign.
    """
    dice, space = torch.Generator().manual_seed(0), [1] * (a.ndim - 2)

    def drawn(*shape: int) -> Tensor:
        return torch.rand(shape, generator=dice, dtype=torch.float64).to(a)

    order = torch.randperm(a[0, 0].numel(), generator=dice).to(a.device)
    level = 0 if rectified else a.abs().mean() * (1 if bool((a >= 0).all()) else -1)
    wide = a.flatten(2)[..., order].reshape(a.shape) * 3 * drawn(*a.shape) if not rectified else a * 3 * drawn(*a.shape)
    wide = wide + level * drawn(*a.shape)
    signs = torch.stack([w > 0, w < 0], 1).flatten(0, 1).reshape(-1, a.shape[1], *space).to(a)
    some = wide * (drawn(16, a.shape[1], *space) < 0.3) * 8 * drawn(16, 1, *space)
    signed = 8 * wide * signs
    return torch.cat([wide, a * 0, signed[:2], some[:2], a * 2 * drawn(*a.shape), signed[2:6], some])


def affine(w: Tensor, rows: Tensor, known: tuple[Tensor, Tensor], made: tuple[Tensor, Tensor]) -> bool:
    """Do explained scores move by w (t, c) times what the means of channels move by, to the rounding of the network's sums?

    rows (t, k): what makes them of the raw scores; known, made: what is pooled (m, c, *space), and the raw scores (m, k) of it,
    as it was, m = 1, and otherwise.
    """
    before, behind = (raw.double() @ rows.T for _, raw in (known, made))
    moved = made[0].double().flatten(2).mean(2) - known[0].double().flatten(2).mean(2)
    off = (behind - before - moved @ w.double().T).abs()
    size = moved.abs() @ w.double().abs().T + known[1].double().abs() @ rows.abs().T
    return bool((off <= torch.finfo(made[1].dtype).eps ** 0.6 * size).all())


def first_bad(network: nn.Module, run: Callable[[], Any]) -> str | None:
    """The first module to emit NaN or infinity."""
    bad: list[str] = []

    def hook_for(name: str) -> Callable[..., None]:
        def hook(_module: nn.Module, args: Any, output: Any) -> None:
            tensor = activation_of(output, args)
            if tensor is not None and not bool(tensor.isfinite().all()):
                bad.append(name)

        return hook

    with hooked((module, hook_for(name)) for name, module in modules_of(network).items()):
        run()
    return bad[0] if bad else None
