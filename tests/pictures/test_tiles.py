"""Tiles: tiny pictures of maps that a page stretches over photos."""

import io

import numpy as np
import pytest
from PIL import Image

from seewhy.images.places import Cells
from seewhy.pictures.tiles import ABOVE, APART, BELOW, FINE, LEVELS, OPAQUE, SIDE, levels, tile


def pixels(picture):
    with Image.open(io.BytesIO(picture.content)) as image:
        return np.asarray(image.convert("RGBA"), int)


def test_a_tile_takes_a_few_hundred_bytes():
    rng = np.random.default_rng(0)
    assert len(tile(rng.random((7, 7), np.float32), None, 1).content) < 330
    assert len(tile(rng.random((32, 32), np.float32), None, 1).content) < 700


def test_nothing_is_clear_and_the_strongest_is_as_opaque_as_it_gets():
    found = pixels(tile(np.array([[0, 0], [0, 2.0]], np.float32), None, 2))
    assert found.shape == (SIDE, SIDE, 4)
    assert found[0, 0, 3] == 0
    assert found[-1, -1, 3] == round(255 * OPAQUE)
    assert found[-1, -1, :3].tolist() == [252, 255, 164]  # the last colour of inferno
    assert (np.diff(found[-1, :, 3]) >= 0).all()


def test_a_scale_of_more_than_the_map_leaves_it_pale():
    strong, pale = (pixels(tile(np.full((2, 2), 1, np.float32), None, scale)) for scale in (1, 4))
    assert pale[0, 0, 3] < strong[0, 0, 3]


def test_signed_maps_are_blue_below_and_red_above():
    found = pixels(tile(np.array([[-1, 0, 1]], np.float32), None, 1, signed=True))
    assert found[0, 0].tolist() == [*BELOW, round(255 * APART)]
    assert found[0, -1].tolist() == [*ABOVE, round(255 * APART)]
    assert found[0, SIDE // 2, 3] < 40


def test_cells_lie_where_they_are():
    values = np.zeros((4, 4), np.float32)
    values[0, 0] = 1
    usual = pixels(tile(values, None, 1))[..., 3]
    shifted = pixels(tile(values, Cells((60, 60), (8, 8), (64, 64)), 1))[..., 3]
    assert usual[0, 0] > 0
    assert usual[-1, -1] == 0
    assert shifted[-1, -1] > usual[-1, -1]  # whose first cell lies at the other end


def test_finer_maps_have_finer_tiles():
    assert tile(np.zeros((20, 3), np.float32), None, 1).size == (FINE, FINE)


@pytest.mark.parametrize(("value", "signed", "level"), [
    (0, False, 0), (1, False, LEVELS - 1), (9, False, LEVELS - 1), (-1, False, 0), (0, True, LEVELS // 2), (-9, True, 0),
])  # fmt: skip
def test_levels_go_from_end_to_end(value, signed, level):
    assert levels(np.array([value]), 1, signed).tolist() == [level]
    assert levels(np.array([value]), 0, signed).tolist() == [LEVELS // 2 if signed else 0]
