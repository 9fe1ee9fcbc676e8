"""Maps drawn where their cells lie: on known pixels, and bit for bit as ever where they lie evenly."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from torch import nn

import seewhy
from seewhy import Extent, Heatmap, fuse
from seewhy.images.places import Cells, Gaze, Place
from seewhy.images.resample import brought, resized, spread
from seewhy.images.sight import Sight
from seewhy.methods.making.method import lookup
from support import ask


def heatmap(values, source, cells=None, box=Extent(0, 0, 32, 32), photo=None, error=None, layer="a"):  # noqa: B008
    source = replace(source, layer=layer)
    error = None if error is None else np.asarray(error, np.float32)
    return Heatmap(np.asarray(values, np.float32), photo, box, source, error=error, cells=cells)


def blob(grid, cell):
    values = np.zeros(grid)
    values[cell] = 1
    return values


def by_hand(values, cells):
    """Linear between the centres, by numpy's own interpolation, one axis after the other."""
    for axis in range(values.ndim):
        centres = cells.centres(axis, values.shape[axis])
        values = np.apply_along_axis(lambda row, c=centres, a=axis: np.interp(np.arange(cells.size[a]), c, row), axis, values)
    return values


TENSORFLOW = Cells((31, 31), (32, 32), (224, 224))  # the last map of MobileNetV2, padded as TensorFlow does
PYTORCH = Cells((0, 0), (32, 32), (224, 224))
SEEING = PYTORCH._replace(sights=(Sight(40.0, 245.5), Sight(20.0, 245.5)))


@pytest.mark.parametrize("cells", [TENSORFLOW, PYTORCH, Cells((15, 3), (16, 32), (224, 224))])
def test_a_blob_lands_on_its_pixel(made_source, cells):
    values = blob((7, 6), (4, 2))
    full = heatmap(values, made_source(), cells, Extent(0, 0, 224, 224)).full()
    peak = np.unravel_index(full.argmax(), full.shape)
    assert peak == (cells.first[0] + 4 * cells.stride[0], cells.first[1] + 2 * cells.stride[1])
    ask.close(full, by_hand(values, cells), rel=1e-5)


def test_what_the_border_cuts_off_moves_cells_inside(made_source):
    values = np.random.default_rng(0).normal(size=(7, 7))
    assert SEEING.centres(0, 7)[0] > 20
    full = heatmap(values, made_source(), SEEING, Extent(0, 0, 224, 224)).full()
    ask.close(full, by_hand(values, SEEING), rel=1e-5)
    ask.close(resized(values, (224, 224), SEEING), by_hand(values, SEEING))
    assert spread(values, (224, 224), SEEING).sum() == pytest.approx(values.sum())


def test_a_box_of_the_photo_scales_and_shifts_it(made_source):
    """Cell (1, 1) at pixel 31 of 64 that show 128x192 pixels of the photo from (10, 20) on."""
    photo = Image.new("RGB", (200, 230))
    cells = Cells((15.5, 15.5), (16, 16), (64, 64))
    full = heatmap(blob((3, 3), (1, 1)), made_source(), cells, Extent(10, 20, 138, 212), photo).full()
    rows, columns = ((full / full.sum()).sum(axis) for axis in (1, 0))
    assert rows @ (np.arange(230) + 0.5) == pytest.approx(20 + (31.5 + 0.5) / 64 * 192, abs=1e-3)
    assert columns @ (np.arange(200) + 0.5) == pytest.approx(10 + (31.5 + 0.5) / 64 * 128, abs=1e-3)
    assert not full[:20].any()
    assert not full[:, 138:].any()


def test_beyond_the_outermost_centres_the_outermost_goes_on(made_source):
    full = heatmap([[1, 2], [3, 4]], made_source(), Cells((9, 9), (10, 10), (32, 32))).full()
    assert (full[:10, :10] == 1).all()
    assert (full[19:, 19:] == 4).all()
    assert full[9, 14] == pytest.approx(1.5)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(grid=st.tuples(*[st.integers(1, 9)] * 2), factor=st.tuples(*[st.integers(1, 9)] * 2), seed=st.integers(0, 99))
def test_even_cells_draw_what_plain_draws_bit_for_bit(made_source, grid, factor, seed):
    size = tuple(g * f for g, f in zip(grid, factor, strict=True))
    rng = np.random.default_rng(seed)
    values, box = rng.normal(size=grid), Extent(3.5, 1, 41, 29.25)
    even = Cells(tuple((f - 1) / 2 for f in factor), tuple(map(float, factor)), size)
    assert even == Cells.even(grid, size)
    plain = heatmap(values, made_source(), None, box)
    assert np.array_equal(replace(plain, cells=even).full(), plain.full())
    new = tuple(rng.integers(1, 30, 2))
    assert np.array_equal(resized(values, new, even), resized(values, new))
    assert np.array_equal(spread(values, new, even), spread(values, new))


