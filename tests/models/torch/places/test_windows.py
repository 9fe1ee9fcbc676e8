"""Windows of cells: by known offsets, and derived again, from which pixels the gradient of one cell reaches."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from seewhy.models.torch.places.windows import each
from support.following import agrees, conv, ones, place, reached

KNOWN: dict[str, tuple[nn.Module, float, float, float]] = {  # net: stride, first, field
    "3x3, padded evenly": (conv(2, 3, padding=1), 1, 0, 3),
    "valid": (conv(2, 3), 1, 1, 3),
    "even kernel": (conv(2, 4, stride=4), 4, 1.5, 4),
    "even kernel, padded": (conv(2, 2, padding=1), 1, -0.5, 2),
    "strided, PyTorch": (conv(2, 3, stride=2, padding=1), 2, 0, 3),
    "strided, TensorFlow": (nn.Sequential(nn.ZeroPad2d((0, 1, 0, 1)), conv(2, 3, stride=2)), 2, 1, 3),
    "dilated": (conv(2, 3, dilation=4), 1, 4, 9),
    "same by name, even": (conv(2, 4, padding="same"), 1, 0.5, 4),
    "reflected": (conv(2, 5, padding=2, padding_mode="reflect"), 1, 0, 5),
    "ceil mode": (nn.MaxPool2d(3, 2, ceil_mode=True), 2, 1, 3),
    "pool of a pool": (nn.Sequential(nn.MaxPool2d(2), nn.AvgPool2d(2), nn.LPPool2d(2, 2)), 8, 3.5, 8),
    "shared out": (nn.AdaptiveAvgPool2d(8), 4, 1.5, 4),
    "pixel unshuffle": (nn.PixelUnshuffle(4), 4, 1.5, 4),
    "bilinear, twice": (nn.Upsample(scale_factor=2, mode="bilinear"), 0.5, -0.25, 2),
    "nearest, twice": (nn.Upsample(scale_factor=2), 0.5, -0.25, 1),
    "nearest, half": (nn.Upsample(size=16), 2, 0, 1),
    "nearest-exact, half": (nn.Upsample(size=16, mode="nearest-exact"), 2, 1, 1),
    "bicubic, twice": (nn.Upsample(scale_factor=2, mode="bicubic"), 0.5, -0.25, 4),
    "pixel shuffle": (nn.Sequential(nn.Conv2d(3, 12, 1), nn.PixelShuffle(2)), 0.5, -0.25, 1),
    "transposed": (nn.ConvTranspose2d(3, 3, 2, 2), 0.5, -0.25, 1),
    "cropped": (nn.ZeroPad2d((-3, -2, -3, -2)), 1, 3, 1),
}


@pytest.mark.filterwarnings("ignore:Using padding=.same. with even kernel")
@pytest.mark.parametrize("name", KNOWN)
def test_known_offsets(name):
    net, stride, first, field = KNOWN[name]
    assert place(net.double(), 32, 32) == ((stride,) * 2, (first,) * 2, (field,) * 2)


def test_corners_aligned_put_the_outermost_cells_at_the_outermost_pixels():
    found = place(lambda x: F.interpolate(x, (5, 9), mode="bilinear", align_corners=True), 33, 33)
    assert found.first == (0, 0)
    assert found.stride == (8, 4)


def test_each_axis_has_its_own():
    net = conv(3, (1, 3, 5), stride=(1, 2, 4), padding=(0, 1, 0)).double()
    assert place(net, 4, 16, 32) == ((1, 2, 4), (0, 0, 2), (1, 3, 5))
    assert place(conv(1, 7, stride=3).double(), 64) == ((3,), (3,), (7,))


def test_three_dimensions_by_the_gradient():
    net = nn.Sequential(ones(conv(3, (2, 3, 4), stride=(1, 2, 1))), nn.AvgPool3d(2), ones(conv(3, 3, padding=1)))
    x = torch.ones(1, 3, 15, 29, 17, dtype=torch.float64)
    agrees(net, x, (3, 3, 3), place(net, 15, 29, 17))


@pytest.mark.parametrize("k", [2, 3, 4, 5])
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_transposed_convolutions_on_average_over_their_phases(k, stride):
    """Cells of one stride differ in what they see; in the mean they lie where they should."""
    net = ones(nn.ConvTranspose2d(3, 3, k, stride, padding=1))
    x = torch.ones(1, 3, 24, 24, dtype=torch.float64)
    found = place(net, 24, 24)
    weighed, at = [], range(24 // 2 * stride, 24 // 2 * stride + stride)
    for cell in at:
        pixels = reached(net, x, (cell, cell))[0] if k >= stride else []
        weighed += [(len(pixels), p - found.first[0] - cell * found.stride[0]) for p in pixels]
    if weighed:
        assert np.mean([off for _, off in weighed]) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("mode", ["nearest", "nearest-exact", "bilinear", "bicubic", "area"])
@pytest.mark.parametrize("side", [16, 48, 64])
def test_what_is_resized_keeps_its_middle(mode, side):
    """The mean of the centres of all cells is the image's centre, but for the nearest ones, which are pixels."""
    found = place(lambda x: F.interpolate(x, (side, side), mode=mode), 32, 32)
    assert found.stride == (32 / side,) * 2
    middle = found.first[0] + found.stride[0] * (side - 1) / 2
    nearest = np.floor((np.arange(side) + 0.5 * (mode == "nearest-exact")) * 32 / side).mean()
    assert middle == pytest.approx(nearest if mode.startswith("nearest") else 15.5)


def test_a_number_for_all_axes_is_one_for_each():
    assert each(3, 2) == (3, 3)
    assert each([4], 3) == (4, 4, 4)
    assert each((1, 2), 2) == (1, 2)
    assert each(torch.Size((5, 6)), 2) == (5, 6)


def test_what_is_written_on_a_blank_sheet_lies_where_it_was_written():
    def net(x):
        sheet = x.new_zeros(1, 3, 20, 24)
        sheet[:, :, 3:19, 5:21].copy_(x)
        return sheet

    assert place(net, 16, 16) == ((1, 1), (-3, -5), (1, 1))
