"""A BatchNorm with fixed statistics as what it is: a scale and a shift of each channel."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from seewhy.models.torch.passes.torch_calls import bound

PARAMETERS = {  # of each call that normalises a batch, those that it takes by place
    F.batch_norm: ("input", "running_mean", "running_var", "weight", "bias", "training", "momentum", "eps"),
    torch.batch_norm: ("input", "weight", "bias", "running_mean", "running_var", "training", "momentum", "eps"),
}


def arguments(args: Sequence[Any], kwargs: Mapping[str, Any], fn: Any = F.batch_norm) -> dict[str, Any]:
    """The arguments of such a call, as `F.batch_norm` knows them by name."""
    given = bound(PARAMETERS[fn], args, kwargs)
    return {name: given[name] for name in PARAMETERS[F.batch_norm] if name in given}


def scale_and_shift(given: Mapping[str, Any]) -> tuple[Tensor, Tensor]:
    """gamma / sqrt(var + eps) and beta - mean gamma / sqrt(var + eps), (c,) each, of `arguments` with running statistics."""
    mean, scale = given["running_mean"], (given["running_var"] + given.get("eps", 1e-5)).rsqrt()
    scale = scale if given.get("weight") is None else scale * given["weight"]
    return scale, -mean * scale if given.get("bias") is None else given["bias"] - mean * scale
