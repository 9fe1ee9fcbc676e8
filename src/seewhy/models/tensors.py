"""The tensors of a file that is no network, such as a sparse autoencoder's, as NumPy arrays."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seewhy.arrays import numbers
from seewhy.errors import BadWeights, MissingExtra

NESTED = ("state_dict", "model_state_dict", "model", "sae")  # where a checkpoint has them


class StoredTensors(NamedTuple):
    """What a file holds: arrays by name, half precision as float32; the metadata of a safetensors file; and its SHA-256."""

    arrays: Mapping[str, NDArray[Any]]
    facts: Mapping[str, str]
    digest: str


def stored_tensors(path: str | Path, trust: bool = False) -> StoredTensors:
    """The tensors of a safetensors file, or of one of torch.save, in which a state dict may lie within a checkpoint.

    trust: run the code that a pickle asks for; without it, nothing in a file is ever executed.
    Raises BadWeights for a file that is not there, is broken, holds no tensors, or would run code; MissingExtra without torch.
    """
    path = Path(path)
    if not path.is_file():
        raise BadWeights(f"{path} is not there. Give a .safetensors file, or one of torch.save that holds tensors alone.")
    try:
        from .zoo.open_file import digest, opened  # here, with the next, for they import torch, which is an extra
        from .zoo.weights import read_weights
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        raise MissingExtra("torch, which reads weights,", "torch") from None
    with opened(path) as stream:
        contents, facts = read_weights(stream, path, trust)
        found = {name: np.array(numbers(tensor)) for name, tensor in _tensors(contents).items()}
        halves = {name: array.astype(np.float32) if array.dtype == np.float16 else array for name, array in found.items()}
        if not halves:
            raise BadWeights(f"{path} holds no tensors by name. Save a state dict of tensors as .safetensors.")
        return StoredTensors(halves, facts, digest(stream))


def _tensors(contents: Any) -> dict[str, Any]:
    """What has a shape and a name, at the top or in the state dict within."""
    if not isinstance(contents, Mapping):
        return {}
    here = {str(name): value for name, value in contents.items() if hasattr(value, "detach") or isinstance(value, int | float)}
    if any(getattr(value, "ndim", 0) == 2 for value in here.values()):
        return here
    inside = (_tensors(contents[name]) for name in NESTED if name in contents)
    return next((found for found in inside if found), {})