def test_uneven_shares_of_an_even_spread_are_plain_too(made_source):
    values = np.random.default_rng(0).normal(size=(13, 7))
    plain = heatmap(values, made_source(), None, Extent(0, 0, 100, 90))
    assert np.array_equal(replace(plain, cells=Cells.even((13, 7), (224, 100))).full(), plain.full())


def test_the_picture_of_the_error_lies_there_too(made_source):
    known = heatmap(np.ones((2, 2)), made_source(), Cells((0, 0), (8, 8), (32, 32)), error=[[1, 0], [0, 0]])
    assert known._of_error().full()[:1, :1] == 1
    assert known._of_error().full()[8:].max() == 0


def test_the_cells_are_saved(made_source, tmp_path):
    path = heatmap(np.ones((2, 2)), made_source(), Cells((1, 2), (3, 4), (32, 31))).save(tmp_path / "a.npz")
    with np.load(path) as kept:
        assert kept["cells"].tolist() == [[1, 2], [3, 4], [32, 31]]
    with np.load(heatmap(np.ones((2, 2)), made_source(), SEEING).save(tmp_path / "c.npz")) as kept:
        assert kept["cells"].tolist() == [[0, 0], [32, 32], [224, 224], [40, 20], [245.5, 245.5]]
    with np.load(heatmap(np.ones((2, 2)), made_source()).save(tmp_path / "b.npz")) as kept:
        assert "cells" not in kept


@pytest.mark.parametrize("d", [1, 2, 3])
def test_in_any_number_of_dimensions(d):
    rng = np.random.default_rng(d)
    cells = Cells((1.0, 0.0, 3.5)[:d], (2.0, 4.0, 8.0)[:d], (9, 13, 20)[:d])
    values = rng.normal(size=(4, 3, 2)[:d])
    ask.close(resized(values, cells.size, cells), by_hand(values, cells))


@pytest.mark.parametrize("cells", [TENSORFLOW, PYTORCH, Cells((-70, 280), (32, 32), (224, 224))])
def test_spread_keeps_the_sum_wherever_the_cells_lie(cells):
    values = np.random.default_rng(0).normal(size=(7, 7))
    assert spread(values, (224, 224), cells).sum() == pytest.approx(values.sum())


def test_a_map_brought_onto_other_cells_keeps_its_places():
    """A ramp of pixels, seen by one layer's cells, is a ramp of pixels at another's."""
    here, there = Cells((3,), (8,), (64,)), Cells((7.5,), (4,), (64,))
    ramp = 3 + 8.0 * np.arange(8)
    ask.close(brought(ramp, here, (12,), there)[:-1], 7.5 + 4 * np.arange(11))
    ask.close(brought(ramp, here, (64,), None)[3:60], np.arange(3, 60))


def test_a_map_brought_onto_other_cells_takes_sights_into_account():
    here = Cells((3.0,), (8.0,), (64,), (Sight(9.0, 60.0),))
    there = Cells((7.5,), (4.0,), (64,), (Sight(5.0, 60.0),))
    ramp = here.centres(0, 8)
    ask.close(brought(ramp, here, (12,), there), there.centres(0, 12).clip(ramp[0], ramp[-1]))
    ask.close(brought(ramp, here, (8,), here.uncut), here.uncut.centres(0, 8).clip(ramp[0], ramp[-1]))


def test_fusing_keeps_the_sights_of_the_finest(made_source):
    fine = heatmap(blob((8, 8), (5, 5)), made_source(), Cells((3, 3), (4, 4), (32, 32), (Sight(2.0, 9.0),) * 2), layer="fine")
    coarse = heatmap(blob((4, 4), (2, 2)), made_source(), Cells((7, 7), (8, 8), (32, 32)), layer="coarse")
    assert fuse([coarse, fine])[0].cells == fine.cells
    coarse = replace(coarse, cells=coarse.cells._replace(sights=(Sight(6.0, 20.0),) * 2))
    plain = heatmap(blob((8, 8), (5, 5)), made_source(), layer="plain")
    assert fuse([coarse, plain])[0].cells == Cells.even((8, 8), (32, 32))


def test_fusing_meets_at_the_places_of_the_finest(made_source):
    """A blob at pixel 23, seen by both layers, is one blob."""
    fine = heatmap(blob((8, 8), (5, 5)), made_source(), Cells((3, 3), (4, 4), (32, 32)), layer="fine")
    coarse = heatmap(blob((4, 4), (2, 2)), made_source(), Cells((7, 7), (8, 8), (32, 32)), layer="coarse")
    for maps in ([fine, coarse], [coarse, fine]):
        (fused,) = fuse(maps, "product")
        assert fused.cells == fine.cells
        ask.close(fused.values, blob((8, 8), (5, 5)), rel=1e-6)
        assert np.unravel_index(fused.full().argmax(), (32, 32)) == (23, 23)
    (mean,) = fuse([fine, coarse])
    ask.close(mean.values[5, 3:8], [0, 0.25, 1, 0.25, 0], rel=1e-6)


