"""What a training leaves in its folder: the best network, and a checkpoint from which it goes on."""

import json
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors.torch import load_file, save

from seewhy.atomic import replacing

SETTINGS, WEIGHTS, CHECKPOINT = "segmenter.json", "weights.safetensors", "checkpoint.pt"


class Checkpoint(NamedTuple):
    """A training after a pass."""

    key: str  # of the training, which another's differs from
    epochs: list[list[Any]]  # the losses so far
    states: Mapping[str, Any]  # of network, optimiser and schedule


def write_segmenter(folder: Path, network: Any, settings: Mapping[str, Any]) -> None:
    """The settings and, of a network, the weights, as `seewhy.load` reads them."""
    if network is not None:
        _write_weights(folder, network.state_dict())
    with replacing(folder / SETTINGS, of="the segmenter") as beside:
        beside.write_text(json.dumps(settings, indent=1, ensure_ascii=False) + "\n", "utf-8")


def write_halved(folder: Path) -> None:
    """The weights that are there, in half precision."""
    state = load_file(folder / WEIGHTS)
    _write_weights(folder, {name: tensor.half() if tensor.is_floating_point() else tensor for name, tensor in state.items()})


def _write_weights(folder: Path, state: Mapping[str, Any]) -> None:
    with replacing(folder / WEIGHTS, of="the segmenter") as beside:
        beside.write_bytes(save({name: tensor.detach().cpu().contiguous() for name, tensor in state.items()}))


def write_checkpoint(folder: Path, checkpoint: Checkpoint) -> None:
    """The checkpoint, in place of the one before."""
    with replacing(folder / CHECKPOINT, of="the checkpoint") as beside:
        torch.save(checkpoint._asdict(), beside)


def read_checkpoint(folder: Path) -> Checkpoint | None:
    """The checkpoint in a folder; None where there is none that can be read."""
    path = folder / CHECKPOINT
    if not path.is_file():
        return None
    try:
        return Checkpoint(**torch.load(path, map_location="cpu", weights_only=True))
    except (RuntimeError, OSError, EOFError, TypeError, ValueError, pickle.UnpicklingError):
        return None


def has_segmenter(folder: Path) -> bool:
    """Did a training leave a network there?"""
    return (folder / SETTINGS).is_file() and (folder / WEIGHTS).is_file()
