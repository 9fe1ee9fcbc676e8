"""From what a layer emits for a photo to one vector: its mean over space, its largest values, or all of them."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from seewhy.errors import BadParameter
from seewhy.images.resample import overlaps
from seewhy.printable import quoted

POOLINGS = ("mean", "max", "flat")


def check_pooling(pooling: object) -> str:
    """The name, where it is one of POOLINGS; else BadParameter."""
    if isinstance(pooling, str) and pooling in POOLINGS:
        return pooling
    raise BadParameter(
        f"pooling={quoted(pooling)}: 'mean' over space, 'max' of each channel, or 'flat', every number that the layer emits. "
        "What a network makes of its class token is a layer without space: name that, such as head_drop of a ViT of timm."
    )


def pooled(a: NDArray[Any], pooling: str = "mean") -> NDArray[Any]:
    """An activation (c, *space) as one vector: its mean or maximum over space (c,), or all of it (c * space,).

    Of a layer without space, (c,), each of these is the activation itself.
    """
    channels = a.reshape(len(a), -1)
    return channels.mean(1) if pooling == "mean" else channels.max(1) if pooling == "max" else channels.ravel()


def looked_at(a: NDArray[Any], values: NDArray[Any]) -> NDArray[Any] | None:
    """The mean of an activation (c, *space) over space, each place weighted by the positive part of a map: (c,); None of a map
    without any.

    values: the map over the same part of the image, with as many axes; where its cells are others, each counts as far as it
        overlaps one of the activation's.
    """
    weights = np.maximum(values, 0).astype(np.float64)
    for axis, (cells, wanted) in enumerate(zip(weights.shape, a.shape[1:], strict=True)):
        if cells != wanted:
            weights = np.moveaxis(np.tensordot(overlaps(cells, wanted), weights, (1, axis)), 0, axis)
    total = weights.sum()
    return None if not total > 0 else a.reshape(len(a), -1) @ (weights.ravel() / total)
