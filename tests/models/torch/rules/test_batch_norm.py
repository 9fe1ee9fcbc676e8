"""A BatchNorm with fixed statistics is the scale and the shift that are read of its call."""

import pytest
import torch
from torch.nn import functional as F
from torch.testing import assert_close

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
