"""The order of an image's numbers in memory: convolutions on a processor are quicker where the channels stand last."""

from typing import Any

import torch
from torch import Tensor

from seewhy.models.torch.rows import comparable, together_of

LAYOUTS = {4: torch.channels_last, 5: torch.channels_last_3d}


def alike(scores: Tensor, expected: Tensor) -> bool:
    """Equal to the rounding of a network's many sums."""
    slack = torch.finfo(expected.dtype).eps ** 0.6
    return bool((abs(scores - expected) <= slack * abs(expected).max()).all())


def channels_last(x: Tensor) -> Tensor:
    """The same images (n, c, *space), their channels last in memory; as they are where they have other axes."""
    return x.contiguous(memory_format=LAYOUTS[x.ndim]) if type(x) is Tensor and x.ndim in LAYOUTS else x


def turnable(runner: Any, like: Tensor) -> bool:
    """May the runner's network be given images like this one (1, c, *space) with their channels last in memory?

    On a processor alone, and where that leaves its scores, which is tried once on each network as it is now.
    """
    known = together_of(runner)
    if known.turnable is None:
        known.turnable = like.device.type == "cpu" and comparable(runner) and takes_turned(runner, like)
    return known.turnable


def takes_turned(runner: Any, like: Tensor) -> bool:
    """Does the runner's network give an image (1, c, *space) the same scores, to rounding, where its channels stand last in
    memory?  Some networks have code that takes one order only.
    """
    try:
        with torch.no_grad():
            return like.ndim in LAYOUTS and alike(runner.raw(channels_last(like.clone())), runner.raw(like.clone()))
    except Exception:  # noqa: BLE001 - what fails on images in this order is given none
        return False


def turned_copy(runner: Any, like: Tensor) -> bool:
    """Bring the weights of a runner's network, which is a copy, into that order, and say whether images may come in it; where
    that changes the scores of an image `like`, the weights are brought back.
    """
    with torch.no_grad():
        before = runner.raw(like.clone())
    runner.network.to(memory_format=torch.channels_last)
    try:
        with torch.no_grad():
            fits = like.ndim in LAYOUTS and alike(runner.raw(channels_last(like.clone())), before)
    except Exception:  # noqa: BLE001 - as above
        fits = False
    if not fits:
        runner.network.to(memory_format=torch.contiguous_format)
    return fits
