"""Large images: a part of one is the very pixels that lie there, whatever the image is kept in."""

import numpy as np
import pytest
from PIL import Image

from seewhy.explaining.tiles import large_image
from seewhy.explaining.tiles.large_image import Decoded, PixelArray, PreparedArray
from seewhy.images.inputs import PreparedBatch
from seewhy.images.photo import read
from seewhy.images.places import Extent, Grid

PHOTO = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
PREPARED = np.random.default_rng(0).normal(size=(2, 6, 8, 10)).astype(np.float32)


@pytest.mark.parametrize("made", [lambda: Decoded(read(Image.fromarray(PHOTO))), lambda: PixelArray(PHOTO, "photo")])
def test_a_part_of_a_photo_is_what_lies_there(made):
    image = made()
    assert image.space == (20, 30)
    assert image.is_photo
    part = image.part((4, 7), (10, 12))
    np.testing.assert_array_equal(np.asarray(part.pixels), PHOTO[4:14, 7:19])
    np.testing.assert_array_equal(np.asarray(image.picture()), PHOTO)
    assert image.together([part, part]) == [part, part]


def test_a_part_of_one_colour_is_no_reason_to_warn():
    pixels = PHOTO.copy()
    pixels[:10, :10] = 7
    assert PixelArray(pixels, "photo").part((0, 0), (10, 10)).notes == ()


def test_an_array_too_large_to_show_has_no_picture(monkeypatch):
    monkeypatch.setattr(large_image, "MOST_PIXELS", 20 * 30)
    assert PixelArray(PHOTO, "photo").picture() is not None
    monkeypatch.setattr(large_image, "MOST_PIXELS", 20 * 30 - 1)
    assert PixelArray(PHOTO, "photo").picture() is None


def test_parts_of_a_prepared_array_are_stacked():
    image = PreparedArray(PREPARED, "scan")
    assert image.space == (6, 8, 10)
    assert not image.is_photo
    parts = [image.part((0, 2, 4), (3, 4, 5)), image.part((3, 4, 5), (3, 4, 5))]
    together = image.together(parts)
    assert isinstance(together, PreparedBatch)
    np.testing.assert_array_equal(together.x, [PREPARED[:, :3, 2:6, 4:9], PREPARED[:, 3:, 4:, 5:]])
    assert image.picture() is None


def test_where_the_network_looked_is_told_in_pixels():
    spans = [(2.0, 18.0), (5.0, 25.0)]
    assert Decoded(read(Image.fromarray(PHOTO))).box(spans) == Extent(5, 2, 25, 18)  # left, top, right, bottom
    assert PreparedArray(PREPARED[:, 0], "flat").box(spans) == Extent(5, 2, 25, 18)
    assert PreparedArray(PREPARED, "scan").box([(0.0, 6.0), (0.0, 8.0), (0.0, 10.0)]) == Grid.whole((6, 8, 10))
