"""What is given to a network is recognised as the part of the photo that it shows, and as no other."""

import numpy as np
import pytest
from PIL import Image, ImageOps

from seewhy.images.places import Extent, Turned
from seewhy.prepare.agreement import agreement

SIZE = (200, 120)
WHOLE = Extent(0, 0, *SIZE)
PARTS = {
    "whole": WHOLE,
    "cropped": Extent(30, 10, 150, 90),
    "mirrored": Extent(200, 0, 0, 120),
    "upside down": Extent(0, 120, 200, 0),
    "padded": Extent(-40, -10, 240, 130),
    "turned": Turned(WHOLE),
    "turned, mirrored, cropped": Turned(Extent(150, 10, 30, 90)),
}


def shown(photo: Image.Image, part: Extent | Turned, size=(64, 48)) -> np.ndarray:
    """The part of the photo as a network is given it, black beyond the photo."""
    around = Extent(*(edge + 50 for edge in (part.extent if isinstance(part, Turned) else part)))
    around = Turned(around) if isinstance(part, Turned) else around
    seen = around.cut(ImageOps.expand(photo, 50)).resize(size, Image.Resampling.BILINEAR)
    return np.asarray(seen, np.float32).transpose(2, 0, 1) / 255


@pytest.mark.parametrize("name", PARTS)
def test_it_is_like_the_part_that_it_shows_and_like_no_other(noise, name):
    x = shown(noise(SIZE), PARTS[name])
    assert agreement(x, noise(SIZE), PARTS[name]) > 0.97
    for other, part in PARTS.items():
        if other != name:
            assert agreement(x, noise(SIZE), part) < 0.9, other


def test_what_is_mirrored_or_turned_in_another_way_is_not_like_it_at_all(noise):
    for name in ("mirrored", "upside down", "turned"):
        assert agreement(shown(noise(SIZE), PARTS[name]), noise(SIZE), WHOLE) == 0


@pytest.mark.parametrize(
    "change",
    [
        lambda x: (x - x.mean()) / x.std(),
        lambda x: 1 - x,
        lambda x: x[::-1],
        lambda x: x[:1],
        lambda x: x.mean(0, keepdims=True),
        lambda x: x * [[[0.2]], [[0.5]], [[0.3]]],
        lambda x: (x * 255).round().astype(np.float16),
    ],
)
def test_colours_do_not_matter(noise, change):
    assert agreement(change(shown(noise(SIZE), WHOLE)), noise(SIZE), WHOLE) > 0.97


@pytest.mark.parametrize("size", [(1, 1), (5, 3), (16, 16), (17, 9), (400, 300)])
def test_any_size_can_be_compared(noise, size):
    assert agreement(shown(noise(SIZE), WHOLE, size), noise(SIZE), WHOLE) > 0.9


def test_where_nothing_can_be_compared_nothing_is_said(noise):
    x = shown(noise(SIZE), WHOLE)
    assert agreement(x, Image.new("RGB", SIZE, "red"), WHOLE) == 1
    assert agreement(x * 0, noise(SIZE), WHOLE) == 1
    assert agreement(x, noise(SIZE), Extent(195, 0, 395, 120)) == 1  # a fortieth of what the network sees
    assert agreement(x, noise(SIZE), Extent(300, 0, 500, 120)) == 1
