"""DeepLIFT's rescale rule in torch: of a batch whose second half are the baselines of the first, gradients become multipliers.

An activation passes (y - y') / (x - x') in place of its slope; a maximum gives what it gained over the baseline's to the pixel
that is largest in the image, and what it lost to that which was in the baseline.  Then the multipliers times x - x' add up to
the difference of the scores, whatever lies between.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from seewhy.errors import NotApplicable
from seewhy.models.torch.passes.graph import between, kind_of
from seewhy.models.torch.passes.torch_calls import name_of, spelled

from .relevance import ERFS, GATES, PLAIN, SMOOTH, shares
from .relus import ELUS, Masks, overwrites, relu_call

UNARY = SMOOTH | GATES | ERFS | ELUS | spelled(
    "softplus", "logsigmoid", "tanhshrink", "hardshrink", "softshrink", "exp", "exp_", "expm1", "log1p", "square", "square_",
    "abs", "abs_", "sin", "cos", "atan", "sqrt", "sqrt_",
)  # fmt: skip
POOLS = {f"{how}max_pool{d}d": getattr(F, f"{how}max_pool{d}d") for how in ("", "adaptive_") for d in (1, 2, 3)}
CHOOSING = ("AdaptiveMaxPool", "Amax", "Amin", "MaxPool", "Max", "MkldnnMaxPool", "Sort", "Topk")  # plain for relevance alone
LINEAR = tuple(kind for kind in PLAIN if kind not in CHOOSING)
ALIKE = 1e-10  # inputs no farther apart pass the slope, as in captum
RULED = "convolutions, linear layers, BatchNorm, activations, max- and average pooling and additions"


class Rescaling(TorchFunctionMode):
    """While it is entered, what is not linear passes multipliers; the batch is images and, behind them, their baselines."""

    def __init__(self) -> None:
        super().__init__()
        self.masks, self.odd = Masks(), False

    def __torch_function__(self, fn: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if torch.is_grad_enabled():
            if (pool := POOLS.get(name_of(fn).lstrip("_"))) is not None:
                return self._largest(pool, *args, **kwargs)
            relu = relu_call(fn, args, kwargs, self.masks)
            x = relu.x if relu else (args[0] if args else kwargs.get("input")) if fn in UNARY else None
            if isinstance(x, Tensor) and x.requires_grad:
                return self._rescaled(fn, args, kwargs, x, overwrites(fn, args, kwargs))
        out = fn(*args, **kwargs)
        self.masks.note(fn, args, out)
        return out

    def _rescaled(self, fn: Any, args: Any, kwargs: Any, x: Tensor, over: bool) -> Tensor:
        """An activation y of x, pixel by pixel."""
        before, slope = (x.clone() if over else x), _slope(fn, args, kwargs, x)
        with torch.no_grad():
            y = fn(*args, **kwargs)
            y = x.clone() if over else y
            dx, dy = self._difference(before), self._difference(y)
            alike = dx.abs() < ALIKE
            ratio = torch.where(alike, slope[: len(dx)], dy / torch.where(alike, 1, dx))
            ratio = torch.cat([ratio, torch.zeros_like(slope[len(dx) :])])
        out = y + (before - before.detach()) * ratio
        return x.copy_(out) if over else out

    def _largest(self, pool: Any, input: Tensor, *args: Any, return_indices: bool = False, **kwargs: Any) -> Any:
        """A maximum over windows."""
        with torch.no_grad():
            y, at = pool(input.detach(), *args, return_indices=True, **kwargs)
        if not input.requires_grad:
            return (y, at) if return_indices else y
        n, space = len(y) // 2, input.ndim - 2
        change, places = (input - input.detach())[:n].flatten(2), at.flatten(2)
        with torch.no_grad():
            dx, most = self._difference(input).flatten(2), torch.maximum(y[:n], y[n:])
        out = y[:n].flatten(2)
        for where, gained in ((places[:n], most - y[n:]), (places[n:], y[:n] - most)):
            far = dx.gather(2, where)
            out = out + change.gather(2, where) * torch.where(far == 0, 0, gained.flatten(2) / torch.where(far == 0, 1, far))
        whole = torch.cat([out.unflatten(2, y.shape[-space:]), y[n:]])
        return (whole, at) if return_indices else whole

    def _difference(self, x: Tensor) -> Tensor:
        """Of the images from their baselines."""
        self.odd |= len(x) % 2 > 0
        half = (len(x) + 1) // 2
        return x[:half] - x[-half:]

    def notes(self, scores: Tensor, leaves: Sequence[Tensor]) -> tuple[str, ...]:
        """NotApplicable where the network holds what no rule is known for."""
        way = {*between(scores, leaves)}
        strange = Counter(kind for node in way if (kind := kind_of(node)) and not shares(node, kind, way, LINEAR))
        if self.odd or strange:
            what = ", ".join(f"{count} {kind.removesuffix('Backward')}" for kind, count in strange.most_common(4))
            also = f"on the way of this network lie also {what}" if strange else "here the batch is turned into something else"
            raise NotApplicable(
                f"DeepLIFT knows {RULED}; {also}. integrated-gradients has no such limit, and adds up to the same."
            )
        return ()


def _slope(fn: Any, args: Any, kwargs: Any, x: Tensor) -> Tensor:
    """dy/dx where x is."""
    leaf = x.detach().clone().requires_grad_()
    entered = leaf.clone()
    given = [entered if value is x else value for value in args]
    named = {key: entered if value is x else value for key, value in kwargs.items()}
    with torch.enable_grad():
        y = fn(*given, **named)
        y = entered if y is None else y
        return torch.autograd.grad(y.sum(), leaf)[0]
