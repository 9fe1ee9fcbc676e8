"""Where cells lie: by known offsets, and derived again, from which pixels the gradient of one cell reaches."""

from math import inf
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F

from seewhy.models.torch.places.following import Place
from support.following import Net, conv, followed


def place(net: Net, *space: int, grid: tuple[int, ...] | None = None) -> Place:
    out, following = followed(net, torch.zeros(1, 3, *space, dtype=torch.float64))
    found = following.place_of(out, tuple(out.shape[2:]) if grid is None else grid)
    assert found is not None
    return found


def reached(net: Net, x: Tensor, cell: tuple[int, ...]) -> list[np.ndarray]:
    """Per axis the pixels that a cell of the net's map (1, c, *cells) depends on."""
    x = x.clone().requires_grad_()
    (g,) = torch.autograd.grad(net(x)[0, :, *cell].sum(), x)
    support = (g[0] != 0).any(0)
    return [support.any(tuple(b for b in range(support.ndim) if b != a)).nonzero()[:, 0].numpy() for a in range(support.ndim)]


def agrees(net: Net, x: Tensor, cell: tuple[int, ...], found: Place) -> None:
    """The middle and the size of the support of an interior cell's gradient are those that were derived."""
    for a, pixels in enumerate(reached(net, x, cell)):
        assert pixels[0] > 0, "cut by the border"
        assert pixels[-1] < x.shape[2 + a] - 1
        assert (pixels[0] + pixels[-1]) / 2 == pytest.approx(found.first[a] + cell[a] * found.stride[a])
        assert pixels[-1] - pixels[0] + 1 == pytest.approx(found.field[a])


def ones(net: nn.Module) -> nn.Module:
    """All weights 1: nothing cancels, and every pixel in the receptive field counts."""
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.fill_(1 if parameter.ndim > 1 else 0)
    return net.double().eval()


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


# ---- the second derivation


