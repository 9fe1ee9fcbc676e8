"""Where the dense scores (n, k, *where) stand in what a network gives, and which of their channels is that of a class."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from einops import rearrange

from seewhy.arrays import Array, first_of
from seewhy.errors import BadParameter, NotApplicable

from .target import Labels

DENSE = ("out", "logits", "predicted_depth")  # where torchvision's and Hugging Face's networks put dense scores


def dense(output: Any, d: int) -> Array:
    """The scores (n, k, *where) in what a network gives, for images of d dimensions; a map (n, *where) is one channel, and so
    is a list of maps (*where) of one size, one for each image.
    """
    scores: Any = first_of(named := _named(output))
    shape: tuple[int, ...] = tuple(getattr(scores, "shape", ()))
    if isinstance(named, list) and len(shape) == d and all(tuple(getattr(each, "shape", ())) == shape for each in named):
        scores = _stacked(named)
        shape = tuple(scores.shape)
    if len(shape) not in (1 + d, 2 + d) or 0 in shape:
        contents = f"scores {shape}" if shape else type(output).__name__
        raise NotApplicable(
            f"A Region or Point lies in a dense output (n, k, {'h, w' if d == 2 else '*space'}), and the network gives "
            f"{contents}. Ask for a class; or say where the dense scores are: wrap(output=...)."
        )
    return scores[:, None] if len(shape) == 1 + d else scores


def channel(of: int | str | None, scores: Array, labels: Labels, aim: object) -> int:
    """The channel of a dense output that belongs to the class of an aim."""
    k = scores.shape[1]
    if of is None and k > 1:
        named = f" such as Region({labels[0]!r})" if labels else ""
        raise BadParameter(f"{aim}: the output has {k} channels; name the class{named}.")
    index = 0 if of is None else of
    if not isinstance(index, int | np.integer) or not 0 <= index < k:
        raise BadParameter(f"{aim}: the output has channels 0 to {k - 1}.")
    return int(index)


def _named(output: Any) -> Any:
    """The dense scores among named outputs, by their name in DENSE; else the output as it is."""
    for key in DENSE:
        if isinstance(output, Mapping) and key in output:
            return output[key]
        if not hasattr(output, "shape") and hasattr(output, key):
            return getattr(output, key)
    return output


def _stacked(maps: list[Any]) -> Array:
    """Maps of one size (*where) as one array (n, *where), torch or numpy."""
    if isinstance(maps[0], np.ndarray):
        return np.stack(maps)
    return rearrange(maps, "n ... -> n ...")
