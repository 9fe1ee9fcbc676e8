"""Emissions that nothing follows: what lies over the image is found exactly, all else is refused with the reason."""

from collections.abc import Iterator
from itertools import pairwise, permutations, product
from math import prod

import pytest
import torch
from torch import Tensor, nn

from seewhy.errors import BadParameter
from seewhy.models.torch.places.experiment import ALIKE, NO_IMAGES, RANDOM, RESIZED, UNCHANGED, Responses, probes, stripes
from seewhy.models.torch.places.marks import IMAGES, Axis, Dim, Factor, Mark
from seewhy.models.torch.places.orders import FEW
from support.laid import Emitted, Laid, backwards, cells, image, maps, mark_of, rows

OTHER = "not in the order of a grid"
TORN = "change with several places each"


@pytest.mark.parametrize("space", [(40,), (20, 33), (8, 17, 20)])
def test_probes_are_quiet_but_for_a_stripe_each(space):
    x = 5 * image(*space, seed=1)
    quiet, *batches = probes(x)
    torch.testing.assert_close(quiet[0], quiet[1])
    assert quiet.std() < 0.2 * x.std()
    bright = torch.cat(batches) - quiet[:1]
    per_axis = bright.split(stripes(space))
    for a, images in enumerate(per_axis):
        torch.testing.assert_close(images.sum(0), per_axis[0].sum(0), atol=1e-4, rtol=1e-4)  # together they cover the image
        others = [k for k in range(1, bright.ndim) if k != a + 2]
        for k, seen in enumerate(images.abs().sum(others)):
            (where,) = seen.nonzero(as_tuple=True)
            width = space[a] / len(images)
            assert k * width - 1 < where.min() <= where.max() < (k + 1) * width + 1
    single = torch.cat([*probes(x, alone=True)])
    torch.testing.assert_close(single, torch.cat([quiet[:1], *batches]))


def test_probes_are_few():
    assert [1 + sum(stripes(space)) for space in [(16000,), (224, 224), (96, 96, 96), (2, 8)]] == [33, 33, 43, 11]


@pytest.mark.parametrize("constant", [0.0, 3.0])
def test_a_blank_image_does(constant):
    x = torch.full((1, 3, 32, 32), constant)
    assert cells(mark_of(rows((4, 4)), x)) == [(((4, 0), (4, 1)), None)]


@pytest.mark.parametrize("grid", [*product((2, 3, 4), repeat=2), (4, 7), (7, 7), (16, 12)])
def test_every_arrangement_of_a_grid_is_found(grid):
    of = maps(grid)
    x = image(*(max(16, 4 * size) for size in grid))
    for axes, flipped in product(permutations(range(2)), [(), (0,), (1,), (0, 1)]):

        def arranged(x: Tensor, axes=axes, flipped=flipped) -> Tensor:
            return of(x).flip([a + 2 for a in flipped]).permute(0, 1, *(a + 2 for a in axes))

        own = [(grid[a], a) for a in axes]
        for emitted, found in (
            (arranged, [((factor,), None) for factor in own]),
            (lambda x, arranged=arranged: arranged(x).movedim(1, -1), [((factor,), None) for factor in own]),
            (lambda x, arranged=arranged: arranged(x).flatten(2).transpose(1, 2), [(tuple(own), None)]),
            (lambda x, arranged=arranged: arranged(x).flatten(2).permute(2, 0, 1), [(tuple(own), None)]),
        ):
            mark = mark_of(emitted, x)
            assert cells(mark) == found
            assert backwards(mark) == [*flipped]


def test_the_mark_is_that_of_the_emission():
    x = image(32, 48)
    mark = mark_of(lambda x: maps((4, 6))(x).flip(2), x, 5)
    assert mark.dims == (Dim((Factor(5, IMAGES),)), Dim((Factor(8),)), Dim((Factor(4, 0),)), Dim((Factor(6, 1),)))
    assert mark.axes == (Axis(-8, 27.5, 0, 31), Axis(8, 3.5, 0, 47))
    assert mark.whole
    heads = mark_of(lambda x: rows((4, 6))(x).reshape(len(x), 24, 2, 4).transpose(1, 2), x, 2)
    assert heads.dims == (Dim((Factor(2, IMAGES),)), Dim((Factor(2),)), Dim((Factor(4, 0), Factor(6, 1))), Dim((Factor(4),)))


