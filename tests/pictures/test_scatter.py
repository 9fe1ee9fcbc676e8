"""Points as a picture: each where it lies, in its colour and shape, larger ones where they are few."""

import numpy as np
import pytest

from seewhy.pictures.render import COLOURS
from seewhy.pictures.scatter import (
    EDGE,
    MARKS,
    OTHER,
    PALETTE,
    PointKind,
    PointMark,
    PointScale,
    on_scale,
    point_radius,
    scatter,
)

SIDE = 300


def lightness(colour):
    linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in (c / 255 for c in colour)]
    return sum(weight * v for weight, v in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def where(picture, colour):
    """The middle of the pixels of a colour in the square of points, as shares of it, y upwards."""
    square = np.asarray(picture)[-SIDE - 2 * EDGE :, EDGE : EDGE + SIDE]
    y, x = np.nonzero((square == colour).all(2))
    return x.mean() / SIDE, y.mean()


def test_points_lie_where_they_are():
    points = np.array([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0]])
    table = [PointKind(f"kind {k}", PointMark(PALETTE[k]), 1) for k in range(3)]
    picture = scatter(points, np.arange(3, dtype=np.int32), table, "", "kinds", side=SIDE)
    (x0, y0), (x1, y1), (x2, y2) = (where(picture, PALETTE[k]) for k in range(3))
    assert (x0, x1, x2) == pytest.approx((0.05, 0.95, 0.05), abs=0.01)
    assert y0 == pytest.approx(y1, abs=1)
    assert y0 - y2 == pytest.approx(0.9 * SIDE, abs=2)  # upwards


def test_shapes_differ_and_cover_about_as_much():
    sizes = []
    for shape in MARKS:
        table = [PointKind("one", PointMark(PALETTE[0], shape), 1)]
        picture = scatter(np.zeros((1, 2)), np.zeros(1, np.int32), table, "", "", side=SIDE)
        square = np.asarray(picture)[EDGE : EDGE + SIDE, EDGE : EDGE + SIDE]
        sizes.append(int((square == PALETTE[0]).all(2).sum()))
    assert min(sizes) > 0.6 * max(sizes)


def test_numbers_have_the_colours_of_their_scale_and_unknown_ones_none():
    colours = on_scale(np.array([2.0, 3.0, 4.0, 9.0, np.nan]), PointScale(2, 4))
    stops = COLOURS["viridis"]
    assert colours[[0, 2, 3]].tolist() == [stops[0].tolist(), stops[-1].tolist(), stops[-1].tolist()]
    middle = (len(stops) - 1) // 2, len(stops) // 2
    assert colours[1].tolist() == stops[[*middle]].mean(0).round().tolist()
    assert tuple(colours[4]) == OTHER


def test_every_colour_stands_out_from_white_and_from_a_dark_page():
    for colour in PALETTE:
        assert 1.05 / (lightness(colour) + 0.05) > 2  # with the edge of each mark and its shape beside
        assert (lightness(colour) + 0.05) / (lightness((22, 22, 26)) + 0.05) > 1.7
    assert len({*PALETTE}) == 8


def test_many_points_are_smaller():
    assert point_radius(10, 900) > point_radius(2000, 900) > point_radius(10_000, 900) >= 2


def test_long_words_and_many_kinds_stay_in_the_legend(written):
    table = [
        PointKind(f"a very long name of a kind that goes on and on {k}", PointMark(PALETTE[0]), 1, True) for k in range(40)
    ]
    picture = scatter(np.random.default_rng(0).normal(size=(40, 2)), np.arange(40, dtype=np.int32), table, "h " * 400, "t")
    assert any("and 14 more" in text for text, *_ in written)
    assert picture.width < 1300
