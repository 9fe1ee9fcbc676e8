"""The way back: gradients of explained scores."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from threading import active_count
from typing import Any
from warnings import catch_warnings, filterwarnings

import torch
from numpy.typing import NDArray
from torch import Tensor

from seewhy.errors import BadNetwork, NotApplicable
from seewhy.memory import out_of_memory
from seewhy.printable import words_of

from .graph import between

TRAINED = (
    "Is it trained in another thread? What is found then belongs to no one network: explain a copy, "
    "wrap(copy.deepcopy(network)), or explain between two steps."
)


WITHOUT = "recipro-cam, score-cam and ablation-cam read a layer without gradients, occlusion and rise need none."
ASK = (
    "Is a part of it checkpointed or compiled? occlusion, score-cam, ablation-cam, recipro-cam and eigen-cam need no way back."
)


def trained_meanwhile(error: Exception) -> bool:
    """Did another thread write over the weights, so that the way back through the network failed?"""
    return "modified by an inplace operation" in str(error) and active_count() > 1


@contextmanager
def quiet() -> Iterator[None]:
    """Without torch's warning of operations that have no derivative, such as quantised ones: no gradient comes from behind
    them, and whoever asked for one is told so.
    """
    with catch_warnings():
        filterwarnings("ignore", r"[\w:]+: an autograd kernel was not registered to the Autograd key", UserWarning)
        yield


def gradients(
    scores: Tensor, tensors: list[Tensor], weights: NDArray[Any], at_once: int = 1, keep: bool = False
) -> list[Tensor | None]:
    """The gradients (t, n, ...) of t explained scores toward each tensor; None where nothing connects them.

    The scores of the network are (n, k), and `weights` (t, n, k) says what of them makes each explained score.

    `at_once` targets share one batched backward pass; with `keep` the graph stays for another call.
    """
    if not scores.requires_grad:
        return [None] * len(tensors)
    starts = torch.as_tensor(weights, dtype=scores.dtype, device=scores.device)
    parts = starts.split(at_once)
    chunks = [_backward(scores, tensors, part, keep or i + 1 < len(parts)) for i, part in enumerate(parts)]
    if len(chunks) == 1:
        return [*chunks[0]]
    return [None if parts[0] is None else torch.cat(parts) for parts in zip(*chunks, strict=True)]


NONE = "A part of the network has no second derivative"
FIRST = "Methods of the first alone, such as grad-cam, need none."


def second_gradient(
    scores: Tensor, weights: NDArray[Any], a: Tensor, turn: Callable[[Tensor], Tensor]
) -> Callable[[int, Any], Tensor]:
    """What gives, of explained score t and of v, the gradient of <g_t, v> toward a; v and the result as `turn` turns a.

    The graph of the scores lives as long as it.
    """
    starts = torch.as_tensor(weights, dtype=scores.dtype, device=scores.device)
    once = [name for node in between(scores, [a]) if (name := _differentiable_once(node))]

    def again(t: int, v: Any) -> Tensor:
        if once:  # torch would take its gradient for a constant, and say nothing
            raise NotApplicable(f"{NONE} ({once[0]} can be differentiated once only). {FIRST}")
        with torch.inference_mode(False), torch.enable_grad(), torch.autocast(a.device.type, enabled=False), quiet():
            g = _differentiable(scores, starts[t], a)
            h = None if g is None or not g.requires_grad else _once_more(turn(g), a, v)
            return turn(torch.zeros_like(a) if h is None else h).detach()

    return again


def _differentiable(scores: Tensor, start: Tensor, a: Tensor) -> Tensor | None:
    """The gradient with a graph of its own; None where nothing connects them."""
    if not scores.requires_grad:
        return None
    try:
        return torch.autograd.grad(scores, a, start, create_graph=True, allow_unused=True)[0]
    except Exception as error:
        raise _of_second(error) from error


def _once_more(g: Tensor, a: Tensor, v: Any) -> Tensor | None:
    try:
        start = torch.as_tensor(v, dtype=g.dtype, device=g.device).clone()  # what was made in inference mode has no graph
        return torch.autograd.grad(g, a, start, retain_graph=True, allow_unused=True)[0]
    except Exception as error:
        raise _of_second(error) from error


def _of_second(error: Exception) -> Exception:
    """What to raise where a second derivative fails."""
    if out_of_memory(error):
        return MemoryError(str(error))
    why = str(error).strip().splitlines()[0]
    if trained_meanwhile(error):
        return BadNetwork(f"The second way back through the network failed: {why} {TRAINED}")
    return NotApplicable(f"{NONE} ({why}). {FIRST}")


def _differentiable_once(node: Any) -> str:
    """The name of a person's autograd function whose way back is marked so; "" of any other node."""
    made_of = getattr(node, "_forward_cls", None)
    return made_of.__name__ if made_of is not None and hasattr(made_of.backward, "__wrapped__") else ""


def _backward(scores: Tensor, tensors: list[Tensor], starts: Tensor, keep: bool) -> Sequence[Tensor | None]:
    """One batched pass, or one after the other where that fails."""
    if len(starts) > 1:
        try:
            return torch.autograd.grad(scores, tensors, starts, is_grads_batched=True, retain_graph=True, allow_unused=True)
        except Exception as error:
            if out_of_memory(error):
                raise
    last = len(starts) - 1
    try:
        rows = [
            torch.autograd.grad(scores, tensors, start, retain_graph=keep or i < last, allow_unused=True)
            for i, start in enumerate(starts)
        ]
    except Exception as error:  # a person's own way back may raise anything
        if out_of_memory(error):
            raise
        raise way_back_failed(error) from error
    return [None if column[0] is None else _stacked(column) for column in zip(*rows, strict=True)]


def way_back_failed(error: Exception) -> BadNetwork:
    """The error for what a way back through the network raised."""
    why = words_of(error).splitlines()[0].rstrip(". ") if str(error).strip() else type(error).__name__
    return BadNetwork(f"The way back through the network failed: {why}. {TRAINED if trained_meanwhile(error) else ASK}")


def _stacked(rows: Sequence[Tensor]) -> Tensor:
    """The rows as one tensor in memory order; a single one that is in order is not copied."""
    return torch.stack([*rows]) if len(rows) > 1 else rows[0].contiguous()[None]