def trials(seeds: range) -> Iterator[tuple[int, Laid, Mark]]:
    for seed in seeds:
        laid = Laid.random(seed)
        space = [max(size * 5, 64 if len(laid.grid) == 1 else 32 if len(laid.grid) == 2 else 16) for size in laid.grid]
        yield seed, laid, mark_of(laid, image(*space, seed=seed))


@pytest.mark.parametrize("start", range(0, 160, 40))
def test_whatever_lies_over_the_image_is_found_exactly_or_refused(start):
    found = 0
    for seed, laid, mark in trials(range(start, start + 40)):
        if not mark.lost:
            assert (seed, cells(mark), backwards(mark)) == (seed, laid.cells, [*laid.flipped])
            found += 1
    assert found >= 36


def with_others(emitted: Emitted, before: int, behind: int, channels: int = 8) -> Emitted:
    """Rows with learned tokens beside them."""
    others = torch.randn((1, before + behind, channels), generator=torch.Generator().manual_seed(7))

    def row(x: Tensor) -> Tensor:
        each = others.expand(len(x), -1, -1)
        return torch.cat([each[:, :before], emitted(x), each[:, before:]], 1)

    return row


@pytest.mark.parametrize(("grid", "before", "behind"), [((8, 8), 0, k) for k in range(10, 18)] + [((16, 16), 17, 0)])
def test_many_tokens_of_no_place_are_no_cells(grid, before, behind):
    """64 tokens and 10 to 17 others were read as 9 x 9, 256 and 17 others as 17 x 16."""
    mark = mark_of(with_others(rows(grid), before, behind), image(64, 64))
    at = (*[-1] * before, *range(prod(grid)), *[-1] * behind)
    assert cells(mark) == [(((grid[0], 0), (grid[1], 1)), at)]


def test_thirteen_tokens_are_no_four_and_others():
    """The class token and 3 x 4 patches from the last to the first, which were read as 2 x 2."""
    mark = mark_of(with_others(lambda x: rows((3, 4))(x).flip(1), 1, 0), image(48, 64))
    assert cells(mark) == [(((3, 0), (4, 1)), (-1, *range(12)))]
    assert backwards(mark) == [0, 1]


def test_a_class_token_in_the_middle_is_no_cell():
    def middle(x: Tensor) -> Tensor:
        y = rows((4, 6))(x)
        return torch.cat([y[:, :9], y.mean(1, keepdim=True), y[:, 9:]], 1)

    assert cells(mark_of(middle, image(32, 48))) == [(((4, 0), (6, 1)), (*range(9), -1, *range(9, 24)))]


def test_as_many_images_as_tokens():
    mark = mark_of(lambda x: rows((3, 4))(x).transpose(0, 1), image(48, 64), 12)
    assert mark.dims == (Dim((Factor(3, 0), Factor(4, 1))), Dim((Factor(12, IMAGES),)), Dim((Factor(8),)))


