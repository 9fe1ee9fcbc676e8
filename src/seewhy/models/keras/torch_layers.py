"""Keras layers by the calls that torch's own layers make: what the torch adapter knows of these, it then knows of Keras's.

On torch, Keras computes a Dense layer as a product and a sum, a convolution's bias apart, and a BatchNorm step by step.  Here
the same numbers, to rounding, come from F.linear, F.conv2d and F.batch_norm: so that CAM finds the last linear layer, relevance
and FullGrad their layers and biases.  Layers of other classes, and those that people changed, run as they are.
"""

from collections.abc import Callable, Sequence
from math import ceil
from typing import Any

import keras
from keras import layers
from torch import Tensor
from torch.nn import functional as F

from .layers import LayerCall

CONVOLUTIONS = {3: F.conv1d, 4: F.conv2d, 5: F.conv3d}  # by the dimensions of batches


def by_torch(layer: Any) -> LayerCall | None:
    """The call of a layer by torch's own functions, for `tapped`; None where it has none."""
    own = getattr(type(layer), "call", None)
    run = RUNS.get(own)
    if run is None or getattr(layer, "quantization_mode", None) is not None:
        return None

    def called(call: LayerCall, *args: Any, **kwargs: Any) -> Any:
        plain = getattr(call, "__func__", None) is own  # not one that somebody put there
        if not plain or len(args) != 1 or not isinstance(args[0], Tensor) or kwargs.get("training"):
            return call(*args, **kwargs)
        made = run(layer, args[0])
        return call(*args, **kwargs) if made is None else made

    return called


def _dense(layer: Any, x: Tensor) -> Any:
    return _activated(layer, F.linear(x, _value(layer.kernel).T, _value(layer.bias)))


def _convolution(layer: Any, x: Tensor) -> Any:
    kernel, padding = _value(layer.kernel), layer.padding
    x, back = _channels_first(layer, x)
    if padding == "causal":
        x, padding = F.pad(x, (layer.dilation_rate[0] * (layer.kernel_size[0] - 1), 0)), "valid"
    return _activated(layer, back(_convolved(layer, x, _turned(kernel), _bias(layer), layer.strides, padding)))


def _depthwise(layer: Any, x: Tensor) -> Any:
    x, back = _channels_first(layer, x)
    return _activated(layer, back(_convolved(layer, x, _of_depth(layer.kernel), _bias(layer), layer.strides, layer.padding)))


def _separable(layer: Any, x: Tensor) -> Any:
    x, back = _channels_first(layer, x)
    x = _convolved(layer, x, _of_depth(layer.depthwise_kernel), None, layer.strides, layer.padding)
    x = CONVOLUTIONS[x.ndim](x, _turned(_value(layer.pointwise_kernel)), _bias(layer))
    return _activated(layer, back(x))


def _batch_norm(layer: Any, x: Tensor) -> Any:
    dtype = x.dtype
    x = x if dtype.itemsize >= 4 else x.float()  # half precision would overflow, and Keras casts here, too
    gamma, beta, mean, variance = (
        None if part is None else _value(part).to(x.dtype)
        for part in (layer.gamma if layer.scale else None, layer.beta if layer.center else None, layer.moving_mean,
                     layer.moving_variance)
    )  # fmt: skip
    axis = layer.axis % x.ndim
    y = F.batch_norm(_moved(x, axis, 1), mean, variance, gamma, beta, False, 0.0, layer.epsilon)
    return _moved(y, 1, axis).to(dtype)


def _zero_padding(layer: Any, x: Tensor) -> Any:
    pads = [layer.padding] if isinstance(layer.padding[0], int) else layer.padding
    x, back = _channels_first(layer, x)
    return back(F.pad(x, [part for pair in reversed(pads) for part in pair]))


def _relu(layer: Any, x: Tensor) -> Any:
    """One that is on above a threshold of its own: Keras multiplies by a mask, which no rule for ReLUs would know."""
    if not layer.threshold or layer.negative_slope:
        return None
    y = F.threshold(x, float(layer.threshold), 0.0)
    return y if layer.max_value is None else y.clamp(max=float(layer.max_value))


