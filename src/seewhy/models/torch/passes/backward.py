"""The way back: gradients of explained scores."""

from collections.abc import Sequence
from threading import active_count
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from seewhy.errors import BadNetwork
from seewhy.memory import out_of_memory

TRAINED = (
    "Is it trained in another thread? What is found then belongs to no one network: explain a copy, "
    "wrap(copy.deepcopy(network)), or explain between two steps."
)


def gradients(
    scores: Tensor, seen: list[Tensor], weights: NDArray[Any], at_once: int = 1, keep: bool = False
) -> list[Tensor | None]:
    """Of t explained scores, `weights` (t, n, k), toward each tensor seen: (t, n, ...).  None where nothing connects them.

    `at_once` targets share one batched backward pass; with `keep` the graph stays for another call.
    """
    if not scores.requires_grad:
        return [None] * len(seen)
    starts = torch.as_tensor(weights, dtype=scores.dtype, device=scores.device)
    parts = starts.split(at_once)
    chunks = [_backward(scores, seen, part, keep or i + 1 < len(parts)) for i, part in enumerate(parts)]
    return [None if parts[0] is None else torch.cat(parts) for parts in zip(*chunks, strict=True)]


def _backward(scores: Tensor, seen: list[Tensor], starts: Tensor, keep: bool) -> Sequence[Tensor | None]:
    """One batched pass, or one after the other where that fails."""
    if len(starts) > 1:
        try:
            return torch.autograd.grad(scores, seen, starts, is_grads_batched=True, retain_graph=True, allow_unused=True)
        except RuntimeError as error:  # a custom or recurrent operation that cannot be batched
            if out_of_memory(error):
                raise
    last = len(starts) - 1
    try:
        rows = [
            torch.autograd.grad(scores, seen, start, retain_graph=keep or i < last, allow_unused=True)
            for i, start in enumerate(starts)
        ]
    except RuntimeError as error:
        if out_of_memory(error):
            raise
        why = str(error).strip().splitlines()[0]
        changed = "modified by an inplace operation" in why and active_count() > 1
        ask = TRAINED if changed else "Is a part of it checkpointed or compiled?"
        raise BadNetwork(f"The way back through the network failed: {why} {ask}") from error
    return [None if column[0] is None else torch.stack(column) for column in zip(*rows, strict=True)]
