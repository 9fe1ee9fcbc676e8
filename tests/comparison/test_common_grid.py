"""Maps of two networks at a common size, on what both saw."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

import seewhy
from seewhy.comparison.common_grid import SIDE, map_drift, on_common_grid, placed_alike
from seewhy.errors import BadParameter, NotHere
from seewhy.images.places import Cells, Grid
from seewhy.images.sight import Sight

SLOPE = np.arange(12.0).reshape(3, 4)


def test_a_map_beside_itself_has_not_moved(made_heatmap):
    a = made_heatmap(SLOPE)
    assert map_drift(a, a) == (1, 0, 0, "", ())


def test_other_grids_are_compared_at_the_size_of_the_photo(made_heatmap):
    """A slope in 4x4 cells and in 8x8 is the same slope, but for the half cells at the border."""
    fine, coarse = (np.add.outer(np.arange(n) + 0.5, np.arange(n) + 0.5) / n for n in (8, 4))
    a, b = made_heatmap(coarse, (40, 40)), made_heatmap(fine, (40, 40))
    common = on_common_grid(a, b)
    assert common.a.shape == common.b.shape == (40, 40)
    inner = slice(6, -6)
    np.testing.assert_allclose(common.a[inner, inner], common.b[inner, inner], rtol=1e-5)
    assert map_drift(a, b).spearman > 0.99


def test_large_photos_are_compared_at_a_bounded_size(made_heatmap):
    a, b = made_heatmap(SLOPE, (4000, 1000)), made_heatmap(SLOPE[::-1], (4000, 1000))
    common = on_common_grid(a, b)
    assert common.a.shape == (64, SIDE)
    assert common.scale == pytest.approx([1000 / 64, 4000 / SIDE])


def test_the_centre_moves_in_pixels_of_the_photo(made_heatmap):
    """All the evidence in the first of four cells, then in the last; 4000 pixels, linear between the cells' centres."""
    left, right = np.eye(4)[[0]], np.eye(4)[[3]]
    small = map_drift(made_heatmap(left, (40, 10)), made_heatmap(right, (40, 10))).centre_shift
    large = map_drift(made_heatmap(left, (4000, 1000)), made_heatmap(right, (4000, 1000))).centre_shift
    assert large == pytest.approx(100 * small, rel=0.01)
    full = np.interp(np.arange(40) + 0.5, [5, 15, 25, 35], [1, 0, 0, 0])
    by_hand = (full * (np.arange(40) + 0.5)).sum() / full.sum()
    assert small == pytest.approx(40 - 2 * by_hand, rel=1e-5)


def test_only_what_both_saw_counts(made_heatmap):
    """B sees the right half alone: there both say the same, whatever A says of the left."""
    values = np.zeros((2, 4))
    values[:, 2:] = [[1, 2], [3, 4]]
    for left in (0, 9):
        values[:, :2] = left
        a = made_heatmap(values, (40, 20))
        a = replace(a, values=np.kron(values, np.ones((10, 10))).astype(np.float32))
        b = made_heatmap(np.kron(values[:, 2:], np.ones((10, 10))), (40, 20), box=(20, 0, 40, 20))
        moved = map_drift(a, b)
        assert moved.energy_shift < 0.03
        assert moved.spearman > 0.97
        assert moved.notes == ("compared on the 50 % of what either network sees of it that both see",)


def test_what_is_known_of_one_models_cells_alone_is_no_drift(made_heatmap):
    """One map, of which the torch network tells where its cells look, and the ONNX graph only where they lie."""
    plain = Cells((4.5, 4.5), (10.0, 10.0), (30, 40))
    looks = Cells((7.0, 8.0), (10.0, 10.0), (30, 40), (Sight(3.0, 9.0), Sight(3.0, 9.0)))
    a, b = replace(made_heatmap(SLOPE), cells=looks), replace(made_heatmap(SLOPE), cells=plain)
    said = "of B it is not known where its cells look in their fields: both maps are laid out as its map is"
    assert map_drift(a, b) == (1, 0, 0, "", (said,))
    assert map_drift(b, a) == (1, 0, 0, "", (said.replace("of B", "of A"),))
    assert map_drift(a, replace(b, cells=None))[:3] == (1, 0, 0)
    assert placed_alike(a, a)[2] == placed_alike(b, b)[2] == ""
    moved = map_drift(a, replace(a, cells=looks._replace(first=(4.0, 4.0))))
    assert moved.centre_shift > 0.9  # both are known to look elsewhere
    other = replace(made_heatmap(np.kron(SLOPE, np.ones((2, 2)))), cells=None)
    assert map_drift(a, other).notes == (
        "of B it is not known where its cells look in their fields: its map may lie half a cell off",
    )


def test_nothing_in_common_is_said_of_that_photo(made_heatmap):
    a, b = made_heatmap(SLOPE, box=(0, 0, 10, 30)), made_heatmap(SLOPE, box=(20, 0, 40, 30))
    with pytest.raises(NotHere, match=r"cat.jpg: timm/mini and timm/mini see no common part of it"):
        map_drift(a, b)


def test_maps_of_other_images_are_refused(made_heatmap):
    with pytest.raises(BadParameter, match=r"\(40, 30\) and \(30, 40\)"):
        map_drift(made_heatmap(SLOPE), made_heatmap(SLOPE, (30, 40)))


def test_maps_that_say_nothing_are_told_not_counted(made_heatmap):
    zero, same, slope = (made_heatmap(values) for values in (np.zeros((3, 4)), np.ones((3, 4)), SLOPE))
    both = map_drift(zero, zero)
    assert both[:4] == (None, 0, None, "both")
    assert both.notes == (
        "both maps are the same everywhere: they have no rank correlation",
        "neither map has positive evidence",
    )
    one = map_drift(slope, zero)
    assert one[:4] == (None, 1, None, "b")
    assert one.notes[0] == "the map of B is the same everywhere: it has no rank correlation with another"
    assert one.notes[1] == "the map of B has no positive evidence: all of the other's counts as moved"
    assert map_drift(zero, slope).flat == "a"
    assert map_drift(same, slope).spearman is None
    assert 0 < map_drift(same, slope).energy_shift < 1
    assert map_drift(same, same)[:4] == (None, 0, 0, "both")


@pytest.mark.parametrize("shape", [(6,), (4, 5, 6)])
def test_signals_and_volumes_are_compared_on_their_own_grid(shape, made_heatmap):
    rng = np.random.default_rng(0)
    grid = Grid.whole(shape)
    a = replace(made_heatmap(SLOPE), values=rng.random(shape).astype(np.float32), image=None, box=grid)
    b = replace(a, values=rng.random(shape).astype(np.float32))
    assert on_common_grid(a, b).a.shape == shape
    assert map_drift(a, a)[:3] == (1, 0, 0)
    assert map_drift(a, b).spearman < 0.9


def test_a_mirrored_view_is_compared_where_it_lies(made_heatmap):
    """What B saw mirrored, its box says; on the photo both say the same."""
    values = np.kron(SLOPE, np.ones((10, 10)))
    a, b = made_heatmap(values), made_heatmap(values[:, ::-1], box=(40, 0, 0, 30))
    assert isinstance(b.box, seewhy.Extent)
    assert isinstance(a.image, Image.Image)
    moved = map_drift(a, b)
    assert moved.spearman == pytest.approx(1, abs=1e-3)
    assert moved.energy_shift < 0.01