def _prelu(layer: Any, x: Tensor) -> Any:
    """One whose slopes are those of channels: Keras adds up two ReLUs, of which rules would see each alone."""
    alpha = _value(layer.alpha)
    if alpha.numel() != x.shape[-1] or alpha.shape[-1] != x.shape[-1]:
        return None
    return _moved(F.prelu(_moved(x, x.ndim - 1, 1), alpha.reshape(-1)), 1, x.ndim - 1)


RUNS: dict[Any, Callable[[Any, Tensor], Any]] = {  # by the method that computes what layers of a class emit; None: as it is
    layers.Dense.call: _dense, layers.BatchNormalization.call: _batch_norm,
    layers.Conv1D.call: _convolution, layers.Conv2D.call: _convolution, layers.Conv3D.call: _convolution,
    layers.DepthwiseConv1D.call: _depthwise, layers.DepthwiseConv2D.call: _depthwise,
    layers.SeparableConv2D.call: _separable, layers.ReLU.call: _relu, layers.PReLU.call: _prelu,
    layers.ZeroPadding1D.call: _zero_padding, layers.ZeroPadding2D.call: _zero_padding,
    layers.ZeroPadding3D.call: _zero_padding,
}  # fmt: skip


def _value(variable: Any) -> Any:
    """The tensor of a variable, as the layer would see it: also in half precision, and with weights that were added to it."""
    return None if variable is None else keras.ops.convert_to_tensor(variable)


def _bias(layer: Any) -> Tensor | None:
    return _value(layer.bias) if layer.use_bias else None


def _activated(layer: Any, x: Tensor) -> Any:
    return x if layer.activation is None else layer.activation(x)


def _moved(x: Tensor, source: int, target: int) -> Tensor:
    return x if source == target else x.movedim(source, target)


def _channels_first(layer: Any, x: Tensor) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
    """The batch as torch's convolutions take it, and how to put what they give into the layer's own order."""
    if layer.data_format == "channels_first":
        return x, lambda y: y
    return _moved(x, x.ndim - 1, 1), lambda y: _moved(y, 1, y.ndim - 1)


def _turned(kernel: Tensor) -> Tensor:
    """(*sides, in, out) as torch has it: (out, in, *sides)."""
    return kernel.permute(kernel.ndim - 1, kernel.ndim - 2, *range(kernel.ndim - 2))


def _of_depth(kernel: Any) -> Tensor:
    """(*sides, in, multiplier) as the weights of a convolution of as many groups as channels: (in * multiplier, 1, *sides)."""
    value = _value(kernel)
    return _turned(value.reshape(*value.shape[:-2], 1, -1))


def _convolved(
    layer: Any, x: Tensor, weight: Tensor, bias: Tensor | None, strides: Sequence[int], padding: str
) -> Tensor:  # fmt: skip
    """What a convolution gives, padded as Keras pads: "same" has the odd cell at the end."""
    dilation = layer.dilation_rate
    dilation = (dilation,) * (x.ndim - 2) if isinstance(dilation, int) else tuple(dilation)
    strides = (strides,) * (x.ndim - 2) if isinstance(strides, int) else tuple(strides)
    pads = [(0, 0)] * (x.ndim - 2)
    if padding == "same":
        sides = zip(x.shape[2:], weight.shape[2:], strides, dilation, strict=True)
        totals = [max(0, (ceil(side / stride) - 1) * stride + (k - 1) * dil + 1 - side) for side, k, stride, dil in sides]
        pads = [(total // 2, total - total // 2) for total in totals]
    if any(before != after for before, after in pads):
        x, pads = F.pad(x, [part for pair in reversed(pads) for part in pair]), [(0, 0)] * (x.ndim - 2)
    groups = x.shape[1] // weight.shape[1]
    return CONVOLUTIONS[x.ndim](x, weight, bias, strides, tuple(before for before, _ in pads), dilation, groups)
