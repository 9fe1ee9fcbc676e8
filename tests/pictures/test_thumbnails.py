"""Small pictures as the bytes of a file."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from seewhy.pictures.thumbnails import Thumbnail, within


def noise(width: int, height: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8))


@pytest.mark.parametrize(("size", "expected"), [((400, 100), (100, 25)), ((30, 300), (10, 100)), ((5000, 1), (100, 1))])
def test_the_longer_side_is_as_asked(size, expected):
    assert within(size, 100) == expected
    thumbnail = Thumbnail.of(noise(*size), 100)
    assert thumbnail.size == thumbnail.picture.size == expected


def test_a_png_is_exact_and_a_small_picture_stays_as_it_is():
    picture = noise(40, 30)
    assert Thumbnail.of(picture, 100, "png").picture.tobytes() == picture.tobytes()


def test_a_jpeg_is_near_and_small():
    smooth = Image.linear_gradient("L").convert("RGB")
    thumbnail = Thumbnail.of(smooth, 200)
    exact = np.asarray(smooth.resize((200, 200), Image.Resampling.BOX)).astype(int)
    assert abs(np.asarray(thumbnail.picture).astype(int) - exact).max() < 8
    assert len(thumbnail.content) < 200 * 200 * 3 / 20


def test_its_address_is_the_picture_itself():
    thumbnail = Thumbnail.of(noise(8, 8), 8, "png")
    head, _, content = thumbnail.address.partition(",")
    assert head == "data:image/png;base64"
    assert Image.open(io.BytesIO(base64.b64decode(content))).size == (8, 8)
