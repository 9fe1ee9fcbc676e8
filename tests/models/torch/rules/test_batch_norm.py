"""A BatchNorm with fixed statistics is the scale and the shift that are read of its call."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.testing import assert_close

import seewhy
from seewhy.models.torch.rules.batch_norm import arguments, scale_and_shift

RNG = torch.Generator().manual_seed(0)
X = torch.randn(2, 3, 4, 5, dtype=torch.float64, generator=RNG)
MEAN, WEIGHT, BIAS = torch.randn(3, 3, dtype=torch.float64, generator=RNG)
VAR = MEAN.square() + 0.1
CALLS = {
    "by place": ((X, MEAN, VAR, WEIGHT, BIAS, False, 0.1, 0.02), {}),
    "by name": ((X,), {"running_mean": MEAN, "running_var": VAR, "weight": WEIGHT, "bias": BIAS, "eps": 0.02}),
    "with its own epsilon": ((X, MEAN, VAR, WEIGHT, BIAS), {}),
    "without weight": ((X, MEAN, VAR), {"bias": BIAS}),
    "without bias": ((X, MEAN, VAR, WEIGHT), {}),
    "without both": ((X, MEAN, VAR), {}),
}


@pytest.mark.parametrize("how", CALLS)
def test_scaled_and_shifted_is_normalised(how):
    args, kwargs = CALLS[how]
    scale, shift = scale_and_shift(arguments(args, kwargs))
    assert_close(X * scale[:, None, None] + shift[:, None, None], F.batch_norm(*args, **kwargs))


def test_the_call_is_read_by_name():
    given = arguments((X, MEAN), {"running_var": VAR, "training": True})
    assert given["input"] is X
    assert given["running_mean"] is MEAN
    assert given["training"] is True
    assert "eps" not in given


LATER = (WEIGHT, BIAS, MEAN, VAR, False, 0.1, 0.02, False)


def test_the_other_call_takes_them_in_another_order():
    scale, shift = scale_and_shift(arguments((X, *LATER), {}, torch.batch_norm))
    assert_close(X * scale[:, None, None] + shift[:, None, None], torch.batch_norm(X, *LATER))


class Normed(nn.Module):
    """A convolution, a BatchNorm by `norm`, and a linear layer by `linear`."""

    def __init__(self, norm, linear):
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.fc, self.norm, self.linear = nn.Conv2d(3, 3, 2), nn.Linear(3, 4), norm, linear

    def forward(self, x):
        a = self.norm(self.conv(x)).relu()
        return self.linear(a.mean((2, 3)), self.fc.weight, self.fc.bias)


@pytest.mark.parametrize("kind", ["lrp", "attn-lrp", "full-grad"])
def test_relevance_and_biases_do_not_mind_which_call_it_is(kind):
    """A BatchNorm is a part of the convolution before it, whichever call of torch computes it, and a linear layer one."""
    first = Normed(lambda y: F.batch_norm(y, MEAN, VAR, WEIGHT, BIAS, False, 0.1, 0.02), F.linear).double().eval()
    expected = seewhy.METHODS[kind](seewhy.wrap(first), X.numpy(), target=1)
    for norm in (torch.batch_norm, torch.ops.aten.batch_norm.default):
        other = Normed(lambda y, norm=norm: norm(y, *LATER), torch.ops.aten.linear.default).double().eval()
        for one, two in zip(expected, seewhy.METHODS[kind](seewhy.wrap(other), X.numpy(), target=1), strict=True):
            assert one.values.any()
            assert_close(torch.as_tensor(two.values), torch.as_tensor(one.values))
