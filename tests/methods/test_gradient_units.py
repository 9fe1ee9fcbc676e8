"""Deconvnet of a unit: the projection of Zeiler & Fergus 2014, sec. 2.1, written down a second time."""

from functools import partial

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

import seewhy
from seewhy import METHODS, Unit
from seewhy.explaining.case import Case
from support import ask, networks

X = networks.images(2, 8, 12, seed=41)


class Pooling(nn.Module):
    """conv, ReLU, max-pool, conv, ReLU, max-pool, and more behind; ReLUs as modules, functions or in place."""

    def __init__(self, relu):
        super().__init__()
        self.conv1, self.conv2, self.conv3 = (nn.Conv2d(*c, 3, padding=1) for c in ((3, 5), (5, 6), (6, 7)))
        self.pool1, self.pool2, self.act, self.relu = nn.MaxPool2d(2), nn.MaxPool2d(2), nn.ReLU(), relu

    def forward(self, x):
        rectified = self.act if self.relu is None else self.relu
        x = self.pool1(rectified(self.conv1(x)))
        x = self.pool2(rectified(self.conv2(x)))
        return rectified(self.conv3(x)).mean((2, 3))


def projected(network, image, layer, channel):
    """Zeiler & Fergus 2014, sec. 2.1: all activations of the layer but the channel's strongest are set to zero; then
    unpool by the switches, rectify, filter with the transposed kernels, down to the pixels.  Returns (h, w) and the activation.
    """
    first = network.conv1(image[None])
    low, switches1 = F.max_pool2d(F.relu(first), 2, return_indices=True)
    second = network.conv2(low)
    high, switches2 = F.max_pool2d(F.relu(second), 2, return_indices=True)
    a = {"conv1": first, "pool1": low, "conv2": second, "pool2": high}[layer]
    r = torch.zeros_like(a)
    place = np.unravel_index(int(a[0, channel].argmax()), a.shape[2:])
    r[0, channel][place] = a[0, channel][place]
    activation = float(a[0, channel][place].detach())
    if layer == "pool2":
        r = F.relu(F.max_unpool2d(r, switches2, 2, output_size=second.shape[2:]))
    if layer in ("pool2", "conv2"):
        r = F.conv_transpose2d(r, network.conv2.weight, padding=1)
    if layer != "conv1":
        r = F.relu(F.max_unpool2d(r, switches1, 2, output_size=first.shape[2:]))
    return F.conv_transpose2d(r, network.conv1.weight, padding=1)[0].detach().numpy(), activation


RELUS = {"module": None, "function": F.relu, "in place": partial(F.relu, inplace=True), "method": torch.Tensor.relu_,
         "clamp": partial(torch.clamp, min=0)}  # fmt: skip


@pytest.mark.parametrize("layer", ["pool1", "conv2", "pool2"])
@pytest.mark.parametrize("relu", RELUS)
def test_deconvnet_of_a_unit_is_the_projection_of_zeiler_and_fergus(relu, layer):
    network = networks.made(lambda: Pooling(RELUS[relu]), 3, 8, 12)
    found = ask.run("deconvnet", Case(seewhy.wrap(network).upto(layer), X, [Unit(layer, 1), Unit(layer, 4)], (None,), ()))
    for t, channel in enumerate((1, 4)):
        for i, image in enumerate(X):
            expected, activation = projected(network, torch.tensor(image), layer, channel)
            assert activation > 0
            ask.close(activation * found["input"][t, i], expected)
            (heatmap,) = METHODS["deconvnet"](seewhy.wrap(network), X[i : i + 1], target=Unit(layer, channel))
            ask.close(activation * heatmap.channels, expected, rel=1e-5)


def test_before_the_first_relu_there_is_nothing_to_rectify():
    with pytest.raises(seewhy.NotApplicable, match="none on the way"):
        METHODS["deconvnet"](seewhy.wrap(networks.pooled()), X, target=Unit("conv1", 0))
