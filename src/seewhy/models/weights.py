"""Reading weights that a stranger may have made: tensors only, never code."""

import re
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..errors import BadWeights, MissingExtra

NESTS = ("state_dict", "model_state_dict", "model", "net", "network", "state_dict_ema", "model_ema")
PREFIXES = ("module.", "_orig_mod.", "model.", "network.")


def read_weights(path: Path) -> tuple[dict[str, Tensor], Mapping[str, str], str]:
    """A file's tensors by name (halves as float32), its metadata, and its name with the start of its SHA-256.

    Reads safetensors, and what torch.load(weights_only=True) reads: a state dict, also inside a checkpoint, also with a
    DataParallel or compile prefix.  Raises BadWeights for anything else; nothing in the file is ever executed.
    """
    if not path.is_file():
        raise BadWeights(f"The weights {path} are not there. Give a .safetensors file or a state dict saved by torch.save.")
    facts, found = _safetensors(path) if path.suffix == ".safetensors" else ({}, _unpickled(path))
    state = {name: tensor.float() if _is_half(tensor) else tensor for name, tensor in _flat(found, path).items()}
    with path.open("rb") as file:
        digest = sha256()
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return state, facts, f"{path.name} sha256:{digest.hexdigest()[:16]}"


def _is_half(tensor: Tensor) -> bool:
    return tensor.is_floating_point() and tensor.element_size() < 4


def _safetensors(path: Path) -> tuple[Mapping[str, str], dict[str, Tensor]]:
    try:
        from safetensors import SafetensorError, safe_open
    except ModuleNotFoundError:
        raise MissingExtra("safetensors", "torch") from None
    try:
        with safe_open(path, framework="pt") as file:
            return file.metadata() or {}, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise BadWeights(f"{path} is no intact safetensors file: {error}") from None


def _unpickled(path: Path) -> Any:
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # noqa: BLE001 - pickle raises nearly anything on a broken file
        needs = _needs(path)
        said = re.sub(r"\x1b\[[0-9;]*m", "", str(error)).strip().splitlines() or [type(error).__name__]
        why = f"it needs code ({', '.join(needs)}), which is not run" if needs else said[0]
        raise BadWeights(
            f"{path} cannot be read as weights: {why}. Save the state dict alone: "
            "torch.save(network.state_dict(), path), or as safetensors."
        ) from None


def _needs(path: Path) -> list[str]:
    try:
        return torch.serialization.get_unsafe_globals_in_checkpoint(path)
    except Exception:  # noqa: BLE001 - older formats cannot be asked
        return []


def _flat(found: Any, path: Path) -> dict[str, Tensor]:
    for nest in NESTS:
        if isinstance(found, Mapping) and isinstance(found.get(nest), Mapping):
            found = found[nest]
            break
    if not isinstance(found, Mapping) or not found or not all(isinstance(v, Tensor) for v in found.values()):
        held = ", ".join(map(str, list(found)[:5])) if isinstance(found, Mapping) else type(found).__name__
        raise BadWeights(f"{path} holds no state dict (it holds {held or 'nothing'}). Save network.state_dict().")
    names = [str(name) for name in found]
    for prefix in PREFIXES:
        if all(name.startswith(prefix) for name in names):
            return {name.removeprefix(prefix): found[name] for name in names}
    return {name: found[name] for name in names}
