"""What dimensions, images and cells the marks of emissions stand for, and the way there and back."""

from math import prod

import numpy as np
import pytest
import torch

from seewhy.errors import NotApplicable
from seewhy.images.places import Place
from seewhy.models.torch.places.layout import (
    FIRST,
    LAST,
    MANY,
    NO_ORDER,
    NO_SPACE,
    OTHER,
    PIECES,
    SEQUENCE,
    SUMMED_UP,
    TOKENS,
    Layout,
    layout_of,
    located,
)  # fmt: skip
from seewhy.models.torch.places.marks import IMAGES, Axis, Dim, Factor, Mark

N, C, H, W = 2, 3, 4, 6
IMAGE = Dim((Factor(N, IMAGES),))
CHANNEL = Dim((Factor(C),))
ROW, COLUMN = Dim((Factor(H, 0),)), Dim((Factor(W, 1),))
TOKEN = Dim((Factor(H, 0), Factor(W, 1)))
CELLS = range(H * W)

# by name: the dimensions, the way from (n, c, h, w) to such an emission, and the kind of the layout
EMISSIONS = {
    "channels first": ((IMAGE, CHANNEL, ROW, COLUMN), lambda x: x, FIRST),
    "channels last": ((IMAGE, ROW, COLUMN, CHANNEL), lambda x: x.permute(0, 2, 3, 1), LAST),
    "exchanged": ((IMAGE, CHANNEL, COLUMN, ROW), lambda x: x.transpose(2, 3), OTHER),
    "exchanged, channels last": ((IMAGE, COLUMN, ROW, CHANNEL), lambda x: x.permute(0, 3, 2, 1), OTHER),
    "images last": ((CHANNEL, ROW, COLUMN, IMAGE), lambda x: x.permute(1, 2, 3, 0), OTHER),
    "tokens": ((IMAGE, TOKEN, CHANNEL), lambda x: x.flatten(2).transpose(1, 2), TOKENS),
    "tokens before the batch": ((TOKEN, IMAGE, CHANNEL), lambda x: x.flatten(2).permute(2, 0, 1), SEQUENCE),
    "tokens column by column": (
        (IMAGE, Dim((Factor(W, 1), Factor(H, 0))), CHANNEL),
        lambda x: x.transpose(2, 3).flatten(2).transpose(1, 2), OTHER,
    ),
    "tokens as columns": ((IMAGE, CHANNEL, TOKEN), lambda x: x.flatten(2), OTHER),
    "windows in the batch": (
        (Dim((Factor(N, IMAGES), Factor(2, 0, 2), Factor(3, 1, 2))), Dim((Factor(2, 0), Factor(2, 1))), CHANNEL),
        lambda x: x.reshape(N, C, 2, 2, 3, 2).permute(0, 2, 4, 3, 5, 1).reshape(N * 6, 4, C), OTHER,
    ),
    "rows in the batch": (
        (Dim((Factor(N, IMAGES), Factor(H, 0))), COLUMN, CHANNEL),
        lambda x: x.permute(0, 2, 3, 1).reshape(N * H, W, C), OTHER,
    ),
    "rows before the batch": (
        (Dim((Factor(H, 0), Factor(N, IMAGES))), COLUMN, CHANNEL),
        lambda x: x.permute(2, 0, 3, 1).reshape(H * N, W, C), OTHER,
    ),
    "of shuffled tokens": (
        (IMAGE, TOKEN._replace(rows=(*CELLS,)[::-1]), CHANNEL),
        lambda x: x.flatten(2).flip(-1).transpose(1, 2), TOKENS,
    ),
}  # fmt: skip


def x():
    return torch.arange(N * C * H * W, dtype=torch.float64).reshape(N, C, H, W)


def layout(dims, axes=()) -> Layout:
    read = layout_of(dims, 2, axes)
    assert isinstance(read, Layout), read
    return read