class Queries(nn.Module):
    """Learned queries that look at all cells of the image, as those of a Perceiver or a Q-Former do."""

    def __init__(self, count: int, sharp: float, seed: int) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.queries, self.place = sharp * torch.randn(1, count, 16), sharp * torch.randn(1, 64, 16)
        self.tokens, self.attend = rows((8, 8), channels=16), nn.MultiheadAttention(16, 2, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        y = self.tokens(x) + self.place
        return self.attend(self.queries.expand(len(x), -1, -1), y, y)[0]


@pytest.mark.parametrize("count", [4, 8, 9, 16, 64])
@pytest.mark.parametrize("sharp", [0.3, 2.0, 10.0])
def test_learned_queries_are_no_places(count, sharp):
    for seed in range(3):
        why = mark_of(Queries(count, sharp, seed).eval(), image(64, 64)).lost
        assert any(reason in why for reason in (ALIKE, TORN, OTHER, FEW.format("2 x 2")))


def test_words_are_no_places():
    """The 8 words of a text encoder that looks at the image were read as 2 x 2."""
    words = torch.randn((1, 8, 8), generator=torch.Generator().manual_seed(0))
    assert mark_of(lambda x: words + 0.1 * rows((4, 4))(x).mean(1, keepdim=True), image(32, 32)).lost == ALIKE
    assert mark_of(lambda x: words.expand(len(x), -1, -1), image(32, 32)).lost == UNCHANGED
    mark = mark_of(lambda x: torch.cat([words.expand(len(x), -1, -1), rows((4, 4))(x)], 1), image(32, 32))
    assert cells(mark) == [(((4, 0), (4, 1)), (*[-1] * 8, *range(16)))]


MIXES = torch.randn((24, 24), generator=torch.Generator().manual_seed(0))
SHUFFLED = torch.randperm(24, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    ("emitted", "why"),
    [
        (lambda y: MIXES @ y, TORN),
        (lambda y: torch.fft.fft(y, dim=1), ALIKE),
        (lambda y: y.mean(1), ALIKE),
        (lambda y: y.mean(1, keepdim=True), ALIKE),
        (lambda y: y[:, SHUFFLED], OTHER),
        (lambda y: y.roll(5, 1), OTHER),
        (lambda y: y.reshape(len(y), 2, 2, 3, 2, 8).transpose(2, 3).flatten(1, 4), OTHER),  # window by window
        (lambda y: y + y.flip(1), ALIKE),
        (lambda y: y.unflatten(1, (4, 6)).mean(2), "along axis 0 of the image alone"),
        (lambda y: y.unflatten(1, (4, 6)).flatten(2), "along axis 0 of the image alone"),
        (lambda y: y + torch.randn(y.shape), RANDOM),
        (lambda y: y[:, : 1 + int(1e4 * y.abs().sum()) % 7], RESIZED),
        (lambda y: y.sum(), NO_IMAGES),
        (lambda y: y[0], NO_IMAGES),
        (lambda y: torch.ones_like(y), UNCHANGED),
        (lambda y: 1e8 + 0.1 * y, UNCHANGED),  # lost in rounding
        (lambda y: y / 0, "it holds numbers that are not finite"),
    ],
)
def test_what_lies_nowhere_is_refused_with_the_reason(emitted, why):
    assert why in mark_of(lambda x: emitted(rows((4, 6))(x)), image(32, 48)).lost


def test_maps_that_lie_differently_have_no_place():
    for turned in (lambda y: y.transpose(2, 3), lambda y: y.flip(3), lambda y: y.flip(2, 3)):
        mark = mark_of(lambda x, turned=turned: (y := maps((6, 6))(x)) + turned(y), image(48, 48))
        assert mark.lost


def test_a_grid_is_asked_of_rows_of_so_many_cells_alone():
    emitted, x = with_others(rows((3, 4)), 1, 0), image(48, 64)
    assert cells(mark_of(emitted, x, grid=(3, 4))) == cells(mark_of(emitted, x, grid=(2, 2))) == cells(mark_of(emitted, x))
    assert "grid=(4, 3) is not true of it" in mark_of(emitted, x, grid=(4, 3)).lost
    assert not mark_of(maps((3, 4)), x, grid=(1, 3)).lost
    assert mark_of(lambda x: MIXES[:12, :12] @ rows((3, 4))(x), x, grid=(3, 4)).lost  # it proves nothing
    with pytest.raises(BadParameter, match="2 axes of space"):
        mark_of(emitted, x, grid=(12,))


def test_parts_of_an_image_lie_in_the_batch():
    x, own = image(48, 64), rows((3, 4))
    for emitted, batch in (
        (lambda x: torch.stack([own(x), 2 * own(x)], 1).flatten(0, 1), (Factor(5, IMAGES), Factor(2))),
        (lambda x: torch.cat([own(x), 2 * own(x)]), (Factor(2), Factor(5, IMAGES))),
        (lambda x: own(x).repeat_interleave(2, 0), (Factor(5, IMAGES), Factor(2))),
        (lambda x: own(x).repeat(2, 1, 1), (Factor(2), Factor(5, IMAGES))),
    ):
        assert mark_of(emitted, x, 5).dims == (Dim(batch), Dim((Factor(3, 0), Factor(4, 1))), Dim((Factor(8),)))


def test_frames_of_a_video_are_found_wherever_they_lie():
    video, frame, d = image(8, 32, 32), rows((4, 4)), (Factor(4, 1), Factor(4, 2))
    each = lambda x: frame(x.transpose(1, 2).flatten(0, 1))  # noqa: E731
    assert mark_of(each, video, 3).dims == (Dim((Factor(3, IMAGES), Factor(8, 0))), Dim(d), Dim((Factor(8),)))
    joined = mark_of(lambda x: each(x).reshape(len(x), 128, 8), video, 3)
    assert joined.dims == (Dim((Factor(3, IMAGES),)), Dim((Factor(8, 0), *d)), Dim((Factor(8),)))
    by_place = mark_of(lambda x: each(x).reshape(len(x), 8, 16, 8).transpose(1, 2).flatten(1, 2), video, 3)
    assert by_place.dims == (Dim((Factor(3, IMAGES),)), Dim((*d, Factor(8, 0))), Dim((Factor(8),)))


def test_networks_that_take_one_image_alone():
    x = image(48, 64)
    mark = mark_of(with_others(rows((3, 4)), 1, 0), x, alone=True)
    assert cells(mark) == [(((3, 0), (4, 1)), (-1, *range(12)))]
    assert mark.dims[0] == Dim((Factor(1, IMAGES),))
    assert mark_of(lambda x: rows((3, 4))(x).transpose(0, 1), x, alone=True).dims[1] == Dim((Factor(1, IMAGES),))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64, torch.complex64, torch.int64])
