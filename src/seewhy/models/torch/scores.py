"""Scores (n, k), from whatever a torch network returns."""

from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from seewhy.arrays import first_of, numbers
from seewhy.errors import BadNetwork, BadParameter

ADVICE = 'Say which part holds the scores (n, k): wrap(output="logits"), a key, a place, or a function of what it returns.'


def picked(output: Any, selection: Any, n: int) -> Tensor:
    """The tensor with the scores in what a network returned.

    selection: a key, field or attribute; a place in a tuple; a function of the output; None: the tensor itself, `logits`, the
    first of a tuple, or the only tensor of scores in a dict or dataclass.
    """
    if selection is None:
        part = _likely(output, n)
    elif isinstance(selection, Callable):
        part = _called(output, selection)
    else:
        part = _part(output, selection)
    if isinstance(part, tuple | list) and len(part) == 1:
        part = part[0]
    if not isinstance(part, Tensor):
        made = f", of which output= makes {_held(part)}" if isinstance(selection, Callable) else ""
        raise BadNetwork(f"The network gives {_held(output)}{made}. {ADVICE}")
    if part.is_complex() or (not part.is_floating_point() and selection is None and _has_floats(output)):
        raise BadNetwork(f"The network gives {_held(output)}; {part.dtype} numbers have no gradient. {ADVICE}")
    return part


def _has_floats(output: Any) -> bool:
    """Are there real numbers among what it gives, which are more likely to be the scores than whole ones?"""
    parts = [value for _, value in _parts(output)] or (output if isinstance(output, tuple | list) else [])
    return any(isinstance(value, Tensor) and value.is_floating_point() for value in parts)


def part_of(output: Any, selection: Any) -> Any:
    """The part of a network's output that `wrap(output=)` selects; all of it where nothing was selected."""
    if selection is None:
        return output
    return _called(output, selection) if isinstance(selection, Callable) else _part(output, selection)


def chosen(output: Any, selection: Any) -> Any:
    """The tensor in a network's output that the scores are read of, where it stands there as it is; else the output."""
    if selection is None or isinstance(selection, Callable):
        return first_of(output)
    try:
        return _part(output, selection)
    except BadParameter:  # which is said where the scores are read
        return output


def _called(output: Any, selection: Callable[[Any], Any]) -> Any:
    try:
        return selection(output)
    except (LookupError, AttributeError, TypeError) as error:
        raise BadParameter(f"output= failed on what the network gives, {_held(output)}: {error!r}. {ADVICE}") from error


def raw_scores(part: Tensor, n: int, output: Any) -> Tensor:
    """The part that holds the scores of n images, as (n, k); one number per image becomes (n, 1)."""
    if part.ndim == 0 and n == 1:
        return part[None, None]
    if part.ndim == 1 and len(part) == n:
        return part[:, None]
    if part.ndim == 1 and n == 1:  # the network squeezes
        return part[None]
    if part.ndim > 2 and part.shape[2:].numel() == 1:
        part = part.flatten(1)
    if part.ndim != 2 or len(part) != n:
        dense = "of a dense output or a sequence make scores first, such as the mean over a region or one word's"
        if part.ndim == 3:  # as logits (n, tokens, vocabulary)
            dense = f'of a text that a network writes ask for target="token:WORD"; {dense}'
        shape = _held(output)
        raise BadNetwork(
            f"The network gives {shape} for {n} image{'s' * (n != 1)}. Methods need scores (n, k); {dense}: "
            "wrap(output=lambda out: ...)."
        )
    return part


def _likely(output: Any, n: int) -> Any:
    parts = dict(_parts(output))
    if isinstance(parts.get("logits"), Tensor):
        return parts["logits"]
    if isinstance(output, tuple | list) and output and not parts:
        return output[0]
    scores = [value for value in parts.values() if isinstance(value, Tensor) and value.ndim == 2 and len(value) == n]
    numbers = [value for value in parts.values() if isinstance(value, Tensor) and value.ndim == 1 and len(value) == n]
    if len(scores) + len(numbers) == 1:
        return (scores or numbers)[0]
    return output


