"""What relevance has no rule for is refused, or said; and number formats in which its rules must hold."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import seewhy
from seewhy.models.model import INPUT
from support import ask, networks
from support.references import relevance as plain

X = networks.images(2, 6, 8)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision(dtype):
    network = plain.built(plain.TOYS["norm"])
    expected = ask.values(seewhy.lrp(seewhy.wrap(network), X, target=1))
    found = ask.values(seewhy.lrp(seewhy.wrap(network.to(dtype)), X.astype(np.float32), target=1))
    ask.close(found, expected, rel=0.1)


class Doubled(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x: Tensor) -> Tensor:
        return 2 * x

    @staticmethod
    def backward(ctx, g: Tensor) -> Tensor:
        return 2 * g


class Odd(nn.Module):
    """Convolution, ReLU, and something else."""

    def __init__(self, then) -> None:
        super().__init__()
        self.conv, self.other, self.fc, self.then = plain.conv(3, 6), plain.conv(6, 6), nn.Linear(6, 5), then
        self.group, self.instance, self.layer = nn.GroupNorm(2, 6), nn.InstanceNorm2d(6), nn.LayerNorm(6)
        self.batch, self.lstm = nn.BatchNorm2d(6, track_running_stats=False), nn.LSTM(6, 6, batch_first=True)
        self.attention, self.w = nn.MultiheadAttention(6, 2, batch_first=True), nn.Parameter(torch.randn(6, 6))

    def forward(self, x: Tensor) -> Tensor:
        a = self.then(self, F.relu(self.conv(x)))
        return self.fc(a.mean((2, 3)) if a.ndim == 4 else a.mean(1))


def tokens(a: Tensor) -> Tensor:
    return a.flatten(2).transpose(1, 2)


REFUSED = {
    "LayerNorm": lambda net, a: net.layer(tokens(a)),
    "GroupNorm": lambda net, a: net.group(a),
    "InstanceNorm": lambda net, a: net.instance(a),
    "BatchNorm by the batch": lambda net, a: net.batch(a),
    "attention": lambda net, a: net.attention(*[tokens(a)] * 3)[0],
    "fused attention": lambda net, a: F.scaled_dot_product_attention(*[tokens(a)] * 3),
    "softmax": lambda net, a: a.softmax(1),
    "LSTM": lambda net, a: net.lstm(tokens(a))[0],
    "matmul": lambda net, a: tokens(a) @ net.w,
    "einsum": lambda net, a: torch.einsum("nchw,cd->ndhw", a, net.w),
    "tensordot": lambda net, a: torch.tensordot(tokens(a), net.w, 1),
    "custom function": lambda net, a: Doubled.apply(a),
    "product": lambda net, a: a * net.other(a),
    "product in place": lambda net, a: net.other(a).mul_(a),
    "addcmul": lambda net, a: torch.addcmul(a, a, net.other(a)),
    "quotient": lambda net, a: a / (1 + net.other(a) ** 2),
    "weights made of the image": lambda net, a: F.conv2d(a, net.other.weight * a.mean((0, 2, 3)).view(1, 6, 1, 1)),
    "exp": lambda net, a: a.exp(),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_no_rule_is_known_for_is_refused(what):
    network = plain.built(lambda: [Odd(REFUSED[what])])
    for method in (seewhy.lrp, seewhy.excitation_backprop):
        with pytest.raises(seewhy.NotApplicable, match="integrated-gradients"):
            method(seewhy.wrap(network), X, target=1, layer=INPUT)


@pytest.mark.parametrize("end", [nn.Softmax(1), nn.Sigmoid()], ids=["softmax", "sigmoid"])
def test_probabilities_are_no_sum_to_share_out(end):
    with pytest.raises(seewhy.NotApplicable):
        seewhy.lrp(seewhy.wrap(nn.Sequential(networks.pooled(), end)), X, target=1)


@pytest.mark.parametrize("outputs", [1, 5])
def test_nor_are_a_models_own_probabilities(outputs):
    """p is no sum of products: what would start is z dp/dz, neither p nor the logit.  It is refused, or the person is told."""
    network = plain.built(lambda: [plain.conv(3, 6), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, outputs)])
    for scores in ("probability", "log-probability"):
        try:
            (m,) = seewhy.lrp(seewhy.wrap(network, scores=scores), X[:1], target=0)
        except seewhy.NotApplicable:
            continue
        assert any(scores in said for said in m.warnings)
        assert m.values.any()
