"""What Transformers are made of beside layers with weights: norms, and products and quotients of two activations.

Each is computed in a form of the same value that is linear in every activation.  The divisor of a norm is held fixed; of a
product of k activations each is led the k-th part of the gradient.  Where R / a travels back these are AttnLRP's identity
rule (Achtibat et al. 2024, prop. 3.4) and uniform rule (prop. 3.2 and 3.3); where gradients do, LibraGrad's.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from seewhy.models.torch.passes.graph import rests_on_image
from seewhy.models.torch.passes.torch_calls import spelled
from seewhy.models.torch.scores import plain

from .relus import PRODUCT

ADDING = spelled("addmm", "baddbmm", "addbmm", "addmv", "addcmul")  # whose first argument is added to the product
MATRIX_PRODUCTS = spelled(
    "matmul", "__matmul__", "__rmatmul__", "mm", "mv", "bmm", "dot", "inner", "outer", "tensordot", "bilinear"
)
PRODUCTS = PRODUCT | ADDING | MATRIX_PRODUCTS | spelled("einsum")
IN_PLACE = spelled("mul_", "multiply_", "__imul__")
QUOTIENTS = spelled("div", "div_", "__truediv__", "__itruediv__", "divide", "true_divide")
DIVIDED = dict.fromkeys(spelled("addcdiv"), 2) | dict.fromkeys(QUOTIENTS, 1)  # where the divisor stands among the arguments
DIVISORS = spelled("rsqrt", "reciprocal", "__rtruediv__", "__rdiv__")
POWERS = spelled("pow", "__pow__")
SQUARES = spelled("square")


def conserving(fn: Any, args: Any, kwargs: Any) -> Tensor | None:
    """The call in the form that is linear in each activation; None where it is that already, or is no such call."""
    if fn in NORMS:
        return NORMS[fn](*args, **kwargs)
    if fn in DIVIDED:
        return _divided(fn, args, kwargs)
    if fn in DIVISORS:
        return fn(*args, **kwargs).detach() if rests_on_image(args[0]) else None
    if fn in SQUARES or fn in POWERS:
        return _power(args[0], 2 if fn in SQUARES else args[1] if len(args) > 1 else kwargs.get("exponent"))
    return _product(fn, args, kwargs) if fn in PRODUCTS else None


def _layer_norm(
    input: Tensor, normalized_shape: Sequence[int], weight: Tensor | None = None, bias: Tensor | None = None, eps: float = 1e-5
) -> Tensor:
    """Taking off the mean is linear in x, and shares out as a linear layer does; the deviation is held fixed."""
    return _affine(_over(_centred(input, _last(normalized_shape)), _last(normalized_shape), eps), input, weight, bias)


def _rms_norm(input: Tensor, normalized_shape: Sequence[int], weight: Tensor | None = None, eps: float | None = None) -> Tensor:
    least = torch.finfo(input.dtype).eps if eps is None else eps
    return _affine(_over(plain(input), _last(normalized_shape), least), input, weight, None)


def _group_norm(
    input: Tensor, num_groups: int, weight: Tensor | None = None, bias: Tensor | None = None, eps: float = 1e-5
) -> Tensor:
    groups = input.reshape(len(input), num_groups, -1)
    return _affine(_over(_centred(groups, (-1,)), (-1,), eps).reshape(input.shape), input, *_of_channels(input, weight, bias))


def _instance_norm(
    input: Tensor, running_mean: Tensor | None = None, running_var: Tensor | None = None, weight: Tensor | None = None,
    bias: Tensor | None = None, use_input_stats: bool = True, momentum: float = 0.1, eps: float = 1e-5,
) -> Tensor | None:  # fmt: skip
    if not use_input_stats:
        return None
    space = tuple(range(2, input.ndim))
    return _affine(_over(_centred(input, space), space, eps), input, *_of_channels(input, weight, bias))


def _normalize(input: Tensor, p: float = 2.0, dim: int = 1, eps: float = 1e-12, out: Tensor | None = None) -> Tensor:
    return input / input.detach().norm(p, dim, keepdim=True).clamp_min(eps)


NORMS: dict[Any, Callable[..., Tensor | None]] = {
    F.layer_norm: _layer_norm, torch.layer_norm: _layer_norm, F.rms_norm: _rms_norm, torch.rms_norm: _rms_norm,
    F.group_norm: _group_norm, torch.group_norm: _group_norm, F.instance_norm: _instance_norm, F.normalize: _normalize,
}  # fmt: skip


def _last(shape: Sequence[int]) -> tuple[int, ...]:
    return tuple(range(-len(shape), 0))


def _centred(x: Tensor, dims: tuple[int, ...]) -> Tensor:
    return plain(x) - plain(x).mean(dims, keepdim=True)


def _over(x: Tensor, dims: tuple[int, ...], eps: float) -> Tensor:
    """x over its root mean square, which is a constant."""
    return x * (x.detach().square().mean(dims, keepdim=True) + eps).rsqrt()


def _affine(x: Tensor, like: Tensor, weight: Tensor | None, bias: Tensor | None) -> Tensor:
    x = x.to(like.dtype)
    x = x if weight is None else x * weight
    return x if bias is None else x + bias


def _of_channels(x: Tensor, *each: Tensor | None) -> list[Tensor | None]:
    return [None if factor is None else factor.reshape(-1, *[1] * (x.ndim - 2)) for factor in each]


def _divided(fn: Any, args: Any, kwargs: Any) -> Tensor | None:
    place = DIVIDED[fn]
    if len(args) <= place or not isinstance(args[place], Tensor) or not rests_on_image(args[place]):
        return None
    return fn(*args[:place], args[place].detach(), *args[place + 1 :], **kwargs)


def _power(x: Any, exponent: Any) -> Tensor | None:
    """x^k is a product of k: x times a constant.  One over a power divides."""
    if not isinstance(x, Tensor) or not isinstance(exponent, int | float) or not rests_on_image(x):
        return None
    if exponent < 0:
        return x.detach() ** exponent
    return x * x.detach() ** (exponent - 1) if exponent >= 1 else None


def _product(fn: Any, args: Any, kwargs: Any) -> Tensor | None:
    if fn is torch.einsum and isinstance(args[1], list | tuple):
        args = (args[0], *args[1])
    over = args[0] if fn in IN_PLACE else None
    first = 1 if fn in ADDING else 0
    factors = [i for i in range(first, len(args)) if isinstance(args[i], Tensor) and rests_on_image(args[i])]
    if len(factors) < 2:
        return None
    values = args if over is None else [over.clone() if value is over else value for value in args]
    run = fn if over is None else torch.mul
    parts = [run(*(value.detach() if i in factors and i != free else value for i, value in enumerate(values)), **kwargs)
             for free in factors]  # fmt: skip
    out = sum(parts[1:], parts[0]) / len(parts)
    return out if over is None else over.copy_(out)
