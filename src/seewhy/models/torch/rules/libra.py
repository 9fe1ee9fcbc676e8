"""LibraGrad in torch: while a block runs, all that is not affine is replaced by what is, and has the same value there.

Then the score is sum x dy/dx, and what each bias and constant adds (Mehri et al. 2025, FullGrad-completeness).  Softmax,
sigmoid and erf count as constants, GELU and its like as x times a constant f(x) / x; products, quotients and norms are in
`relevance_products`.  What is piecewise linear (ReLU, max-pooling, clamps) is affine already and stays as it is.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from seewhy.errors import NotApplicable
from seewhy.models.torch.passes.graph import between, kind_of, rests_on_image
from seewhy.models.torch.passes.torch_calls import spelled
from seewhy.models.torch.scores import plain

from .products import conserving
from .relevance import ERFS, GATES, HOMOGENEOUS, PLAIN, SMOOTH, activation, shares
from .relu_rules import OPAQUE
from .relus import ELUS
from .unfused import ATTENTION, STEPS

CONSTANT = GATES | ERFS | spelled("softmax")
CURVED = SMOOTH | ELUS
AFFINE = (
    *PLAIN, *HOMOGENEOUS, "Relu", "Threshold", "Hardtanh", "LeakyRelu", "Prelu", "Rrelu", "Abs", "Clamp", "Maximum",
    "Minimum", "MaskedFill", "IndexPut", "Sort", "Topk", "Scatter",
)  # fmt: skip
TINY = 1e-6  # at zero f(x) / x is the slope


class Balance(TorchFunctionMode):
    """While it is entered, the network is affine in the image around the image."""

    def __init__(self) -> None:
        super().__init__()
        self.changed = 0

    def __torch_function__(self, fn: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if not torch.is_grad_enabled():
            return fn(*args, **kwargs)
        if fn is ATTENTION:
            return self._attended(*args, **kwargs)
        if fn in STEPS:
            with self:
                return STEPS[fn](*args, **kwargs)
        if (out := conserving(fn, args, kwargs)) is not None:
            self.changed += out.requires_grad
            return out
        if fn in CONSTANT:
            out = fn(*args, **kwargs)
            self.changed += rests_on_image(out)
            return out.detach()
        if fn in CURVED and (over := activation(fn, args, kwargs)) is not None:
            return self._steadied(fn, args, kwargs, over)
        return fn(*args, **kwargs)

    def _attended(
        self, query: Tensor, key: Tensor, value: Tensor, attn_mask: Tensor | None = None, *rest: Any, **named: Any
    ) -> Tensor:
        """The weights are constants, and the fused kernel may stay."""
        self.changed += rests_on_image(query) or rests_on_image(key)
        mask = None if attn_mask is None else attn_mask.detach()
        return ATTENTION(query.detach(), key.detach(), value, mask, *rest, **named)

    def _steadied(self, fn: Any, args: Any, kwargs: Any, over: bool) -> Tensor:
        """x times the constant f(x) / x."""
        x, *rest = args or (kwargs["input"],)
        named = {key: value for key, value in kwargs.items() if key not in ("input", "inplace")}
        with torch.no_grad():
            at = plain(x).where(x != 0, TINY)
            ratio = (fn(at.clone(), *rest, **named) / at).to(x.dtype)
        self.changed += rests_on_image(x)
        return x.mul_(ratio) if over else x * ratio

    def notes(self, scores: Tensor, leaves: Sequence[Tensor]) -> tuple[str, ...]:
        """What is not in balance; NotApplicable where nothing comes back, or where calls run out of sight."""
        way = {*between(scores, leaves)}
        if self.changed and not way:
            raise NotApplicable(
                "libra holds softmaxes, sigmoids and what divides constant, and no other way leads back to what is read. Where "
                "the network ends in a softmax, wrap the part before it; attention weights are read by methods of their own."
            )
        if sealed := [what for node in way if (what := OPAQUE.get(kind_of(node)))]:
            raise NotApplicable(f"libra reaches every call of Python, not {sealed[0]} of this network. Give the plain network.")
        if not self.changed:
            return ("libra changes nothing here: all on the way back is affine already, or out of its reach",)
        curved = Counter(kind.removesuffix("Backward") for node in way
                         if (kind := kind_of(node)) and not shares(node, kind, way, AFFINE))  # fmt: skip
        if not curved:
            return ()
        what = ", ".join(f"{count} {kind}" for kind, count in curved.most_common(4))
        return (f"libra leaves the plain gradient to {what}: pixels and biases do not add up to the score",)
