"""How a photo looks, in numbers."""

import io
from colorsys import rgb_to_hsv

import numpy as np
import pytest
from PIL import Image

from seewhy.dataset.schema import PHOTO
from seewhy.photo_sets.photo_facts import SIDE, jpeg_quality, photo_facts


def test_numbers_of_a_photo_are_those_that_their_definitions_give(noise):
    photo = noise((23, 17))
    pixels = np.asarray(photo).astype(float)
    luma = np.asarray(photo.convert("L")).astype(float) / 255
    facts = photo_facts(photo, {})
    beside = [(-1, 0), (1, 0), (0, -1), (0, 1)]
    laplacian = [sum(luma[y + j, x + i] - luma[y, x] for j, i in beside) for y in range(1, 16) for x in range(1, 22)]
    saturations = [rgb_to_hsv(*pixel)[1] for pixel in pixels.reshape(-1, 3)]
    assert facts["brightness"] == pytest.approx(luma.mean())
    assert facts["contrast"] == pytest.approx(2 * np.sqrt(((luma - luma.mean()) ** 2).mean()), rel=1e-5)
    assert facts["sharpness"] == pytest.approx(np.std(laplacian) / 4, rel=1e-4)
    assert facts["saturation"] == pytest.approx(np.mean(saturations), rel=1e-5)
    assert facts["jpeg_quality"] is None


def test_numbers_lie_between_none_and_all_there_can_be():
    black, white = Image.new("RGB", (8, 8)), Image.new("RGB", (8, 8), "white")
    board = np.kron(np.indices((4, 4)).sum(0) % 2, np.ones((1, 1))) * 255
    checked = Image.fromarray(np.repeat(board[..., None], 3, 2).astype(np.uint8))
    assert photo_facts(black, {}) == dict.fromkeys(PHOTO, 0.0) | {"jpeg_quality": None}
    assert photo_facts(white, {})["brightness"] == 1
    assert photo_facts(checked, {})["contrast"] == pytest.approx(1)
    assert photo_facts(checked, {})["sharpness"] == pytest.approx(1)
    assert photo_facts(Image.new("RGB", (4, 4), (0, 0, 9)), {})["saturation"] == 1
    assert photo_facts(Image.new("RGB", (2, 9), (0, 0, 9)), {})["sharpness"] == 0


def test_a_large_photo_is_measured_by_its_means_over_blocks():
    rows = np.zeros((SIDE + 2, 4, 3), np.uint8)
    rows[::2] = 200
    facts = photo_facts(Image.fromarray(rows), {})
    assert facts["brightness"] == pytest.approx(100 / 255, abs=1e-3)
    assert facts["contrast"] < 1e-6


@pytest.mark.parametrize("quality", [1, 10, 35, 50, 75, 76, 90, 95, 100])
def test_the_quality_of_a_jpeg_is_that_it_was_written_with(noise, quality):
    file = io.BytesIO()
    noise((16, 16)).save(file, "JPEG", quality=quality)
    photo = Image.open(file)
    assert photo_facts(noise((16, 16)), photo.quantization)["jpeg_quality"] == quality  # type: ignore[attr-defined]


def test_of_a_table_of_another_maker_the_nearest_quality_is_told():
    assert jpeg_quality([1] * 64) == 100
    assert jpeg_quality([255] * 64) == 1
