"""Marks: where they lie, what they look like, and that nothing else of a photo changes."""

import numpy as np
import pytest

from seewhy.errors import NotApplicable
from seewhy.images.places import Extent, Grid
from seewhy.metrics.planted.marks import COLOURS, Square, mark, pasted, place


def test_checks_by_hand():
    blue, yellow = COLOURS[1]
    assert mark(1, 4).tolist() == [[[*(blue, yellow)[(x + y) % 2]] for x in range(4)] for y in range(4)]


def test_rings_by_hand():
    red, white = COLOURS[0]
    drawn = mark(0, 16)
    for y, x in ((0, 0), (8, 8), (8, 15), (3, 12)):
        radius = np.hypot((x + 0.5) / 16 - 0.5, (y + 0.5) / 16 - 0.5) * 8
        assert drawn[y, x].tolist() == [*(red, white)[int(radius) % 2]]


def test_a_photo_changes_where_the_mark_lies_alone():
    pixels = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    before, at = pixels.copy(), Square(10, 5, 12)
    found = pasted(pixels, 0, at)
    assert np.array_equal(pixels, before)
    assert np.array_equal(found[5:17, 10:22], mark(0, 12))
    found[5:17, 10:22] = pixels[5:17, 10:22]
    assert np.array_equal(found, pixels)
    assert at.box == (10, 5, 22, 17)


def test_places_are_within_what_the_network_sees_and_reach_its_edges():
    rng, seen = np.random.default_rng(0), Extent(10.5, 4, 50.5, 44)
    found = [place(seen, rng) for _ in range(400)]
    assert {at.side for at in found} == {round(0.3 * 39)}
    for axis, (first, last) in ((0, (11, 50)), (1, (4, 44))):
        assert min(at[axis] for at in found) == first
        assert max(at[axis] + at.side for at in found) == last


def test_what_takes_no_marks_is_refused():
    with pytest.raises(NotApplicable, match="too few"):
        place(Extent(0, 0, 12, 200), np.random.default_rng(0))
    with pytest.raises(NotApplicable, match="upright"):
        place(Grid((0, 1), (0, 0), (1, 1), (8, 8), (8, 8)), np.random.default_rng(0))