def rivals(output: Any, n: int) -> str:
    """The parts of a plain tuple that could be scores, in words; "" of one alone, and where names tell."""
    if not isinstance(output, tuple | list) or hasattr(output, "_fields"):
        return ""
    parts = [part for part in output if isinstance(part, Tensor) and part.is_floating_point()]
    fitting = [str(tuple(part.shape)) for part in parts if part.ndim in (1, 2) and len(part) == n]
    return f"a {type(output).__name__} with {' and '.join(fitting)}" if len(fitting) > 1 else ""


def _parts(output: Any) -> Iterator[tuple[Any, Any]]:
    """What a dict, dataclass, ModelOutput or named tuple holds, by name."""
    if isinstance(output, Mapping):
        yield from output.items()
    elif is_dataclass(output) and not isinstance(output, type):
        yield from ((f.name, getattr(output, f.name)) for f in fields(output))
    elif isinstance(output, tuple) and hasattr(output, "_fields"):
        yield from zip(output._fields, output, strict=True)  # type: ignore[attr-defined]
    elif not isinstance(output, Tensor | tuple | list):
        yield from ((name, value) for name in ("logits",) if isinstance(value := getattr(output, name, None), Tensor))


def _part(output: Any, selection: Any) -> Any:
    parts = dict(_parts(output))
    if isinstance(selection, Hashable) and selection in parts:
        return parts[selection]
    if isinstance(selection, str) and not isinstance(output, Tensor | tuple | list) and hasattr(output, selection):
        return getattr(output, selection)
    if isinstance(selection, int) and isinstance(output, tuple | list) and -len(output) <= selection < len(output):
        return output[selection]
    if isinstance(output, Tensor):
        raise BadParameter(f"output={selection!r}: the network gives one tensor {tuple(output.shape)}. Leave output= out.")
    raise BadParameter(f"output={selection!r}: the network gives {_held(output)}. {ADVICE}")


def _held(output: Any) -> str:
    if isinstance(output, Tensor):
        return f"{tuple(output.shape)} of {output.dtype}" if not output.is_floating_point() else str(tuple(output.shape))

    def said(value: Any) -> str:
        return str(tuple(value.shape)) if isinstance(value, Tensor) else type(value).__name__

    parts = list(_parts(output)) or (list(enumerate(output)) if isinstance(output, tuple | list) else [])
    inside = ", ".join(f"{key}: {said(value)}" for key, value in parts)
    return f"{type(output).__name__}{f' with {inside}' if inside else ''}"


def as_scores(raw: Tensor, explains: str, normalised: bool | None = None, task: str | None = None) -> Tensor:
    """What the network gives (n, k) as logits, log-probabilities or probabilities; one score alone is a binary logit.

    normalised: they are probabilities already; None where that is to be found out.
    """
    if explains == "logits":
        return raw
    if is_distribution(raw) if normalised is None else normalised:
        return raw if explains == "probability" else raw.log()
    if raw.shape[1] == 1 or task == "multi-label":
        return raw.sigmoid() if explains == "probability" else nn.functional.logsigmoid(raw)
    return raw.softmax(1) if explains == "probability" else raw.log_softmax(1)


def is_distribution(raw: Tensor) -> bool:
    """Are these probabilities already, to the rounding of their kind?"""
    slack = max(1e-3, 2 * torch.finfo(raw.dtype).eps)
    raw = raw.detach().float()
    return raw.shape[1] > 1 and bool((raw >= 0).all()) and bool(((raw.sum(1) - 1).abs() < slack).all())


def is_log_distribution(raw: Tensor) -> bool:
    """Are these log-probabilities?"""
    slack = max(1e-3, 2 * torch.finfo(raw.dtype).eps)
    raw = raw.detach().float()
    return raw.shape[1] > 1 and bool((raw <= 0).all()) and bool((raw.logsumexp(1).abs() < slack).all())


def could_be_sigmoids(raw: Tensor) -> bool:
    """Do all of them lie between 0 and 1?  Then it is worth a look at the graph."""
    raw = raw.detach()
    return bool(((raw >= 0) & (raw <= 1)).all()) and not is_distribution(raw)


def plain(x: Tensor) -> Tensor:
    """Half precision as float32: formulas sum over thousands of numbers."""
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x


def as_numpy(x: Tensor) -> NDArray[Any]:
    return numbers(plain(x))
