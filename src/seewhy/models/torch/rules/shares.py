"""What a layer with weights shares relevance out by, for each rule of LRP."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from seewhy.models.rule import Relevance

WeightedRun = Callable[[Tensor, Tensor, Tensor | None], Tensor]  # the layer, of an input, weights and a bias


def shared(
    by: str, rule: Relevance, run: WeightedRun, x: Tensor, at: Tensor, w: Tensor, b: Tensor | None
) -> list[tuple[float, Tensor]]:  # fmt: skip
    """By what the output of a layer is shared out, and how many times over: their gradients toward `at` are the shares.

    at: x itself, so that a share is the gradient times x; or ones in its place, so that it is the gradient.
    """
    units = at is not x
    x = x.detach() * at if units else x
    b = b if rule.bias else None
    if by == "flat":
        return [(1.0, run(at, torch.ones_like(w), None))]
    if by == "w-square":
        return [(1.0, run(at, w.square(), None if b is None else b.square()))]
    if by == "z-box":
        low, high = (at * _bound(bound, x) for bound in (rule.low, rule.high))
        return [(1.0, run(x, w, None) - run(low, w.clamp(min=0), None) - run(high, w.clamp(max=0), None))]
    if by == "epsilon":
        return [(1.0, run(x, w, b))]
    if by == "z-plus":
        return [(1.0, _products(run, x, w, b, up=True))]
    if by == "alpha2-beta1":
        return [(2.0, _products(run, x, w, b, up=True)), (-1.0, _products(run, x, w, b, up=False))]
    whole = run(x, w, b)
    above = (whole >= 0).detach()
    own = torch.where(above, _products(run, x, w, b, up=True), _products(run, x, w, b, up=False))
    return [(1.0, whole + rule.gamma * own)]


def _bound(values: Sequence[float], x: Tensor) -> Tensor:
    """One number, or one a channel, as it is multiplied with x (n, c, *space)."""
    return torch.tensor(values, dtype=x.dtype, device=x.device).reshape(1, -1, *[1] * (x.ndim - 2))


def _products(run: WeightedRun, x: Tensor, w: Tensor, b: Tensor | None, up: bool) -> Tensor:
    """The sum of the positive products x w and bias alone, or (up=False) of the negative ones."""
    same, other = (w.clamp(min=0), w.clamp(max=0)) if up else (w.clamp(max=0), w.clamp(min=0))
    bias = None if b is None else b.clamp(min=0) if up else b.clamp(max=0)
    out = run(x * (x > 0), same, bias)
    return out + run(x * (x < 0), other, None) if bool((x < 0).any()) else out
