"""A BatchNorm with fixed statistics as what it is: a scale and a shift of each channel."""

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from seewhy.models.torch.passes.torch_calls import bound

PARAMETERS = ("input", "running_mean", "running_var", "weight", "bias", "training", "momentum", "eps")  # of F.batch_norm


def arguments(args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of a call of `F.batch_norm`, by name."""
    return bound(PARAMETERS, args, kwargs)


def scale_and_shift(given: Mapping[str, Any]) -> tuple[Tensor, Tensor]:
    """gamma / sqrt(var + eps) and beta - mean gamma / sqrt(var + eps), (c,) each, of `arguments` with running statistics."""
    mean, scale = given["running_mean"], (given["running_var"] + given.get("eps", 1e-5)).rsqrt()
    scale = scale if given.get("weight") is None else scale * given["weight"]
    return scale, -mean * scale if given.get("bias") is None else given["bias"] - mean * scale