@pytest.mark.parametrize("name", EMISSIONS)
def test_emissions_are_turned_and_turned_back(name):
    dims, emit, kind = EMISSIONS[name]
    read = layout(dims)
    emitted = emit(x())
    assert (read.kind if not any(dim.rows for dim in dims) else TOKENS) == kind
    assert read.shape == (C, H, W)
    assert read.fits(emitted.shape, N)
    torch.testing.assert_close(read.turn(emitted), x())
    g = torch.stack([x(), 2 * x()])  # of two targets
    torch.testing.assert_close(read.turn(torch.stack([emit(part) for part in g])), g)
    one = emit(x()[:1].expand(N, -1, -1, -1)) if name == "images last" else None
    if one is None and "batch" not in name:
        edits = torch.randn(5, C, H, W, dtype=torch.float64)
        alone = layout(tuple(dim if dim is not IMAGE else Dim((Factor(1, IMAGES),)) for dim in dims))
        back = alone.back(edits, emit(x())[:1])
        assert alone.fits(back.shape, 5)
        torch.testing.assert_close(alone.turn(back), edits)


@pytest.mark.parametrize("rows", [
    (-1, *CELLS), (*CELLS, -1, -1), (*range(12), -1, *range(12, 24)), (*CELLS[:7], -1, *CELLS[7:], -1),
])  # fmt: skip
@pytest.mark.parametrize("sequence", [False, True])
def test_tokens_of_no_place_are_left_out_wherever_they_stand_and_kept_on_the_way_back(rows, sequence):
    dims = (IMAGE, TOKEN._replace(rows=rows), CHANNEL)
    read = layout((dims[1], dims[0], dims[2]) if sequence else dims)
    order = [row if row >= 0 else H * W for row in rows]
    emit = lambda x: torch.cat([x.flatten(2).transpose(1, 2), -torch.ones(len(x), 1, C)], 1)[:, order]  # noqa: E731
    emitted = emit(x()).transpose(0, 1) if sequence else emit(x())
    torch.testing.assert_close(read.turn(emitted), x())
    assert read.extra == rows.count(-1)
    assert [order[at] for at in read.tokens] == [*CELLS]
    edits = torch.randn(5, C, H, W, dtype=torch.float64)
    back = read.back(edits, emitted[:, :1] if sequence else emitted[:1])
    torch.testing.assert_close(back.transpose(0, 1) if sequence else back, emit(edits))


def test_cells_that_were_left_out_are_zero():
    kept = (5, 0, 17, 23)
    read = layout((IMAGE, TOKEN._replace(rows=kept), CHANNEL))
    turned = read.turn(x().flatten(2).transpose(1, 2)[:, kept, :]).flatten(2)
    torch.testing.assert_close(turned[..., kept], x().flatten(2)[..., kept])
    assert not turned[..., [i for i in CELLS if i not in kept]].any()
    with pytest.raises(NotApplicable, match="cells of this layer were left out"):
        read.back(x(), x().flatten(2).transpose(1, 2)[:1, kept, :])


def test_an_axis_that_runs_backwards_is_turned_and_its_cells_lie_in_order():
    axes = (Axis(-2.0, 7.0, 6.0, 7.0), Axis(2.0, 0.5, 0.0, 1.0))
    mark = Mark((IMAGE, CHANNEL, ROW, COLUMN), axes)
    at = located(mark, (N, C, H, W), (8, 12))
    assert at.layout is not None
    torch.testing.assert_close(at.layout.turn(x().flip(2)), x())
    assert at.place == Place((2.0, 2.0), (1.0, 0.5), (2.0, 2.0))
    torch.testing.assert_close(at.layout.turn(at.layout.back(x(), x()[:1])), x())


