"""What a training leaves in its folder: the best network, and a checkpoint from which it goes on."""

import json
import pickle
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch

from seewhy.atomic import replacing
from seewhy.errors import MissingExtra

SETTINGS, WEIGHTS, CHECKPOINT = "segmenter.json", "weights.safetensors", "checkpoint.pt"


class Checkpoint(NamedTuple):
    """A training after a pass."""

    key: str  # of the training, which another's differs from
    epochs: list[list[Any]]  # the losses so far
    states: Mapping[str, Any]  # of network, optimiser and schedule


def write_segmenter(folder: Path, network: Any, settings: Mapping[str, Any], half: bool = False) -> None:
    """The settings and, of a network, the weights, in half precision if asked, as `seewhy.load` reads them."""
    if network is not None:
        try:
            from safetensors.torch import save  # here, for it is an extra
        except ModuleNotFoundError:
            raise MissingExtra("safetensors", "torch") from None
        state = {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}
        if half:
            state = {name: tensor.half() if tensor.is_floating_point() else tensor for name, tensor in state.items()}
        with replacing(folder / WEIGHTS, of="the segmenter") as beside:
            beside.write_bytes(save(state))
    with replacing(folder / SETTINGS, of="the segmenter") as beside:
        beside.write_text(json.dumps(settings, indent=1, ensure_ascii=False) + "\n", "utf-8")


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