@st.composite
def layer_of(draw: Any, d: int) -> Any:
    kind = draw(st.sampled_from(["conv", "conv", "tf", "pool", "avg", "slice", "block", "unshuffle", "nhwc"]))
    k, s = draw(st.integers(1, 4)), draw(st.integers(1, 2))
    if kind == "conv":
        return ones(conv(d, k, stride=s, padding=draw(st.integers(0, 2)), dilation=draw(st.integers(1, 2))))
    if kind == "tf":
        net, pad = ones(conv(d, k, stride=s)), [draw(st.integers(0, 2)) for _ in range(2 * d)]
        return lambda x: net(F.pad(x, pad))
    if kind in ("pool", "avg"):
        pools = (F.avg_pool1d, F.avg_pool2d, F.avg_pool3d)
        return lambda x: pools[d - 1](x, k, s, padding=k // 2 if kind == "pool" else 0)
    if kind == "slice":
        start = draw(st.integers(0, 2))
        return lambda x: x[(..., *[slice(start, None, s)] * d)]
    if kind == "block":
        inner, tail = ones(conv(d, 3, padding=1)), ones(conv(d, 1, into=6))
        return lambda x: tail(torch.cat([x + F.relu(inner(x)), inner(x)], 1))
    if kind == "unshuffle" and d == 2:
        mix = ones(conv(2, 1, into=12))
        return lambda x: mix(F.pixel_unshuffle(x[:, :, : x.shape[2] // 2 * 2, : x.shape[3] // 2 * 2], 2))
    mix = ones(nn.Linear(3, 3))
    return lambda x: mix(x.movedim(1, -1)).movedim(-1, 1)


@settings(max_examples=60, deadline=None)
@given(data=st.data(), d=st.integers(1, 2))
def test_the_gradient_of_a_cell_reaches_its_receptive_field(data, d):
    layers = data.draw(st.lists(layer_of(d), min_size=1, max_size=4))

    def net(x: Tensor) -> Tensor:
        for layer in layers:
            x = layer(x)
        return x

    x = torch.ones(1, 3, *[151] * d, dtype=torch.float64)
    out, following = followed(net, x)
    cell = tuple(side // 2 for side in out.shape[2:])
    found = following.place_of(out, out.shape[2:])
    assert found is not None
    agrees(net, x, cell, found)


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


# ---- layouts


def shapes() -> dict[str, tuple[Net, tuple[int, ...], Place]]:
    even = conv(2, 4, stride=4)
    even.double()
    four = Place((4, 4), (1.5, 1.5), (4, 4))
    linear = nn.Linear(48, 5).double()
    return {
        "channels last": (lambda x: even(x).permute(0, 2, 3, 1), (8, 6), four),
        "tokens": (lambda x: even(x).flatten(2).transpose(1, 2), (8, 6), four),
        "tokens with two before": (
            lambda x: torch.cat([torch.zeros(1, 2, 3), even(x).flatten(2).mT], 1) + torch.zeros(1, 50, 3), (8, 6), four
        ),
        "tokens taken off again": (
            lambda x: torch.cat([torch.zeros(1, 1, 3), even(x).flatten(2).mT], 1)[:, 1:].mT.reshape(1, 3, 8, 6), (8, 6), four
        ),
        "patches cut by hand": (
            lambda x: linear(x.reshape(1, 3, 8, 4, 6, 4).permute(0, 2, 4, 3, 5, 1).reshape(1, 48, 48)), (8, 6), four
        ),
        "patches of F.unfold": (lambda x: linear(F.unfold(x, 4, stride=4).mT), (8, 6), four),
        "patches of Tensor.unfold": (lambda x: x.unfold(2, 4, 4).unfold(3, 4, 4).mean((4, 5)), (8, 6), four),
        "windows and back": (
            lambda x: x.view(1, 3, 8, 4, 6, 4).permute(0, 2, 4, 3, 5, 1).reshape(48, 4, 4, 3)
            .view(1, 8, 6, 4, 4, 3).permute(0, 5, 1, 3, 2, 4).reshape(1, 3, 32, 24), (32, 24), Place((1, 1), (0, 0), (1, 1))
        ),
        "rolled": (lambda x: torch.roll(even(x), (-2, 1), (2, -1)), (8, 6), Place((4, 4), (9.5, -2.5), (4, 4))),
        "a border put on by hand": (
            lambda x: torch.cat([torch.zeros(1, 3, 2, 6), even(x)], 2), (10, 6), Place((4, 4), (-6.5, 1.5), (4, 4))
        ),
        "rolled and back": (
            lambda x: torch.roll(torch.roll(even(x), (-2, -1), (2, 3)), (2, 1), (2, 3)), (8, 6), four
        ),
        "strided slices of channels last, side by side": (
            lambda x: (y := x.permute(0, 2, 3, 1), torch.cat([y[:, i::2, j::2, :] for i in (0, 1) for j in (0, 1)], -1))[1],
            (16, 12), Place((2, 2), (0.5, 0.5), (2, 2)),
        ),
        "patches merged by reshape": (
            lambda x: linear(x.permute(0, 2, 3, 1).repeat(1, 1, 1, 4).reshape(1, 16, 2, 12, 2, 12).permute(0, 1, 3, 4, 2, 5)
                             .flatten(3)), (16, 12), Place((2, 2), (0.5, 0.5), (2, 2))
        ),
        "drawn apart by hand": (
            lambda x: x.repeat(1, 4, 1, 1).view(1, 3, 2, 2, 32, 24).permute(0, 1, 4, 2, 5, 3).reshape(1, 3, 64, 48), (64, 48),
            Place((0.5, 0.5), (-0.25, -0.25), (1, 1)),
        ),
        "channels shuffled": (
            lambda x: even(x).repeat(1, 2, 1, 1).view(1, 2, 3, 8, 6).transpose(1, 2).reshape(1, 6, 8, 6), (8, 6), four
        ),
        "one of the parts": (lambda x: even(x).chunk(3, 1)[2].unbind(0)[0][None], (8, 6), four),
        "a spare axis": (lambda x: torch.stack([even(x), even(x)], 2).amax(2), (8, 6), four),
    }  # fmt: skip


@pytest.mark.parametrize("name", shapes())
def test_however_the_cells_are_laid_out(name):
    net, grid, expected = shapes()[name]
    out, following = followed(net, torch.zeros(1, 3, 32, 24, dtype=torch.float64))
    mark = following.of(out)
    assert mark is not None
    assert mark.where == (grid, expected), "by the tensor's own mark"
    assert following.place_of(out, grid) == expected


@pytest.mark.parametrize("tool", ["rearrange", "Rearrange"])
def test_einops(tool):
    import einops
    from einops.layers.torch import Rearrange

    pattern, sides = "n c (h p) (w q) -> n (h w) (p q c)", {"p": 4, "q": 8}
    net = Rearrange(pattern, **sides) if tool == "Rearrange" else lambda x: einops.rearrange(x, pattern, **sides)
    found = place(lambda x: net(x).mean(-1, keepdim=True), 32, 32, grid=(8, 4))
    assert found == ((4, 8), (1.5, 3.5), (4, 8))


# ---- what mixes all


def squeeze_excite(x: Tensor) -> Tensor:
    y = x[..., 1:, 1:]
    return y * torch.sigmoid(y.mean((2, 3), keepdim=True))


ALL: dict[str, Net] = {
    "squeeze-excitation": squeeze_excite,
    "global pooling": lambda x: x[..., 1:, 1:] + F.adaptive_avg_pool2d(x, 1),
    "attention": lambda x: (t := x[..., 1:, 1:].flatten(2).mT, F.scaled_dot_product_attention(t, t, t))[1],
    "attention by hand": lambda x: (t := x[..., 1:, 1:].flatten(2).mT, t + (t @ t.mT).softmax(-1) @ t)[1],
    "mixed tokens": lambda x: (t := x[..., 1:, 1:].flatten(2), t + F.linear(t, torch.zeros(225, 225)))[1].mT,
    "group norm": lambda x: F.group_norm(x[..., 1:, 1:], 1),
    "a softmax over space": lambda x: x[..., 1:, 1:].flatten(2).softmax(-1).mT,
    "an unknown way": lambda x: x[..., 1:, 1:] + torch.fft.ifft2(torch.fft.fft2(x[..., 1:, 1:])).real,
}


@pytest.mark.parametrize("name", ALL)
def test_a_cell_that_sees_all_still_lies_somewhere(name):
    out, following = followed(ALL[name], torch.zeros(1, 3, 16, 16))
    found = following.place_of(out, (15, 15))
    assert found == ((1, 1), (1, 1), (inf, inf))


def test_branches_meet_in_the_middle_and_see_what_either_sees():
    """x + conv(x) of an off-centre kernel: the centres' mean, and the union of the fields."""
    found = place(lambda x: x[..., :-3] + F.conv2d(x, torch.ones(3, 3, 1, 4).double()), 16, 16)
    assert found == ((1, 1), (0, 0.75), (1, 4))
    wide = place(lambda x: torch.cat([x[..., :-3], F.conv2d(x, torch.ones(9, 3, 1, 4).double())], 1), 16, 16)
    assert wide.first == (0, 1.5 * 9 / 12), "each channel counts"


def test_grids_without_a_mark_are_known_by_grid():
    """An unknown call leaves nothing; the grid is that of the last map, or shares it out."""

    def net(x: Tensor) -> Tensor:
        return torch.fft.fft2(F.conv2d(x, torch.ones(3, 3, 4, 4), stride=4)).real

    _, following = followed(net, torch.zeros(1, 3, 32, 32))
    stray = torch.zeros(1, 64, 3)
    assert following.place_of(stray, (8, 8)) == ((4, 4), (1.5, 1.5), (inf, inf))
    assert following.place_of(stray, (4, 2)) == ((8, 16), (3.5, 7.5), (inf, inf))
    assert following.place_of(stray, (5, 5)) is None
    assert following.place_of(stray, (32, 32)) == ((1, 1), (0, 0), (inf, inf))
