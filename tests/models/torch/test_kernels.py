"""model.kernels(): what a convolution multiplies with, as it runs."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import seewhy
from support import networks

X = networks.images(1)


class Standardised(nn.Conv2d):
    """Weights of mean zero and variance one, made anew in every pass: what it keeps is not what it multiplies with."""

    def forward(self, x: Tensor) -> Tensor:
        w = self.weight - self.weight.mean((1, 2, 3), keepdim=True)
        return F.conv2d(x, w / w.std((1, 2, 3), keepdim=True), self.bias, self.stride, self.padding)


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.depth = Standardised(3, 6, 3), nn.Conv2d(6, 6, 3, groups=6)
        self.up = nn.ConvTranspose2d(6, 4, 2, groups=2)
        self.block = nn.Sequential(nn.Conv2d(4, 4, 1), nn.ReLU(), nn.utils.parametrizations.weight_norm(nn.Conv2d(4, 5, 1)))
        self.fc = nn.Linear(5, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.block(self.up(self.depth(self.first(x)).relu())).mean((2, 3)))


NETWORK = Net().double().eval()
MODEL = seewhy.wrap(NETWORK)


def test_they_are_what_is_multiplied_with_and_not_what_is_kept():
    first = MODEL.kernels("first", X)
    w = NETWORK.first.weight.detach().numpy()
    w = w - w.mean((1, 2, 3), keepdims=True)
    np.testing.assert_allclose(first.weights, w / w.std((1, 2, 3), keepdims=True, ddof=1), rtol=1e-12)
    assert first.reads_image
    normed = MODEL.kernels("block.2", X)
    np.testing.assert_allclose(normed.weights, NETWORK.block[2].weight.detach().numpy(), rtol=1e-12)


def test_plain_weights_are_equal_and_groups_are_told():
    depth = MODEL.kernels("depth", X)
    assert np.array_equal(depth.weights, NETWORK.depth.weight.detach().numpy())
    assert depth.weights.dtype == np.float64
    assert (depth.groups, depth.reads_image) == (6, False)
    up = MODEL.kernels("up", X)
    assert up.weights.shape == (4, 3, 2, 2)
    assert np.array_equal(up.weights[3], NETWORK.up.weight.detach().numpy()[3:, 1])


@pytest.mark.parametrize(
    ("layer", "why"),
    [("block", "2 convolutions run in it; name one of block.0, block.2"), ("block.1", "no convolution runs in it"),
     ("fc", "no convolution runs in it")],
)  # fmt: skip
def test_where_there_are_none_it_says_why(layer, why):
    with pytest.raises(seewhy.NotApplicable, match=why):
        MODEL.kernels(layer, X)


def test_the_network_is_left_as_it_was():
    before = {name: value.clone() for name, value in NETWORK.state_dict().items()}
    MODEL.kernels("depth", X)
    assert all(torch.equal(value, before[name]) for name, value in NETWORK.state_dict().items())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in NETWORK.modules())
