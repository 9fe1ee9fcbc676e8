"""Norms, products, quotients and powers in a form linear in each activation: torch's value, and shares that add up to it."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.testing import assert_close

from seewhy.models.torch.rules.products import conserving

RNG = torch.Generator().manual_seed(0)


def numbers(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=RNG)


A, B, C = numbers(2, 4, 6), numbers(2, 4, 6), numbers(2, 6, 4)
WEIGHT, BIAS = numbers(6), numbers(6)

HOMOGENEOUS = {  # what has no constant: the shares of all activations add up to the value
    "layer norm": (F.layer_norm, lambda a, b, c: (a, (6,), WEIGHT)),
    "rms norm": (F.rms_norm, lambda a, b, c: (a, (6,), WEIGHT)),
    "group norm": (F.group_norm, lambda a, b, c: (a, 2)),
    "instance norm": (F.instance_norm, lambda a, b, c: (a,)),
    "normalize": (F.normalize, lambda a, b, c: (a,)),
    "product": (torch.mul, lambda a, b, c: (a, b)),
    "matrix product": (torch.matmul, lambda a, b, c: (a, c)),
    "product in place": (Tensor.mul_, lambda a, b, c: (a.clone(), b)),
    "einsum": (torch.einsum, lambda a, b, c: ("nij,nij,njk->nik", a, b, c)),
    "einsum of a list": (torch.einsum, lambda a, b, c: ("nij,njk->nik", [a, c])),
    "quotient": (torch.div, lambda a, b, c: (a, b)),
    "added to": (torch.baddbmm, lambda a, b, c: (torch.zeros(2, 4, 4, dtype=torch.float64), a, c)),
    "square": (torch.square, lambda a, b, c: (a,)),
    "third power": (torch.pow, lambda a, b, c: (a, 3)),
}


@pytest.mark.parametrize("how", HOMOGENEOUS)
def test_the_value_is_torchs_and_the_shares_add_up_to_it(how):
    fn, args = HOMOGENEOUS[how]
    leaves = [x.clone().requires_grad_() for x in (A, B, C)]
    out = conserving(fn, args(*leaves), {})
    assert out is not None
    assert_close(out.detach(), fn(*args(A.clone(), B.clone(), C.clone())))
    upstream = numbers(*out.shape)
    grads = torch.autograd.grad(out, leaves, upstream, allow_unused=True)
    shares = sum((x * g).sum() for x, g in zip(leaves, grads, strict=True) if g is not None)
    assert_close(shares.detach(), (out * upstream).sum().detach())


def test_each_of_two_factors_gets_half():
    a, b = A.clone().requires_grad_(), B.clone().requires_grad_()
    out = conserving(torch.mul, (a, b), {})
    assert out is not None
    for_a, for_b = torch.autograd.grad(out.sum(), [a, b])
    assert_close(for_a, B / 2)
    assert_close(for_b, A / 2)


def test_what_divides_is_held_fixed():
    a, b = A.clone().requires_grad_(), B.clone().requires_grad_()
    out = conserving(torch.div, (a, b), {})
    assert out is not None
    for_a, for_b = torch.autograd.grad(out.sum(), [a, b], allow_unused=True)
    assert_close(for_a, 1 / B)
    assert for_b is None
    for fn in (torch.rsqrt, torch.reciprocal):
        out = conserving(fn, (a.abs(),), {})
        assert out is not None
        assert not out.requires_grad
    out = conserving(torch.pow, (a, -2), {})
    assert out is not None
    assert not out.requires_grad


def test_norms_keep_their_bias_and_half_precision_is_summed_in_float32():
    out = conserving(F.layer_norm, (A, (6,), WEIGHT, BIAS), {"eps": 0.1})
    assert_close(out, F.layer_norm(A, (6,), WEIGHT, BIAS, 0.1))
    half = A.to(torch.bfloat16)
    out = conserving(F.layer_norm, (half, (6,)), {})
    assert out is not None
    assert out.dtype == torch.bfloat16
    assert_close(out, F.layer_norm(half, (6,)))


LINEAR = {
    "a product with weights": (torch.mul, lambda a: (a, B)),
    "a matrix of weights": (torch.matmul, lambda a: (a, C)),
    "a quotient by a number": (torch.div, lambda a: (a, 2.0)),
    "a root": (torch.pow, lambda a: (a, 0.5)),
    "a power of a number": (torch.pow, lambda a: (2.0, a)),
    "statistics from outside": (F.instance_norm, lambda a: (a, torch.zeros(4), torch.ones(4), None, None, False)),
    "another call": (torch.relu, lambda a: (a,)),
}


@pytest.mark.parametrize("how", LINEAR)
def test_what_is_linear_already_or_no_such_call_is_left_alone(how):
    fn, args = LINEAR[how]
    assert conserving(fn, args(A.clone().requires_grad_()), {}) is None
