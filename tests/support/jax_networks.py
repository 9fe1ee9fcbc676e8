"""The network of `adapters.py`, with its weights, as a function of JAX and as modules of Flax."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen, nnx

from support.adapters import weights

Params = dict[str, Any]


def params() -> Params:
    return {name: jnp.asarray(value) for name, value in weights().items()}


def convolved(x: Any, p: Params, name: str, stride: int) -> Any:
    """(n, h, w, c) through a convolution of 3 x 3 with a rim of zeros."""
    numbers = ("NHWC", "OIHW", "NHWC")
    return (
        jax.lax.conv_general_dilated(x, p[f"{name}.weight"], (stride, stride), ((1, 1), (1, 1)), dimension_numbers=numbers)
        + p[f"{name}.bias"]
    )


def scores(p: Params, x: Any) -> Any:
    """Images (n, h, w, c) -> scores (n, k)."""
    x = jax.nn.relu(convolved(x, p, "conv1", 1))
    x = jnp.maximum(convolved(x, p, "conv2", 2), 0)
    return x.mean((1, 2)) @ p["fc.weight"].T + p["fc.bias"]


class NnxRelu(nnx.Module):
    def __call__(self, x: Any) -> Any:
        return nnx.relu(x)


class NnxPooled(nnx.Module):
    """In NNX, with a Dropout that inference leaves out."""

    def __init__(self, rngs: nnx.Rngs) -> None:
        self.conv1, self.act1 = nnx.Conv(3, 6, (3, 3), padding=1, rngs=rngs), NnxRelu()
        self.conv2, self.act2 = nnx.Conv(6, 8, (3, 3), 2, padding=1, rngs=rngs), NnxRelu()
        self.drop, self.fc = nnx.Dropout(0.5, rngs=rngs), nnx.Linear(8, 5, rngs=rngs)

    def __call__(self, x: Any) -> Any:
        x = self.act2(self.conv2(self.act1(self.conv1(x))))
        return self.fc(self.drop(x.mean((1, 2))))


def nnx_pooled() -> NnxPooled:
    network, p = NnxPooled(nnx.Rngs(0)), variables()["params"]
    for name in ("conv1", "conv2", "fc"):
        layer = getattr(network, name)
        layer.kernel[...], layer.bias[...] = p[name]["kernel"], p[name]["bias"]
    return network


class LinenRelu(linen.Module):
    def __call__(self, x: Any) -> Any:
        return linen.relu(x)


class LinenPooled(linen.Module):
    """In Linen; whether it is trained, it has to be told."""

    @linen.compact
    def __call__(self, x: Any, train: bool) -> Any:
        for i, (channels, stride) in enumerate(((6, 1), (8, 2)), 1):
            x = LinenRelu(name=f"act{i}")(linen.Conv(channels, (3, 3), stride, padding=1, name=f"conv{i}")(x))
        x = linen.Dropout(0.5, deterministic=not train)(x.mean((1, 2)))
        return linen.Dense(5, name="fc")(x)


def variables() -> Mapping[str, Any]:
    """Of `LinenPooled`."""
    p = params()
    kernels = {name: p[f"{name}.weight"].transpose(2, 3, 1, 0) for name in ("conv1", "conv2")} | {"fc": p["fc.weight"].T}
    return {"params": {name: {"kernel": kernel, "bias": p[f"{name}.bias"]} for name, kernel in kernels.items()}}
