"""What is planted: what it looks like, pixel by pixel, and that nothing else of a photo changes."""

import numpy as np
import pytest

from seewhy.images.places import Extent
from seewhy.metrics.planted.marks import CASTS, COLOURS, PLANTINGS, covered, mark, marked, patched
from seewhy.metrics.planted.spots import Spot

PIXELS = np.random.default_rng(0).integers(0, 256, (40, 64, 3), dtype=np.uint8)
SPOT = Spot(10, 5, 30, 25)


def test_checks_by_hand():
    blue, yellow = COLOURS[1]
    assert mark(1, 4).tolist() == [[[*(blue, yellow)[(x + y) % 2]] for x in range(4)] for y in range(4)]


def test_rings_by_hand():
    red, white = COLOURS[0]
    drawn = mark(0, 16)
    for y, x in ((0, 0), (8, 8), (8, 15), (3, 12)):
        radius = np.hypot((x + 0.5) / 16 - 0.5, (y + 0.5) / 16 - 0.5) * 8
        assert drawn[y, x].tolist() == [*(red, white)[int(radius) % 2]]


@pytest.mark.parametrize("what", [*PLANTINGS])
@pytest.mark.parametrize("kind", [0, 1])
def test_a_photo_changes_where_something_is_planted_alone(what, kind):
    planting, before = PLANTINGS[what], PIXELS.copy()
    spot = planting.spot(Extent(12, 0, 52, 40), np.random.default_rng(3), (20, 10, 40, 30))
    found, where = planting.painted(PIXELS, kind, spot), spot.marked(PIXELS)
    assert np.array_equal(PIXELS, before)
    assert np.array_equal(found[~where], PIXELS[~where])
    assert (found[where] != PIXELS[where]).any(-1).mean() > 0.9
    assert not np.array_equal(found, planting.painted(PIXELS, 1 - kind, spot))


def test_a_mark_lies_in_its_box():
    assert np.array_equal(marked(PIXELS, 0, SPOT)[5:25, 10:30], mark(0, 20))


def test_patches_by_hand():
    """Ten stripes of two pixels: 0.6 of the way from the mean colour to white, and to black."""
    mean = PIXELS[5:25, 10:30].astype(float).mean((0, 1))
    light, dark = np.round(mean + 0.6 * (255 - mean)), np.round(0.4 * mean)
    level, upright = (patched(PIXELS, kind, SPOT)[5:25, 10:30] for kind in (0, 1))
    for i in range(20):
        want = dark if i // 2 % 2 else light
        assert (level[i] == want).all()
        assert (upright[:, i] == want).all()


def test_backgrounds_by_hand():
    """Under 32 stripes of two pixels along the 64 of the longer side, 0.7 of what is there: the colour, or 0.4 of it."""
    around = SPOT._replace(around=True)
    for kind, pixel in ((0, (0, 0)), (0, (2, 50)), (0, (3, 1)), (1, (30, 0)), (1, (30, 2)), (1, (2, 63))):
        cast = np.array(CASTS[kind]) * (1.0 if pixel[kind] // 2 % 2 else 0.4)
        assert covered(PIXELS, kind, around)[pixel].tolist() == np.round(0.3 * PIXELS[pixel] + 0.7 * cast).tolist()
