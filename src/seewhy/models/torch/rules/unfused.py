"""Attention, and other fused calls, step by step: where their own kernels run, no rule reaches what they are made of."""

from collections.abc import Callable
from types import FunctionType
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

ATTENTION = F.scaled_dot_product_attention


def attention(
    query: Tensor, key: Tensor, value: Tensor, attn_mask: Tensor | None = None, dropout_p: float = 0.0, is_causal: bool = False,
    scale: float | None = None, enable_gqa: bool = False,
) -> Tensor:  # fmt: skip
    """softmax(q k' scale + mask) v, as `F.scaled_dot_product_attention` gives it: (..., tokens, channels)."""
    if enable_gqa:
        key, value = (one.repeat_interleave(query.shape[-3] // one.shape[-3], -3) for one in (key, value))
    weights = query @ key.transpose(-2, -1) * (query.shape[-1] ** -0.5 if scale is None else scale)
    if is_causal:
        attn_mask = torch.ones(weights.shape[-2:], dtype=torch.bool, device=weights.device).tril()
    if attn_mask is not None:
        seen = attn_mask.dtype == torch.bool
        weights = weights.masked_fill(~attn_mask, -torch.inf) if seen else weights + attn_mask
    weights = weights.softmax(-1)
    return (F.dropout(weights, dropout_p) if dropout_p else weights) @ value


def glu(input: Tensor, dim: int = -1) -> Tensor:
    a, b = input.chunk(2, dim)
    return a * torch.sigmoid(b)


def _unfolded(function: Any) -> Callable[..., Any]:
    """A function of torch.nn.functional whose own calls a function mode meets, in place of the call as a whole."""
    own = {**function.__globals__, "has_torch_function": lambda _: False}
    copy = FunctionType(function.__code__, own, function.__name__, function.__defaults__)
    copy.__kwdefaults__ = function.__kwdefaults__
    return copy


STEPS = {  # while a mode is entered, what it meets in place of the call
    ATTENTION: attention, F.glu: glu, F.multi_head_attention_forward: _unfolded(F.multi_head_attention_forward),
}  # fmt: skip