def test_each_part_that_is_folded_into_the_batch_is_read_alone():
    views = torch.stack([x(), x() + 100], 1)  # (n, views, ...)
    for factors, emitted in (
        ((Factor(N, IMAGES), Factor(2)), views.flatten(0, 1)),
        ((Factor(2), Factor(N, IMAGES)), views.transpose(0, 1).flatten(0, 1)),
    ):
        read = layout((Dim(factors), CHANNEL, ROW, COLUMN))
        assert (read.parts, read.channels, read.simple, read.channels_first) == (2, C, True, True)
        for k in (0, 1):
            torch.testing.assert_close(read.of_part(k).turn(emitted), views[:, k])


def test_what_is_no_map_says_why():
    assert layout_of((IMAGE, CHANNEL), 2) == NO_SPACE
    assert layout_of((IMAGE, Dim((Factor(2, 0, 2),)), COLUMN), 2) == PIECES
    assert layout_of((IMAGE, TOKEN._replace(rows=(*CELLS, 3)), CHANNEL), 2) == MANY
    assert layout_of((IMAGE._replace(rows=(1, 0)), CHANNEL, ROW, COLUMN), 2) == NO_ORDER
    lost = located(Mark((), (), lost="it was lost"), (N, 9), (8, 12))
    assert (lost.layout, lost.why, lost.lost) == (None, "it was lost", True)


@pytest.mark.parametrize(
    ("dims", "row"),
    [
        ((IMAGE, CHANNEL), True),
        ((CHANNEL, IMAGE), False),
        ((IMAGE, CHANNEL, CHANNEL), False),
        ((IMAGE, Dim((Factor(2, 0, 2),))), False),
        ((Dim((Factor(N, IMAGES), Factor(2))), CHANNEL), True),
    ],
    ids=["a row for each image", "a column for each image", "a table for each image", "pieces", "two rows for each image"],
)
def test_rows_of_channels_have_a_layout_where_it_is_asked_for(dims, row):
    known = located(Mark(dims, ()), tuple(dim.size for dim in dims), (8, 12))
    assert known.row == row
    assert known.fitting((N, C), N) is None
    assert known.fitting((2 * N, C), N, flat=True) is None  # two rows for each image
    layout, a = known.fitting((N, C), N, flat=True), torch.arange(6.0).reshape(N, C)
    assert (layout is not None) == row
    assert layout is None or torch.equal(layout.turn(a), a)


def test_where_an_axis_is_summed_up_there_is_no_map():
    mark = Mark((IMAGE, CHANNEL, COLUMN), (Axis(), Axis(2.0, 0.5, 0.0, 1.0)), whole=True)
    at = located(mark, (N, C, W), (8, 12))
    assert (at.layout, at.why, at.lost) == (None, SUMMED_UP, False)


@pytest.mark.parametrize(("dims", "simple"), [
    ((IMAGE, CHANNEL, ROW, COLUMN), True), ((IMAGE, TOKEN, CHANNEL), True), ((TOKEN, IMAGE, CHANNEL), True),
    ((IMAGE, Dim((Factor(2, 0, 2), Factor(3, 1, 2), Factor(2, 0), Factor(2, 1))), CHANNEL), True),  # window by window
    ((IMAGE, Dim((Factor(4),)), TOKEN, CHANNEL), False),  # heads
    (EMISSIONS["windows in the batch"][0], False), ((IMAGE, Dim((Factor(H, 0), Factor(C))), COLUMN), False),
])  # fmt: skip
def test_only_whole_undivided_maps_are_simple(dims, simple):
    assert layout(dims).simple == simple


def test_one_image_without_a_dimension_for_it():
    read = layout((CHANNEL, ROW, COLUMN))
    torch.testing.assert_close(read.turn(x()[0]), x()[:1])


def test_a_layout_of_channels_first():
    read = Layout.first(C, (H, W))
    assert (read.kind, read.shape, read.extra, read.tokens) == (FIRST, (C, H, W), 0, tuple(CELLS))
    assert read.turn(x()) is not None
    assert prod(read.size) == C * H * W
    np.testing.assert_array_equal(read.back(x(), x()[:1]), x())