def test_fusing_with_a_map_that_lies_evenly(made_source):
    plain = heatmap(blob((8, 8), (5, 5)), made_source(), layer="plain")  # at 21.5
    coarse = heatmap(blob((4, 4), (2, 2)), made_source(), Cells((5.5, 5.5), (8, 8), (32, 32)), layer="coarse")
    (fused,) = fuse([coarse, plain], "product")
    assert np.unravel_index(fused.values.argmax(), (8, 8)) == (5, 5)
    assert fused.values.max() == pytest.approx(1)
    assert replace(fused, cells=None).full() == pytest.approx(fused.full())


def test_plain_maps_fuse_to_plain_maps(made_source):
    (fused,) = fuse([heatmap(np.ones((2, 2)), made_source()), heatmap(np.ones((4, 4)), made_source(), layer="b")])
    assert fused.cells is None


def test_it_is_public():
    assert seewhy.Heatmap.__dataclass_fields__["cells"].default is None


# ---- methods made of methods


@pytest.fixture
def placed(monkeypatch):
    """A network of which one layer, 8x8 cells over 32x32 pixels, lies at 4i + 3, also at other sizes."""
    model = seewhy.wrap(
        nn.Sequential(nn.Conv2d(3, 4, 4, stride=4), nn.Softplus(), nn.AdaptiveAvgPool2d(1), nn.Flatten()).double()
    )
    monkeypatch.setattr(model, "cells", lambda _layer, x: (tuple(side // 4 for side in x.shape[2:]), PLACE))
    monkeypatch.setattr(model, "gaze", lambda _layer, _x: None)
    return model


PLACE = Place((4, 4), (3, 3), (4, 4))
LIES = Cells(PLACE.first, PLACE.stride, (32, 32))


def photos(side=32):
    return np.random.default_rng(0).normal(size=(1, 3, side, side))


def test_a_product_draws_the_coarse_map_from_where_it_lies(placed):
    (joined,) = seewhy.guided_grad_cam(_relu(placed), photos(), target=1, layer="0")
    (fine,) = seewhy.guided_backprop(_relu(placed), photos(), target=1)
    (coarse,) = seewhy.grad_cam(_relu(placed), photos(), target=1, layer="0")
    ask.close(joined.channels, fine.channels * by_hand(coarse.values.astype(float), LIES), rel=1e-5)


def test_flipped_and_scaled_maps_come_back_to_their_places(placed):
    """By hand: mirrored pixels, then linear between the centres, at those of the map itself."""
    (m,) = lookup("augment(grad-cam)")(placed, photos(), target=1, layer="0", scales=(1,), signed=True)
    (one,) = seewhy.grad_cam(placed, photos(), target=1, layer="0", signed=True)
    (other,) = seewhy.grad_cam(placed, photos()[..., ::-1].copy(), target=1, layer="0", signed=True)
    centres = 3 + 4 * np.arange(8)
    back = np.stack([np.interp(centres, 31 - centres[::-1], row[::-1]) for row in other.values])
    ask.close(m.values, (one.values + back) / 2, rel=1e-5)


def test_flipped_maps_come_back_to_where_cells_see(placed, monkeypatch):
    """The mirrored map is read between its own centres, at those of the map itself."""
    monkeypatch.setattr(placed, "gaze", lambda _layer, _x: Gaze((3, 3), (Sight(3.0, 9.0),) * 2))
    (m,) = lookup("augment(grad-cam)")(placed, photos(), target=1, layer="0", scales=(1,), signed=True)
    (one,) = seewhy.grad_cam(placed, photos(), target=1, layer="0", signed=True)
    (other,) = seewhy.grad_cam(placed, photos()[..., ::-1].copy(), target=1, layer="0", signed=True)
    centres = one.cells.centres(1, 8)
    assert centres[0] > 3.5
    back = np.stack([np.interp(centres, 31 - centres[::-1], row[::-1]) for row in other.values])
    ask.close(m.values, (one.values + back) / 2, rel=1e-5)


def test_larger_images_have_their_own_places(placed):
    (m,) = lookup("augment(grad-cam)")(placed, photos(), target=1, layer="0", scales=(2,), flips=False, signed=True)
    large = resized(photos(), (64, 64))
    (one,) = seewhy.grad_cam(placed, large, target=1, layer="0", signed=True)
    centres, even = (3 + 0.5 + 4 * np.arange(16)) / 2 - 0.5, 2 * np.arange(16) + 0.5
    rows = np.stack([np.interp(even, centres, row) for row in one.values])
    ask.close(m.values, np.stack([np.interp(even, centres, column) for column in rows.T], 1), rel=1e-5)
    assert m.values.shape == (16, 16)


def _relu(model):
    """The same network with ReLUs, for guided backprop."""
    model.network[1] = nn.ReLU()
    return model