def test_numbers_of_any_kind(dtype):
    scale = 1000 if dtype == torch.int64 else 1
    mark = mark_of(lambda x: (scale * rows((4, 6))(x)).to(dtype), image(32, 48))
    assert cells(mark) == [(((4, 0), (6, 1)), None)]


def test_sums_are_kept_and_no_emissions():
    """What a layer emits for all probes would take far more memory than the network."""
    responses, emitted = Responses((64, 64)), maps((32, 32), channels=64)
    for images in probes(image(64, 64)):
        responses.add(emitted(images), len(images))
    kept = sum(each.numel() for sums in responses._sums for each in sums)
    assert kept == 32 * (1 + 64 + 32 + 32)
    assert not responses.mark(1).lost


def network(kind: str) -> nn.Module:
    torch.manual_seed(0)
    if kind == "convolutions":
        widths = (3, 16, 32, 64)
        blocks = [
            nn.Sequential(nn.Conv2d(a, b, 3, 2, 1), nn.BatchNorm2d(b), nn.ReLU(), nn.Conv2d(b, b, 3, 1, 1), nn.BatchNorm2d(b))
            for a, b in pairwise(widths)
        ]
        return nn.Sequential(*blocks).eval()
    return nn.Sequential(*(nn.TransformerEncoderLayer(32, 4, 64, batch_first=True, norm_first=True) for _ in range(4))).eval()


def test_deep_maps_whose_cells_see_far():
    """Cells of strided convolutions lie half a cell beside the even places, and those at the border farther within."""
    body, x = network("convolutions"), image(96, 128)
    for depth in (1, 2, 3):
        mark = mark_of(body[:depth], x)
        assert cells(mark) == [(((96 >> depth, 0),), None), (((128 >> depth, 1),), None)]


def test_tokens_that_have_seen_each_other():
    body, x = network("attention"), image(48, 64)
    for depth in range(5):
        mark = mark_of(lambda x, depth=depth: body[:depth](with_others(rows((6, 8), channels=32), 1, 0, 32)(x)), x)
        assert cells(mark) == [(((6, 0), (8, 1)), (-1, *range(48)))]
