"""What single calls do to the place of cells: however they are laid out, and where they see all."""

from math import inf

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from seewhy.models.torch.places.calls import cell_by_cell, rule_of
from seewhy.models.torch.places.following import Place
from support.following import Net, conv, followed, place


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
    assert mark.where == (grid, expected), mark.lost


@pytest.mark.parametrize("tool", ["rearrange", "Rearrange"])
def test_einops(tool):
    import einops
    from einops.layers.torch import Rearrange

    pattern, sides = "n c (h p) (w q) -> n (h w) (p q c)", {"p": 4, "q": 8}
    net = Rearrange(pattern, **sides) if tool == "Rearrange" else lambda x: einops.rearrange(x, pattern, **sides)
    found = place(lambda x: net(x).mean(-1, keepdim=True), 32, 32, grid=(8, 4))
    assert found == ((4, 8), (1.5, 3.5), (4, 8))


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
    found = place(ALL[name], 16, 16, grid=(15, 15))
    assert found == ((1, 1), (1, 1), (inf, inf))


def test_every_spelling_of_a_call_has_its_rule():
    for fn in (torch.relu, torch.relu_, F.relu, Tensor.relu_, Tensor.__iadd__, torch.add, Tensor.data.__get__):
        assert rule_of(fn) is cell_by_cell
    assert rule_of(torch.cat) is rule_of(torch.concatenate)
    assert rule_of(Tensor.unfold) is not rule_of(F.unfold)


def test_a_call_that_has_no_rule_leads_nowhere():
    x = torch.zeros(1, 3, 8, 8)
    out, following = followed(torch.fft.fft2, x)
    mark = following.of(out)
    assert mark is not None
    assert mark.where is None
    assert following.of(torch.zeros(3)) is None
