"""The things a scene can show: shapes by hand, and specimens that fill their frame and differ."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw

from seewhy.demo.kinds import KINDS, arc, box, parts, polygon, ring, smooth, stroke


def area(corners: np.ndarray) -> float:
    """Of a polygon (k, 2), by Gauss's formula."""
    x, y = corners.T
    return abs(float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1)))) / 2


def test_areas_by_hand():
    assert area(polygon((0, 0), (2, 0), (0, 2))) == pytest.approx(2)
    assert area(box(-1, -0.5, 2, 1)) == pytest.approx(4.5)
    assert area(arc(3, -1, 2, 1, steps=2000)) == pytest.approx(2 * np.pi, rel=1e-4)
    assert area(ring(0, 0, 1, 0.5)) == pytest.approx(np.pi * 0.75, rel=0.01)
    assert area(ring(0, 0, 1, 0.5, 0, 90)) == pytest.approx(np.pi * 0.75 / 4, rel=0.01)
    assert area(stroke(polygon((0, 0), (1, 0), (3, 0)), 0.4)) == pytest.approx(1.2)


def test_an_arc_begins_and_ends_at_its_angles_and_runs_clockwise_on_the_screen():
    points = arc(1, 1, 2, 1, 0, 90, 3)
    np.testing.assert_allclose(points[[0, 2]], [[3, 1], [1, 2]], atol=1e-12)
    assert points[1, 1] > 1  # downwards


def test_a_smooth_curve_runs_through_its_corners():
    corners = [(0.0, 0.0), (2.0, 0.0), (2.0, 1.0), (0.0, 3.0)]
    curve = smooth(corners, 8)
    assert curve.shape == (32, 2)
    np.testing.assert_allclose(curve[::8], corners, atol=1e-12)
    straight = smooth([(0, 0), (1, 0), (2, 0), (3, 0)], 4)
    np.testing.assert_allclose(straight[:, 1], 0, atol=1e-12)


def cover(kind: str, seed: int, side: int = 64) -> np.ndarray:
    """Where a specimen lies, bool (h, w)."""
    image = Image.new("1", (side, side))
    pen = ImageDraw.Draw(image)
    for part in parts(kind, np.random.default_rng(seed)):
        pen.polygon([tuple(corner) for corner in (part.corners + 1) * side / 2], fill=1)
    return np.asarray(image)


@pytest.mark.parametrize("kind", KINDS)
def test_a_specimen_is_centred_and_its_longer_side_is_two(kind):
    for seed in range(12):
        specimen = parts(kind, np.random.default_rng(seed))
        everything = np.concatenate([part.corners for part in specimen])
        low, high = everything.min(0), everything.max(0)
        np.testing.assert_allclose(low, -high, atol=1e-9)
        assert (high - low).max() == pytest.approx(2)
        assert {part.tone for part in specimen} <= {"body", "trim", "dark", "light"}
        assert any(part.tone == "body" for part in specimen)


def test_specimens_are_the_same_for_a_seed_and_differ_between_seeds():
    for kind in KINDS:
        first, again, other = (np.concatenate([p.corners for p in parts(kind, np.random.default_rng(s))]) for s in (1, 1, 2))
        np.testing.assert_array_equal(first, again)
        assert first.shape != other.shape or not np.allclose(first, other)


def test_kinds_are_told_apart_by_their_shape():
    """The mean cover of a kind is nearest to its own specimens far more often than one time in ten."""
    covers = np.array([[cover(kind, seed) for seed in range(10, 30)] for kind in KINDS], float)  # (10, 20, 64, 64)
    means = covers[:, :10].mean(1)
    distance = ((covers[:, 10:, None] - means[None, None]) ** 2).sum((3, 4))  # (10, 10, 10)
    assert (distance.argmin(2) == np.arange(len(KINDS))[:, None]).mean() > 0.55
