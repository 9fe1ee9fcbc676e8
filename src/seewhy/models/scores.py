"""What a torch network returns, as scores (n, k)."""

from collections.abc import Mapping
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..errors import BadNetwork


def raw_scores(output: Any, n: int) -> Tensor:
    """The (n, k) scores in what a network returned: a tensor, a tuple that starts with one, a dict or ModelOutput."""
    found = output
    if hasattr(output, "logits"):
        found = output.logits
    elif isinstance(output, Mapping):
        flat = [value for value in output.values() if isinstance(value, Tensor) and value.ndim == 2]
        found = output.get("logits", flat[0] if len(flat) == 1 else None)
    elif isinstance(output, tuple | list) and output:
        found = output[0]
    if not isinstance(found, Tensor):
        keys = f" with {', '.join(map(str, output))}" if isinstance(output, Mapping) else ""
        raise BadNetwork(f"The network gives {type(output).__name__}{keys}. Wrap a module that returns scores (n, k).")
    if found.ndim == 1 and len(found) == n:
        return found[:, None]
    if found.ndim == 1 and n == 1:  # the network squeezes
        return found[None]
    if found.ndim > 2 and found.shape[2:].numel() == 1:
        found = found.flatten(1)
    if found.ndim != 2 or len(found) != n:
        raise BadNetwork(
            f"The network gives {tuple(found.shape)} for {n} images. Methods need scores (n, k); of a dense output "
            "make scores first, such as the mean over a region."
        )
    return found


def as_scores(raw: Tensor, explains: str, normalised: bool | None = None) -> Tensor:
    """What the network gives (n, k) as logits, log-probabilities or probabilities; one score alone is a binary logit.

    normalised: they are probabilities already; None where that is to be found out.
    """
    if explains == "logits":
        return raw
    if is_distribution(raw) if normalised is None else normalised:
        return raw if explains == "probability" else raw.log()
    if raw.shape[1] == 1:
        return raw.sigmoid() if explains == "probability" else nn.functional.logsigmoid(raw)
    return raw.softmax(1) if explains == "probability" else raw.log_softmax(1)


def is_distribution(raw: Tensor) -> bool:
    """Are these probabilities already, to the rounding of their kind?"""
    slack = max(1e-3, 2 * torch.finfo(raw.dtype).eps)
    raw = raw.detach().float()
    return raw.shape[1] > 1 and bool((raw >= 0).all()) and bool(((raw.sum(1) - 1).abs() < slack).all())


def plain(x: Tensor) -> Tensor:
    """Half precision as float32: formulas sum over thousands of numbers."""
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x


def as_numpy(x: Tensor) -> NDArray[Any]:
    return plain(x).cpu().numpy()
