"""Attention, and other fused calls, step by step: where their own kernels run, no rule reaches what they are made of."""

from collections.abc import Callable
from types import FunctionType
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

ATTENTION = F.scaled_dot_product_attention


def attention(
    query: Tensor, key: Tensor, value: Tensor, attn_mask: Tensor | None = None, dropout_p: float = 0.0, is_causal: bool = False,
    scale: float | None = None, enable_gqa: bool = False,
) -> Tensor:  # fmt: skip
    """softmax(q k' scale + mask) v, as `F.scaled_dot_product_attention` gives it: (..., tokens, channels)."""
    if enable_gqa:
        key, value = of_each_query(query, key, value)
    weights = written_out(query, key, attn_mask, is_causal, scale)
    return (F.dropout(weights, dropout_p) if dropout_p else weights) @ value


def of_each_query(query: Tensor, *shared: Tensor) -> list[Tensor]:
    """Keys and values (..., heads, k, c) that several heads of queries share, repeated for each head of queries."""
    return [tensor.repeat_interleave(query.shape[-3] // tensor.shape[-3], -3) for tensor in shared]


def written_out(query: Tensor, key: Tensor, mask: Tensor | None, causal: bool, scale: float | None) -> Tensor:
    """The weights softmax(q k' scale + mask): (..., q, k); a row that may look at nothing is zero."""
    rows = query @ key.transpose(-2, -1) * (query.shape[-1] ** -0.5 if scale is None else scale)
    if causal:
        mask = torch.ones(rows.shape[-2:], dtype=torch.bool, device=rows.device).tril()
    if mask is None:
        return rows.softmax(-1)
    rows = rows.masked_fill(~mask, -torch.inf) if mask.dtype == torch.bool else rows + mask
    return rows.softmax(-1).masked_fill((rows == -torch.inf).all(-1, keepdim=True), 0)


def glu(input: Tensor, dim: int = -1) -> Tensor:
    a, b = input.chunk(2, dim)
    return a * torch.sigmoid(b)


def _unfolded(function: Any) -> Callable[..., Any]:
    """A function of torch.nn.functional whose own calls a function mode meets, in place of the call as a whole."""
    namespace = {**function.__globals__, "has_torch_function": lambda _: False}
    copy = FunctionType(function.__code__, namespace, function.__name__, function.__defaults__)
    copy.__kwdefaults__ = function.__kwdefaults__
    return copy


STEPS = {  # while a mode is entered, what it meets in place of the call
    ATTENTION: attention, F.glu: glu, F.multi_head_attention_forward: _unfolded(F.multi_head_attention_forward),
}  # fmt: skip


class StepByStep(TorchFunctionMode):
    """While it is entered, fused calls run as their steps, which have second derivatives where their own kernels have none."""

    def __torch_function__(self, fn: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if fn not in STEPS:
            return fn(*args, **(kwargs or {}))
        with self:
            return STEPS[fn](*args, **(kwargs or {}))
