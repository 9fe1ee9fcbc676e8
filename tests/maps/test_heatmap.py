"""A map on its way back to the photo: every value lands where it was found."""

import pickle
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import seewhy
from seewhy import grad_cam
from seewhy.errors import NotApplicable
from support.ask import close

SHAPES = [(7, 7), (3, 5), (1, 4), (4, 1), (1, 1), (12, 9)]


def drawn(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def slowly(values: np.ndarray, box, size) -> np.ndarray:
    """One pixel after the other: mix the four nearest cells; cell centres lie at half steps, edges are continued."""
    (rows, columns), (width, height) = values.shape, size
    left, top, right, bottom = box
    full = np.zeros((height, width))
    for y in range(height):
        for x in range(width):
            u, v = (x + 0.5 - left) / (right - left), (y + 0.5 - top) / (bottom - top)
            if not (0 <= u <= 1 and 0 <= v <= 1):
                continue
            i, j = min(max(v * rows - 0.5, 0), rows - 1), min(max(u * columns - 0.5, 0), columns - 1)
            i0, j0 = int(i), int(j)
            i1, j1 = min(i0 + 1, rows - 1), min(j0 + 1, columns - 1)
            upper = values[i0, j0] * (1 - (j - j0)) + values[i0, j1] * (j - j0)
            lower = values[i1, j0] * (1 - (j - j0)) + values[i1, j1] * (j - j0)
            full[y, x] = upper * (1 - (i - i0)) + lower * (i - i0)
    return full


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("size", [(40, 30), (31, 44), (8, 8), (5, 3)])
def test_full_over_the_whole_image_is_torchs_bilinear(made_heatmap, shape, size):
    values = drawn(*shape)
    theirs = torch.nn.functional.interpolate(
        torch.from_numpy(values)[None, None], (size[1], size[0]), mode="bilinear", align_corners=False
    )[0, 0].numpy()
    full = made_heatmap(values, size).full()
    assert full.dtype == np.float32
    np.testing.assert_allclose(full, theirs, atol=1e-5)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(
    "box",
    [
        (0, 0, 40, 30),
        (5, 0, 35, 30),
        (4.25, 2.5, 36.75, 28.1),
        (-6, -3, 50, 33),
        (40, 0, 0, 30),
        (35.5, 30, 4, 1.5),
        (10, 10, 12, 11),
    ],
)
def test_full_is_the_plain_loop(made_heatmap, shape, box):
    values = drawn(*shape, seed=1)
    np.testing.assert_allclose(made_heatmap(values, (40, 30), box).full(), slowly(values, box, (40, 30)), atol=2e-5)


@settings(max_examples=40, deadline=None)
@given(st.tuples(st.integers(1, 6), st.integers(1, 6)), st.tuples(st.integers(1, 25), st.integers(1, 25)),
       st.tuples(*[st.floats(-5, 12)] * 2), st.tuples(*[st.floats(14, 30)] * 2))  # fmt: skip
def test_full_keeps_within_the_values_and_the_box(shape, size, first, last):
    values = np.abs(drawn(*shape)) + 1
    source = seewhy.Extent(*first, *last)
    full = seewhy.pictures.stretching.stretch(values, source, size)
    assert full.shape == size[::-1]
    x, y = np.arange(size[0]) + 0.5, np.arange(size[1]) + 0.5
    inside = np.outer((y >= first[1]) & (y <= last[1]), (x >= first[0]) & (x <= last[0]))
    assert not full[~inside].any()
    assert ((full[inside] >= values.min() - 1e-4) & (full[inside] <= values.max() + 1e-4)).all()


def test_outside_the_box_is_zero_even_where_all_values_are_negative(made_heatmap):
    full = made_heatmap(-np.ones((3, 3)), (20, 10), (5, 0, 15, 10)).full()
    assert (full[:, 5:15] == -1).all()
    assert not full[:, :5].any()
    assert not full[:, 15:].any()


@pytest.mark.parametrize(("row", "column"), [(0, 0), (0, 6), (4, 0), (4, 6), (2, 1)])
def test_a_hot_cell_lands_in_its_place(made_heatmap, row, column):
    values = np.zeros((5, 7))
    values[row, column] = 1
    full = made_heatmap(values, (70, 100), (7, 20, 63, 80)).full()
    y, x = np.argwhere(full == full.max()).mean(0) + 0.5
    assert 7 + column * 8 <= x <= 7 + (column + 1) * 8
    assert 20 + row * 12 <= y <= 20 + (row + 1) * 12


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(("size", "x", "y"), [((160, 96), 50, 20), ((96, 160), 70, 120), ((90, 90), 60, 30)])
def test_a_red_dot_is_found_where_a_person_sees_it(tmp_path, red_model, red_dot, orientation, size, x, y):
    turn = {2: "FLIP_LEFT_RIGHT", 3: "ROTATE_180", 4: "FLIP_TOP_BOTTOM", 5: "TRANSPOSE", 6: "ROTATE_90", 7: "TRANSVERSE",
            8: "ROTATE_270"}  # fmt: skip
    seen, exif = red_dot(size, x, y), Image.Exif()
    exif[0x0112] = orientation
    kept = seen.transpose(Image.Transpose[turn[orientation]]) if orientation > 1 else seen
    kept.save(tmp_path / "phone.png", exif=exif)
    (heatmap,) = grad_cam(red_model, tmp_path / "phone.png", target="red")
    full = heatmap.full()
    assert heatmap.size == size
    assert full.shape == size[::-1]
    at = (full.sum(0) @ np.arange(size[0]), full.sum(1) @ np.arange(size[1])) / full.sum()
    assert abs(at - (x - 0.5, y - 0.5)).max() < 2
    hot = np.asarray(heatmap.overlay(alpha=1, colours="jet"))[y, x]
    assert hot[0] > 100
    assert hot[2] == 0


def test_a_dot_outside_the_crop_is_not_seen(red_model, red_dot):
    (heatmap,) = grad_cam(red_model, red_dot((300, 100), 20, 50), target="red")
    assert tuple(heatmap.box) == (100, 0, 200, 100)
    assert not heatmap.full().any()
    assert heatmap.warnings


def test_unit_spans_zero_to_one_and_keeps_the_order(made_heatmap):
    values = drawn(4, 6)
    unit = made_heatmap(values).unit()
    assert (unit.min(), unit.max(), unit.dtype) == (0, 1, np.float32)
    np.testing.assert_allclose(unit * np.ptp(values) + values.min(), values, atol=1e-6)


@pytest.mark.parametrize("value", [0, 3.5, -2])
def test_a_flat_map_is_zeros_in_unit_and_itself_in_full(made_heatmap, value):
    flat = made_heatmap(np.full((3, 4), value))
    assert not flat.unit().any()
    np.testing.assert_allclose(flat.full(), value, atol=1e-6)
    assert flat.overlay(legend=True).width == 220


def test_a_volume_can_be_read_but_not_drawn(made_heatmap):
    volume = made_heatmap(drawn(3, 4, 5))
    for draw in (volume.full, volume.overlay):
        with pytest.raises(NotApplicable, match=r"\(3, 4, 5\)"):
            draw()


def test_a_prepared_array_is_drawn_at_its_own_size(red_model):
    x = np.zeros((1, 3, 32, 64), np.float32)
    x[0, 0, 8:12, 40:44] = 1
    (heatmap,) = grad_cam(red_model, x, target=0)
    assert heatmap.size == (64, 32)
    assert heatmap.full()[10, 42] == pytest.approx(heatmap.values.max(), rel=0.3)
    assert heatmap.overlay().size == (64, 32)


def test_a_heatmap_its_source_and_its_method_travel_to_a_worker(red_model, red_dot):
    (heatmap,) = grad_cam(red_model, red_dot((90, 64), 20, 30), target="red", signed=True)
    there = pickle.loads(pickle.dumps(heatmap))
    assert there.source == heatmap.source
    assert np.array_equal(there.full(), heatmap.full())
    assert there.overlay().tobytes() == heatmap.overlay().tobytes()
    method = pickle.loads(pickle.dumps(grad_cam.using(signed=True)))
    assert method == grad_cam.using(signed=True)
    close(method(red_model, red_dot((90, 64), 20, 30), target="red")[0].values, heatmap.values, rel=1e-5)


def test_pictures_for_papers_have_more_pixels(made_heatmap, noise):
    heatmap = made_heatmap([[0, 1], [2, 0]], photo=noise((40, 30)))
    assert heatmap.overlay(magnify=2).size == (80, 60)
    assert heatmap.overlay(magnify=1).tobytes() == heatmap.overlay().tobytes()
    by_hand = replace(heatmap, image=heatmap.image.resize((80, 60), Image.Resampling.LANCZOS), box=seewhy.Extent(0, 0, 80, 60))
    assert heatmap.overlay(magnify=2).tobytes() == by_hand.overlay().tobytes()
    pixels = replace(heatmap, channels=np.random.default_rng(0).normal(size=(3, 5, 7)).astype(np.float32))
    small, large = (np.asarray(pixels.picture("colour", magnify=times)) for times in (1, 3))
    assert np.array_equal(large, small.repeat(3, 0).repeat(3, 1)), "each pixel a square"
    once, twice = (heatmap.overlay(magnify=times, legend=True) for times in (1, 2))
    assert (twice.width, twice.height) == (2 * once.width, 2 * once.height)
