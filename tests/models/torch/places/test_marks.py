"""Which dimensions run over space, and where their cells lie."""

from dataclasses import replace
from math import inf

import pytest

from seewhy.images.places import Place
from seewhy.models.torch.places.marks import IMAGES, Axis, Dim, Factor, apart, changed, entangled, lost, plain, product, start

SHAPE = (2, 3, 8, 6)
IMAGE = start(SHAPE)
EVERY = Place((1, 1), (0, 0), (1, 1))
CELLS = Dim((Factor(8, 0), Factor(6, 1)))


def test_the_image_lies_where_it_lies():
    assert IMAGE.shape == SHAPE
    assert IMAGE.where == ((8, 6), EVERY)
    assert [j for j, _ in IMAGE.spots] == [-2, -1]
    assert start((2, 3, 5)).where == ((5,), Place((1,), (0,), (1,)))
    assert start((2, 3)).where is None


def test_the_images_of_the_batch_are_told_from_channels():
    assert IMAGE.dims[0] == Dim((Factor(2, IMAGES),))
    assert start((1, 3, 8, 6)).dims[0].factors == (Factor(1, IMAGES),)
    assert IMAGE.dims[0].images
    assert IMAGE.dims[0].informed
    assert not IMAGE.dims[0].spatial
    assert not IMAGE.dims[1].informed


def test_a_cell_of_cells_sees_what_they_see():
    axis = Axis(2, 3, 1, 5).through(4, -1, 2)  # cell j reads the cells from 4j - 1 to 4j + 2
    assert axis[:4] == (8, 3 + 2 * 0.5, 1 - 2, 5 + 2 * 2)
    assert axis.bell.variance == 2**2 * (4**2 - 1) / 12, "it reads four cells alike"
    assert axis.through(1, 0, 0) == axis
    assert Axis(2, 3).through(2, 0, 1).through(3, 1, 1) == Axis(2, 3).through(6, 2, 3)


def test_an_axis_that_runs_backwards():
    turned = Axis(2, 3, 1, 5).through(-1, 9, 9)  # of ten cells, the last comes first
    assert turned == Axis(-2, 21, 19, 23)
    assert turned.through(1, 0, 1)[:4] == (-2, 20, 17, 23), "the next cell lies to the left"
    assert turned.through(-1, 9, 9) == Axis(2, 3, 1, 5)


def test_parts_of_a_cell_lie_beside_one_another_around_its_centre():
    axis = apart(Axis(6, 1), 3)
    assert [axis.first + i * axis.stride for i in range(6)] == pytest.approx([-1, 1, 3, 5, 7, 9])


def test_entries_of_no_place_stand_anywhere_among_tokens():
    dim = CELLS._replace(rows=(-1, *range(24), -1, *range(24, 48)))
    assert (dim.size, dim.axes, dim.spatial, dim.single) == (50, (0, 1), True, None)
    tokens = replace(IMAGE, dims=(IMAGE.dims[0], dim, plain(3)))
    assert tokens.where == ((8, 6), EVERY)
    assert replace(tokens, dims=(tokens.dims[0], CELLS._replace(rows=tuple(range(47))), plain(3))).where is None, (
        "one is missing"
    )
    assert replace(tokens, dims=(tokens.dims[0], CELLS._replace(rows=(0, 0, *range(1, 48))), plain(3))).where is None, (
        "one twice"
    )


def test_a_dimension_without_any_of_its_cells_is_not_of_space():
    dim = CELLS._replace(rows=(-1, -1))
    assert not dim.spatial
    assert not dim.informed
    token = replace(IMAGE, dims=(IMAGE.dims[0], dim, plain(3)))
    assert token.stranger, "a class token before any attention"
    assert not replace(token, whole=True).stranger
    assert not IMAGE.stranger


def test_what_holds_one_axis_alone():
    assert Dim((Factor(8, 0),)).single == 0
    assert Dim((Factor(8, IMAGES),)).single is None
    assert not plain(4).spatial
    assert plain(1) == Dim(())
    assert product([Dim((Factor(4, 0, 2),)), Dim((Factor(2, 0),))]) == Dim((Factor(8, 0),)), "windows put together"
    assert product([plain(2), plain(3)]) == plain(6)


def test_cells_in_channels_are_averaged():
    cut = replace(IMAGE, dims=(IMAGE.dims[0], Dim((Factor(3), Factor(2, 0))), Dim((Factor(4, 0, 2),)), IMAGE.dims[3]))
    assert cut.shape == (2, 6, 4, 6)
    assert cut.where == ((4, 6), Place((2, 1), (0.5, 0), (2, 1)))
    assert cut.settled is not None
    assert IMAGE.settled is IMAGE


def test_pairs_of_cells_lie_at_no_single_place():
    assert not IMAGE.pairs
    weights = replace(IMAGE, dims=(IMAGE.dims[0], CELLS, CELLS))
    assert weights.pairs
    assert weights.where is None


def test_a_rolled_axis_is_told_in_its_order_again():
    rolled = replace(IMAGE, axes=changed(IMAGE.axes, {1: Axis(order=(4, 5, 0, 1, 2, 3))}))
    assert rolled.where == IMAGE.where


def test_what_is_lost_says_why():
    mark = lost("fft_fft2, which no rule follows")
    assert mark.lost == "fft_fft2, which no rule follows"
    assert mark.where is None
    assert mark.dims == ()


def test_single_cells_that_were_taken():
    frame = replace(IMAGE, dims=IMAGE.dims[:3], taken=(Dim((Factor(6, 1),), (4,)),))
    assert frame.points == (1,)
    assert frame.where is None


def test_everywhere_is_said_once():
    mark = IMAGE.everywhere()
    assert mark.everywhere() is mark
    assert mark.where == ((8, 6), Place((1, 1), (0, 0), (inf, inf)))


IMAGES_ALONE, SPACE = Dim((Factor(1, IMAGES),)), (Dim((Factor(8, 0),)), Dim((Factor(6, 1),)))


@pytest.mark.parametrize(
    ("dims", "are"),
    [
        ((IMAGES_ALONE, plain(3), *SPACE), False),
        ((CELLS, IMAGES_ALONE, plain(3)), False),
        ((Dim((Factor(1, IMAGES), Factor(4, 0))), Dim((Factor(2, 0), Factor(6, 1))), plain(3)), False),
        ((Dim((Factor(1, IMAGES), Factor(4))), plain(3)), False),
        ((Dim((Factor(1, IMAGES), Factor(4))), plain(3), *SPACE), True),
        ((plain(4), IMAGES_ALONE, *SPACE), True),
    ],
    ids=["map", "tokens before the batch", "windows", "no space", "parts", "parts that one image hides"],
)
def test_parts_beside_a_single_image(dims, are):
    assert entangled(replace(IMAGE, dims=dims)) is are
