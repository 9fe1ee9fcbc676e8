"""Curves of evidence and signals: what a line or a strip of colours shows is what the numbers say."""

import numpy as np
import pytest

from seewhy.errors import BadParameter, NoSuchName
from seewhy.pictures import volumes as views
from seewhy.pictures.curves import AGAINST, FOR, INK, furthest, ticks
from seewhy.pictures.render import Look

HOT, BLUE = Look("inferno", 0, 1, 1), Look("blue-red", -1, 1, 1)


def heights(picture, colour, columns, near=60):
    """The mean row of the uppermost pixels about of a colour, in each of some columns."""
    pixels = np.asarray(picture).astype(int)[34:317, columns]
    close = abs(pixels - colour).sum(-1) < near
    assert close.any(0).all()
    rows = [np.flatnonzero(column) for column in close.T]
    return np.array([34 + found[found < found[0] + 6].mean() for found in rows])


def scale(written, side):
    """From a number to its pixel, by what the axis says: (slope, start) of the numbers left of or below the picture."""
    found = []
    for text, x, y in written:
        if side == "left" and x < 74 and text.lstrip("-").replace(".", "", 1).isdigit():
            found.append((float(text), y))
        if side == "below" and y > 314 and text.isdigit():
            found.append((float(text), x))
    number, pixel = np.array(found).T
    return np.polyfit(number, pixel, 1)


def test_a_curve_is_the_sum_of_every_slice(written):
    values = np.zeros((4, 60, 5))
    values[1, 20:40, 2], values[1, 20:40, 3] = 1.0, 3.0
    values[3, 40:, 1] = 8.0
    picture = views.curve(values, "coronal", (1, 2.5, 1))
    up, across = scale(written, "left"), scale(written, "below")
    for at in (5, 10, 25, 30, 35, 45, 50, 55):
        column = round(np.polyval(across, at))
        (row,) = heights(picture, INK, [column])
        assert row == pytest.approx(np.polyval(up, values[:, at].sum()), abs=1.5), at
    assert "coronal slice, P to A, 2.5 mm apart" in [text for text, *_ in written]


def test_a_signed_curve_tells_what_speaks_for_and_against(written):
    values = np.zeros((50, 4, 5))
    values[10:40, 1, 2], values[10:40, 2, 3] = 6.0, -4.0
    picture = views.curve(values, "sagittal")
    up, across = scale(written, "left"), scale(written, "below")
    columns = [round(np.polyval(across, at)) for at in (20, 25, 30)]
    for colour, value in ((FOR, 6.0), (AGAINST, -4.0)):
        np.testing.assert_allclose(heights(picture, colour, columns), np.polyval(up, value), atol=1.5)
    pixels = np.asarray(picture).astype(int)
    for column in columns:
        row = round(np.polyval(up, 2.0))
        assert abs(pixels[row - 1 : row + 2, column] - INK).sum(-1).min() < 60
    assert {"above zero", "below zero", "sum"} <= {text for text, *_ in written}


@pytest.mark.parametrize("values", [np.zeros((3, 3, 3)), np.ones((1, 1, 1)), np.full((2, 2, 2), np.nan), -np.ones((4, 1, 2))])
@pytest.mark.parametrize("plane", ["axial", "coronal", "sagittal"])
def test_any_curve_can_be_drawn(values, plane):
    picture = views.curve(values, plane)
    assert picture.size == (720, 360)
    assert (np.asarray(picture) < 80).any()


def test_a_curve_of_nan_is_that_of_nothing():
    assert views.curve(np.full((4, 4, 4), np.nan)).tobytes() == views.curve(np.zeros((4, 4, 4))).tobytes()


@pytest.mark.parametrize(
    ("low", "high", "most", "least", "expected"),
    [
        (0, 10, 5, 0, [0, 2, 4, 6, 8, 10]), (-1, 1, 4, 0, [-1, -0.5, 0, 0.5, 1]), (0.13, 0.98, 4, 0, [0.5]),
        (0, 3, 10, 1, [0, 1, 2, 3]), (5, 5, 3, 1, [5]), (0, 1e9, 2, 0, [0, 5e8, 1e9]), (0, 2.5e-7, 3, 0, [0, 1e-7, 2e-7]),
    ],
)  # fmt: skip
def test_ticks_are_round_numbers(low, high, most, least, expected):
    assert ticks(low, high, most, least) == pytest.approx(expected)


def strip(picture, row=12):
    """The first and last column but one of the colours, and that row of pixels."""
    line = np.asarray(picture)[row].astype(int)
    return 130, 1180, line


@pytest.mark.parametrize(("values", "look"), [([0, 0.25, 1, 0.5], HOT), ([-1, 0.5, 0, 0.2, -0.3], BLUE), ([0.7], HOT)])
def test_each_sample_has_its_colour_behind_it(values, look):
    picture = views.signal(np.array(values), np.zeros((2, len(values))), look)
    left, right, line = strip(picture)
    for s, value in enumerate(values):
        at = left + (s + 0.5) * (right - left) / len(values)
        for beside in (-0.4, 0, 0.4):
            found = line[round(at + beside * (right - left) / len(values))]
            np.testing.assert_array_equal(found, look.paint(np.array([value]))[0])


