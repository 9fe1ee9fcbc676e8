"""Facts of files and rims."""

import io

import numpy as np
import pytest
from PIL import Image

from seewhy.dataset.auditing.facts import (
    BACKGROUND,
    FILE,
    RIM,
    VIEW,
    file_facts,
    luma_of,
    on_rim,
    rim_facts,
    table_of,
    view_of,
    words_of_fact,
)


def test_the_facts_of_a_file_are_those_of_pillow():
    buffer = io.BytesIO()
    Image.new("RGB", (60, 30), "red").save(buffer, "JPEG", quality=71)
    opened = Image.open(io.BytesIO(buffer.getvalue()))
    found = file_facts(*opened.size, len(buffer.getvalue()), opened.format, opened.quantization)
    assert (found["width"], found["height"]) == (60, 30)
    assert (found["aspect"], found["size"], found["format"]) == (2.0, "60 x 30", "JPEG")
    assert found["file_bytes"] == len(buffer.getvalue())
    assert found["bytes_per_pixel"] == pytest.approx(len(buffer.getvalue()) / 1800)
    assert found["jpeg_quality"] == 71
    assert np.isnan(file_facts(4, 4, 10, "PNG", {})["jpeg_quality"])
    assert file_facts(4, 4, 10, None, {})["format"] == "unknown"


def test_the_rim_is_as_wide_as_it_says():
    width = round(RIM * VIEW)
    assert on_rim().sum() == VIEW**2 - (VIEW - 2 * width) ** 2


def test_the_rim_of_one_colour_has_no_texture_and_what_lies_inside_does_not_count():
    view = np.full((VIEW, VIEW, 3), (200, 100, 100), np.uint8)
    view[20:40, 20:40] = np.random.default_rng(0).integers(0, 256, (20, 20, 3))
    found = rim_facts(view)
    assert found["rim_texture"] == 0
    assert found["rim_one_way"] == 0
    assert found["rim_saturation"] == pytest.approx(0.5)
    assert found["rim_brightness"] == pytest.approx((0.299 * 200 + 0.701 * 100) / 255)


def test_stripes_run_one_way_and_noise_does_not():
    across = np.arange(VIEW) % 8 < 4
    stripes = np.repeat(np.where(across, 255, 0).astype(np.uint8)[None, :, None], VIEW, 0).repeat(3, 2)
    assert rim_facts(stripes)["rim_one_way"] == pytest.approx(1)
    assert rim_facts(stripes.transpose(1, 0, 2))["rim_one_way"] == pytest.approx(1)
    noise = np.random.default_rng(0).integers(0, 256, (VIEW, VIEW, 3)).astype(np.uint8)
    assert rim_facts(noise)["rim_one_way"] < 0.1
    assert rim_facts(noise)["rim_texture"] > 0.1


def test_a_view_is_the_photo_made_small_by_means():
    pixels = np.random.default_rng(0).integers(0, 256, (2 * VIEW, 2 * VIEW, 3)).astype(np.uint8)
    means = pixels.reshape(VIEW, 2, VIEW, 2, 3).mean((1, 3))
    assert abs(view_of(Image.fromarray(pixels)) - means).max() <= 1
    grey = np.full((4, 4, 3), 128, np.uint8)
    assert luma_of(grey) == pytest.approx(np.full((4, 4), 128 / 255))


def test_the_table_has_what_differs_and_sizes_and_formats_that_several_have():
    rim = dict.fromkeys(BACKGROUND, 0.5)
    sizes = [(10, 20)] * 3 + [(20, 20)] * 2 + [(7, 20)]
    table = table_of([file_facts(w, h, 100 + w, "PNG", {}) | rim for w, h in sizes])
    assert {"width", "aspect", "file_bytes", "bytes_per_pixel", "size 10 x 20", "size 20 x 20"} == {*table}
    assert table["width"].tolist() == [10, 10, 10, 20, 20, 7]
    assert table["size 20 x 20"].tolist() == [0, 0, 0, 1, 1, 0]
    assert "height" not in table  # the same on all
    mixed = table_of([file_facts(4, 4, 9, form, {}) | rim for form in ("PNG", "PNG", "JPEG", "JPEG")])
    assert mixed["format JPEG"].tolist() == [0, 0, 1, 1]


def test_facts_have_words():
    assert words_of_fact("jpeg_quality") == "JPEG quality"
    assert words_of_fact("size 3 x 4") == "size 3 x 4"
    assert {words_of_fact(name) for name in (*FILE, *BACKGROUND)} == {*FILE.values(), *BACKGROUND.values()}
