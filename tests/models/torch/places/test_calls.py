"""What single calls do to the place of cells: however they are laid out, and where they see all."""

from math import inf

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from seewhy.models.torch.places.calls import cell_by_cell, rule_of
from seewhy.models.torch.places.merging import DIFFERENT, MIXED
from support.following import Lies, Net, conv, followed, lies, mark_of, place


def shapes() -> dict[str, tuple[Net, tuple[int, ...], Lies]]:
    even = conv(2, 4, stride=4)
    even.double()
    four = Lies((4, 4), (1.5, 1.5), (4, 4))
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
            .view(1, 8, 6, 4, 4, 3).permute(0, 5, 1, 3, 2, 4).reshape(1, 3, 32, 24), (32, 24), Lies((1, 1), (0, 0), (1, 1))
        ),
        "rolled": (lambda x: torch.roll(even(x), (-2, 1), (2, -1)), (8, 6), four),
        "a border put on by hand": (
            lambda x: torch.cat([torch.zeros(1, 3, 2, 6), even(x)], 2), (10, 6), Lies((4, 4), (-6.5, 1.5), (4, 4))
        ),
        "rolled and back": (
            lambda x: torch.roll(torch.roll(even(x), (-2, -1), (2, 3)), (2, 1), (2, 3)), (8, 6), four
        ),
        "strided slices of channels last, side by side": (
            lambda x: (y := x.permute(0, 2, 3, 1), torch.cat([y[:, i::2, j::2, :] for i in (0, 1) for j in (0, 1)], -1))[1],
            (16, 12), Lies((2, 2), (0.5, 0.5), (2, 2)),
        ),
        "patches merged by reshape": (
            lambda x: linear(x.permute(0, 2, 3, 1).repeat(1, 1, 1, 4).reshape(1, 16, 2, 12, 2, 12).permute(0, 1, 3, 4, 2, 5)
                             .flatten(3)), (16, 12), Lies((2, 2), (0.5, 0.5), (2, 2))
        ),
        "drawn apart by hand": (
            lambda x: x.repeat(1, 4, 1, 1).view(1, 3, 2, 2, 32, 24).permute(0, 1, 4, 2, 5, 3).reshape(1, 3, 64, 48), (64, 48),
            Lies((0.5, 0.5), (-0.25, -0.25), (1, 1)),
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
    assert lies(mark) == (grid, expected), mark.lost


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
    "mixed tokens": lambda x: (t := x[..., 1:, 1:].flatten(2), t + F.linear(t, torch.zeros(225, 225).to(t)))[1].mT,
    "group norm": lambda x: F.group_norm(x[..., 1:, 1:], 1),
    "a softmax over space": lambda x: x[..., 1:, 1:].flatten(2).softmax(-1).mT,
    "a gate of unknown ways": lambda x: x[..., 1:, 1:] * torch.fft.fft2(x).real.mean((2, 3), keepdim=True),
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


REFUSED: dict[str, tuple[Net, str]] = {
    "no rule": (torch.fft.fft2, "fft_fft2, which no rule follows"),
    "a map, and another by no rule": (
        lambda x: x + torch.fft.ifft2(torch.fft.fft2(x)).real, "fft_fft2, which no rule follows"
    ),
    "statistics of the batch": (lambda x: x - x.mean(0), MIXED),
    "a mirrored sum": (lambda x: x + x.flip(-1), DIFFERENT),
    "a sum with what is turned": (lambda x: x + x.transpose(-1, -2), DIFFERENT),
    "by chance": (lambda x: x[:, :, torch.randperm(8)], "tokens are chosen by chance"),
    "by chance, for each": (
        lambda x: x.flatten(2).gather(2, torch.rand(1, 1, 64).argsort(-1).expand(1, 3, 64)), "tokens are chosen by chance"
    ),
    "weights of the image": (lambda x: F.conv2d(torch.ones(1, 3, 8, 8), x), "weights that are computed from the image"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_known_says_why(name):
    net, why = REFUSED[name]
    assert mark_of(net, torch.zeros(1, 3, 8, 8)).lost == why


KEPT: dict[str, tuple[Net, bool]] = {  # and may its cells see the whole image?
    "noise": (lambda x: x + torch.randn_like(x) * torch.rand(1), False),
    "weights of the image": (lambda x: F.conv2d(x, x.mean((2, 3))[:, :, None, None].expand(3, 3, 1, 1)), True),
    "a mask": (lambda x: torch.where(x > 0, x, torch.zeros(())), False),
    "a norm in evaluation": (lambda x: F.batch_norm(x, torch.zeros(3), torch.ones(3)), False),
    "a norm in training": (lambda x: F.batch_norm(x, None, None, training=True), True),
    "a cumulative sum": (lambda x: x.cumsum(-1), True),
    "a normalized row": (lambda x: F.normalize(x, dim=-1), True),
    "normalized channels": (lambda x: F.normalize(x, dim=1), False),
    "a dropout": (lambda x: F.dropout(x, 0.5, True), False),
    "another type": (lambda x: x.to(torch.float64).type_as(torch.zeros(1)).to(torch.zeros(1)), False),
    "codes": (lambda x: F.embedding(x.argmax(1), torch.zeros(3, 5)).movedim(-1, 1), False),
    "classes": (lambda x: F.one_hot(x.argmax(1), 3).movedim(-1, 1), False),
    "an operator": (lambda x: torch.ops.aten.relu.default(x), False),
    "a copy": (lambda x: x.detach().clone().contiguous(), False),
    "squeezed": (lambda x: x.mean(1, keepdim=True).squeeze(1).unsqueeze(1), False),
    "complex numbers": (lambda x: torch.view_as_real(torch.view_as_complex(torch.stack([x, x], -1)) * 1j)[..., 1], False),
    "the larger": (lambda x: torch.max(x, x.amax((2, 3), keepdim=True)), True),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:.*detach")
@pytest.mark.parametrize("name", KEPT)
def test_cells_that_stay_where_they_are(name):
    net, whole = KEPT[name]
    mark = mark_of(net, torch.rand(1, 3, 8, 8))
    assert mark.lost == ""
    assert mark.dims[0].images
    assert lies(mark) == ((8, 8), ((1, 1), (0, 0), (inf if whole else 1,) * 2))


@pytest.mark.parametrize(
    "net", [torch.zeros_like, lambda x: x.new_zeros(3), lambda x: torch.zeros(3).to(x), lambda x: torch.ones(3)]
)
def test_what_uses_no_number_of_the_image_is_not_computed_from_it(net):
    out, following = followed(net, torch.zeros(1, 3, 8, 8))
    assert following.of(out) is None


NOWHERE: dict[str, Net] = {
    "pooled": lambda x: x.mean((2, 3)),
    "logits": lambda x: F.linear(x.flatten(1), torch.zeros(5, 192)),
    "similarities": lambda x: F.cosine_similarity(x.flatten(1), torch.ones(1, 192)),
    "the largest": lambda x: x.flatten(1).max(1).values,
}


@pytest.mark.parametrize("name", NOWHERE)
def test_of_some_tensors_it_is_known_that_they_have_no_space(name):
    mark = mark_of(NOWHERE[name], torch.zeros(2, 3, 8, 8))
    assert mark.lost == ""
    assert mark.dims[0].images
    assert mark.spots == ()