def test_a_single_strong_sample_of_many_is_seen():
    values = np.zeros(50_000)
    values[31_234] = 1
    left, right, line = strip(views.signal(values, np.zeros((1, 50_000)), HOT))
    lit = np.flatnonzero((line == HOT.paint(np.array([1.0]))[0]).all(-1) & (np.arange(len(line)) < right))
    assert len(lit) == 1
    assert lit[0] == left + int(31_234 / 50_000 * (right - left))


@pytest.mark.parametrize(("samples", "pixels"), [(7, 7), (100, 7), (101, 100), (5, 23)])
def test_of_the_samples_in_a_pixel_the_furthest_from_zero_counts(samples, pixels):
    values = np.random.default_rng(0).normal(size=samples)
    found = furthest(values, pixels)
    for p in range(pixels):
        if samples > pixels:
            mine = values[p * samples // pixels : max((p + 1) * samples // pixels, p * samples // pixels + 1)]
            assert found[p] == mine[abs(mine).argmax()]
        else:
            assert found[p] == values[int((p + 0.5) * samples / pixels)]


def line_rows(picture, columns, top=10, bottom=262):
    """Where the black line runs over the white of a signed map without evidence."""
    pixels = np.asarray(picture).astype(int)[top:bottom, columns].sum(-1)
    dark = pixels < 350
    return (dark * np.arange(top, bottom)[:, None]).sum(0) / dark.sum(0)


def test_the_line_is_the_signal(written):
    signal = np.repeat([0.0, 4.0, -2.0, 1.0], 100)
    picture = views.signal(np.zeros(400), signal[None], Look("blue-red", -1, 1, 0.5))
    found = [(float(text), y) for text, x, y in written if x == 122]
    up = np.polyfit(*np.array(found).T, 1)
    at = np.array([20, 50, 80, 130, 170, 230, 270, 330, 370])
    columns = (130 + (at + 0.5) * 1050 / 400).round().astype(int)
    np.testing.assert_allclose(line_rows(picture, columns), np.polyval(up, signal[at]), atol=1.5)


def test_a_long_line_reaches_from_the_least_to_the_greatest_in_each_pixel():
    signal = np.zeros(200_000)
    signal[120_000] = 5
    picture = np.asarray(views.signal(np.zeros(200_000), signal[None], BLUE)).astype(int)
    dark = (picture[10:262, 131:1180].sum(-1) < 300).any(1).nonzero()[0]
    tall = (picture[60:200, 131:1180].sum(-1) < 400).all(0).nonzero()[0]
    assert dark.min() < 40
    assert abs(tall.mean() + 131 - (130 + 1050 * 0.6)) < 2


def test_fewer_values_share_the_samples_out():
    few = np.array([0.0, 1.0, 0.5])
    at = np.clip((np.arange(300) + 0.5) / 100 - 0.5, 0, 2)
    many = np.where(at < 1, at, 1 - (at - 1) / 2)
    signal = np.random.default_rng(0).normal(size=(2, 300))
    assert views.signal(few, signal, HOT).tobytes() == views.signal(many, signal, HOT).tobytes()


def test_channels_are_named_and_many_are_thinned_out(written):
    views.signal(np.zeros(30), np.zeros((40, 30)), HOT)
    said = [text for text, *_ in written]
    assert [text for text in said if text.startswith("channel")][:3] == ["channel 0", "channel 1", "channel 3"]
    assert sum(text.startswith("channel") for text in said) == 32
    assert "channel 39" in said
    assert "sample; 32 of 40 channels" in said
    written.clear()
    views.signal(np.zeros(30), np.zeros((1, 30)), HOT)
    assert "sample" in [text for text, *_ in written]
    assert not any("channel" in text for text, *_ in written)


@pytest.mark.parametrize("channels", [1, 2, 12])
@pytest.mark.parametrize("samples", [1, 2, 3000])
def test_any_signal_can_be_drawn(channels, samples):
    for values in (np.zeros(samples), np.full(samples, np.nan), np.ones(samples)):
        signal = np.random.default_rng(0).normal(size=(channels, samples))
        assert views.signal(values, signal, HOT).width == 1200
        assert views.signal(values, None, BLUE).width == 1200


def test_what_cannot_be_drawn_as_lines_is_said():
    with pytest.raises(BadParameter, match=r"\(2, 3\).*takes 1 dimensions"):
        views.signal(np.zeros((2, 3)), None, HOT)
    with pytest.raises(BadParameter, match="takes 2 dimensions"):
        views.signal(np.zeros(3), np.zeros(3), HOT)
    with pytest.raises(NoSuchName, match="No plane 'sideways'"):
        views.curve(np.zeros((2, 2, 2)), "sideways")
    with pytest.raises(BadParameter, match="spacing="):
        views.curve(np.zeros((2, 2, 2)), spacing=(1, 2))
