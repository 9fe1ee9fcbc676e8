"""Photos as bytes of a file."""

import numpy as np

from seewhy.models.zoo.service.photos import as_file
from support.services import photo, pixels_of


def test_a_png_has_the_very_pixels_and_a_jpeg_has_not():
    x = photo()
    np.testing.assert_array_equal(pixels_of(as_file(x, "png", 90)), x)
    better, worse = (abs(pixels_of(as_file(x, "jpeg", q)).astype(int) - x).mean() for q in (95, 20))
    assert 0 < better < worse
    assert as_file(x, "png", 90)[:4] == b"\x89PNG"
    assert as_file(x, "jpeg", 90)[:2] == b"\xff\xd8"
