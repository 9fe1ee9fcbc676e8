"""What numpy arrays and torch tensors have in common, and how they are told in words."""

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Floats = NDArray[Any]
Array = Any  # a numpy array or a torch tensor: formulas use what both can do


class ArrayOfAny(Protocol):
    """An array or tensor of whatever library."""

    @property
    def shape(self) -> Any: ...
    @property
    def dtype(self) -> Any: ...


def numbers(x: Any) -> NDArray[Any]:
    """Any array, tensor or nested list as a numpy array, without a copy where that is possible.

    A tensor is taken off its graph and its device; numpy has no bfloat16, so that becomes float32.
    """
    if hasattr(x, "detach"):
        x = x.detach().cpu()
        x = x.float() if "bfloat16" in str(x.dtype) else x
    return np.asarray(x)


def filled(x: Array, axes: int = 0) -> NDArray[np.bool_]:
    """Which parts of an array hold anything but zero; NaN is something.  axes: of the parts, the first of x; 0: x as a whole.

    The largest and the least number tell, which are found many times faster than numbers that are not zero are counted.
    """
    parts = tuple(x.shape[:axes])
    if 0 in x.shape:
        return np.zeros(parts, bool)
    flat = x.reshape(*parts, -1)
    most, least = (flat.amax(-1), flat.amin(-1)) if hasattr(flat, "amax") else (flat.max(-1), flat.min(-1))
    return (numbers(most) != 0) | (numbers(least) != 0)


def first_of(output: Any) -> Any:
    """What a network or layer gave, or the first of several things that it gave."""
    return output[0] if isinstance(output, tuple | list) and output else output


def softmax(logits: NDArray[Any]) -> NDArray[Any]:
    """Rows of scores -> rows of probabilities; a single score is a binary logit."""
    if logits.shape[1] == 1:
        return 1 / (1 + np.exp(-logits))
    e = np.exp(logits - logits.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


def is_distribution(scores: NDArray[Any]) -> bool:
    """Are these probabilities already, maybe rounded to two digits?"""
    return scores.shape[1] > 1 and bool((scores >= 0).all()) and bool((abs(scores.sum(1) - 1) < 0.02).all())


def described(value: Any) -> Any:
    """A parameter as it can be read, compared and sent: of pictures and long arrays what they are and their SHA-256."""
    if isinstance(value, list | tuple):
        return tuple(map(described, value))
    if isinstance(value, Image.Image):
        return f"image {value.size} sha256:{_hash(value.tobytes())}"
    if hasattr(value, "shape") and hasattr(value, "dtype") and value.ndim:
        array = numbers(value)
        return f"array {array.shape} sha256:{_hash(np.ascontiguousarray(array).tobytes())}"
    if callable(value):
        return getattr(value, "__qualname__", type(value).__name__)
    return value


def _hash(data: bytes) -> str:
    from hashlib import sha256  # as long to import as much of seewhy

    return sha256(data).hexdigest()[:16]
