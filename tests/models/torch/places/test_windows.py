"""Windows of cells: by known offsets, and derived again, from which pixels the gradient of one cell reaches."""

from math import inf
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from seewhy.models.torch.places.merging import MIXED
from seewhy.models.torch.places.windows import each
from support.following import Net, agrees, conv, lies, mark_of, ones, place, reached

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


WEIGHT = torch.ones(3, 3, 3, 3)
TURNED: dict[str, tuple[Net, tuple[int, ...], tuple[Any, ...]]] = {
    "a mirrored map": (lambda x: F.avg_pool2d(x.flip(-1), 2), (4, 4), ((2, -2), (0.5, 6.5), (2, 2))),
    "a sampling grid": (lambda x: sampled(x, [[1, 0, 0], [0, 1, 0]]), (8, 8), ((1, 1), (0, 0), (1, 1))),
    "a sampling grid that mirrors": (lambda x: sampled(x, [[-1, 0, 0], [0, 1, 0]]), (8, 8), ((1, -1), (0, 7), (1, 1))),
    "a sampling grid that enlarges": (
        lambda x: sampled(x, [[0.5, 0, 0], [0, 0.5, 0]]), (8, 8), ((0.5, 0.5), (1.75, 1.75), (2, 2))
    ),
    "within windows": (
        lambda x: F.conv2d(x.reshape(1, 3, 2, 4, 2, 4).permute(0, 2, 4, 1, 3, 5).flatten(0, 2), WEIGHT, padding=1)
        .reshape(1, 2, 2, 3, 4, 4).permute(0, 3, 1, 4, 2, 5).reshape(1, 3, 8, 8), (8, 8), ((1, 1), (0, 0), (3, 3))
    ),
    "images in channels": (
        lambda x: F.conv2d(x.reshape(1, 3, 8, 8), torch.ones(4, 3, 3, 3), groups=1), (6, 6), ((1, 1), (1, 1), (3, 3))
    ),
    "shared out to one": (lambda x: x + F.adaptive_max_pool2d(x, 1), (8, 8), ((1, 1), (0, 0), (inf, inf))),
    "put back to where it was": (
        lambda x: F.max_unpool2d(*F.max_pool2d(x, 2, return_indices=True), 2), (8, 8), ((1, 1), (0, 0), (2, 2))
    ),
    "padded, then cropped": (lambda x: F.pad(F.pad(x, (2, 1, 3, 0)), (-2, -1, -3, 0)), (8, 8), ((1, 1), (0, 0), (1, 1))),
}  # fmt: skip


def sampled(x: Tensor, theta: list[list[float]]) -> Tensor:
    grid = F.affine_grid(torch.tensor([theta], dtype=x.dtype), list(x.shape), align_corners=False)
    return F.grid_sample(x, grid, align_corners=False)


@pytest.mark.parametrize("name", TURNED)
def test_other_windows(name):
    net, grid, found = TURNED[name]
    assert place(lambda x: net(x.float()), 8, 8, grid=grid) == found


def test_images_folded_into_channels_are_convolved_apart():
    """As convolutions do whose weights differ from image to image: one group for each."""
    weight = torch.ones(8, 3, 3, 3)
    x = torch.zeros(2, 3, 8, 8)
    mark = mark_of(lambda x: F.conv2d(x.reshape(1, 6, 8, 8), weight, padding=1, groups=2).reshape(2, 4, 8, 8), x)
    assert mark.dims[0].images
    assert lies(mark) == ((8, 8), ((1, 1), (0, 0), (3, 3)))
    weight = torch.ones(4, 6, 3, 3)
    assert mark_of(lambda x: F.conv2d(x.reshape(1, 6, 8, 8), weight), x).lost == MIXED


REFUSED: dict[str, tuple[Net, str]] = {
    "a rolled map": (lambda x: F.avg_pool2d(x.roll(2, -1), 2), "windows over a map that was rolled"),
    "shuffled rows": (lambda x: F.avg_pool2d(x[:, :, [0, 1, 5, 3, 4]], 2), "windows over cells that do not lie side by side"),
    "a roll through all": (lambda x: x.roll(3), "a roll through all dimensions"),
    "a turned grid": (
        lambda x: sampled(x, [[0.7, 0.7, 0], [-0.7, 0.7, 0]]), "grid_sample, which samples along no axis"
    ),
    "a grid of the image": (
        lambda x: F.grid_sample(x, x[:, :2].movedim(1, -1)), "grid_sample, which samples at places that the network computes"
    ),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:Default grid_sample")
@pytest.mark.parametrize("name", REFUSED)
def test_windows_that_are_refused(name):
    net, why = REFUSED[name]
    assert mark_of(net, torch.zeros(1, 3, 8, 8)).lost == why


def test_a_row_of_tokens_that_sees_its_neighbours_stays():
    mark = mark_of(lambda x: F.conv1d(x.flatten(2), torch.ones(3, 3, 3), padding=1), torch.zeros(1, 3, 8, 8))
    assert lies(mark) == ((8, 8), ((1, 1), (0, 0), (inf, inf)))


def test_tokens_that_are_pooled():
    """Two by two they lie in their middle; three of a row of eight go on in the next row, and lie nowhere."""
    twos = mark_of(lambda x: F.avg_pool1d(x.flatten(2), 2), torch.zeros(1, 3, 8, 8))
    assert lies(twos) == ((8, 4), ((1, 2), (0, 0.5), (1, 2)))
    threes = mark_of(lambda x: F.avg_pool1d(x.flatten(2), 3), torch.zeros(1, 3, 8, 8))
    assert threes.lost == ""
    assert threes.spots == ()
    assert threes.whole


def test_tokens_that_are_padded():
    mark = mark_of(lambda x: F.pad(x.flatten(2), (1, 2)), torch.zeros(1, 3, 2, 2))
    assert mark.dims[-1].rows == (-1, 0, 1, 2, 3, -1, -1)
