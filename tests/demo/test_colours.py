"""Colours of a scene: the conversion by hand, patterns that mix two colours, and paints that stand out."""

from __future__ import annotations

import numpy as np
import pytest

from seewhy.demo.colours import Ground, Paint, ground, oklch, paint, vivid


def linear(colour: tuple[int, int, int]) -> np.ndarray:
    """An sRGB colour without its gamma."""
    encoded = np.asarray(colour) / 255
    return np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)


def lightness(colour: tuple[int, int, int]) -> float:
    """The OKLab lightness of an sRGB colour (Ottosson 2020), the way back."""
    to_lms = np.array(
        [
            [0.4122214708, 0.5363325363, 0.0514459929],
            [0.2119034982, 0.6806995451, 0.1073969566],
            [0.0883024619, 0.2817188376, 0.6299787005],
        ]
    )
    return float(np.cbrt(to_lms @ linear(colour)) @ [0.2104542553, 0.7936177850, -0.0040720468])


def test_greys_and_known_colours():
    assert oklch(0, 0, 0) == (0, 0, 0)
    assert oklch(1, 0, 77) == (255, 255, 255)
    red, green, blue = oklch(0.6, 0, 123)
    assert red == green == blue
    assert oklch(0.627955, 0.257683, 29.2339) == (255, 0, 0)  # pure red of sRGB
    assert oklch(0.452014, 0.313214, 264.052) == (0, 0, 255)  # pure blue


@pytest.mark.parametrize("value", [0.2, 0.5, 0.8])
def test_the_lightness_of_a_colour_is_the_one_that_was_asked_for_whatever_the_hue(value):
    for hue in range(0, 360, 30):
        assert lightness(oklch(value, 0.05, hue)) == pytest.approx(value, abs=0.01)


def made(pattern: str, angle: float = 0.0, pitch: float = 0.5) -> Paint:
    return Paint((10, 20, 30), (110, 220, 130), (1, 2, 3), (4, 5, 6), (7, 8, 9), pattern, angle, pitch)


def test_a_plain_paint_is_one_colour_and_each_tone_has_its_own():
    filled = np.asarray(made("plain").fill(6, 4, 2.0))
    assert filled.shape == (4, 6, 3)
    assert (filled == (10, 20, 30)).all()
    assert [made("plain").flat(tone) for tone in ("body", "trim", "dark", "light")] == [
        (10, 20, 30),
        (1, 2, 3),
        (4, 5, 6),
        (7, 8, 9),
    ]


@pytest.mark.parametrize("pattern", ["stripes", "dots", "bands"])
def test_a_pattern_holds_both_colours_and_nothing_else(pattern):
    filled = np.asarray(made(pattern).fill(80, 80, 20.0)).reshape(-1, 3)
    assert {*map(tuple, filled.tolist())} == {(10, 20, 30), (110, 220, 130)}
    assert 0.2 < (filled == (110, 220, 130)).all(1).mean() < 0.6


def test_stripes_by_hand_and_turned_by_a_right_angle():
    across = np.asarray(made("stripes").fill(40, 10, 10.0))[..., 0]
    u = (np.arange(40) - 20) / 10  # in half extents of the object
    np.testing.assert_array_equal(across, np.broadcast_to(np.where((u / 0.5) % 1 < 0.45, 110, 10), (10, 40)))
    down = np.asarray(made("stripes", np.pi / 2).fill(10, 40, 10.0))[..., 0]
    assert (down == down[:, :1]).mean() > 0.95  # the rounding of the angle may move an edge
    assert (down != across.T).mean() < 0.06


def test_a_checkerboard_has_the_middle_colour_too():
    filled = np.asarray(made("checks").fill(40, 40, 10.0)).reshape(-1, 3)
    assert {*map(tuple, filled.tolist())} == {(10, 20, 30), (60, 120, 80), (110, 220, 130)}


def test_grounds_have_five_tones_near_one_another():
    for seed in range(40):
        drawn = ground(np.random.default_rng(seed))
        tones = [lightness(tone) for tone in drawn.tones]
        assert len(tones) == 5
        assert max(tones) - min(tones) < 0.26
        assert tones[0] == pytest.approx(drawn.lightness, abs=0.06)


def test_a_vivid_colour_stands_out_from_every_ground():
    for seed in range(60):
        rng = np.random.default_rng(seed)
        behind = ground(rng)
        value, chroma, hue = vivid(rng, behind)
        assert abs(value - behind.lightness) > 0.14
        assert 0.09 <= chroma <= 0.19
        assert 0 <= hue < 360


def test_a_paint_is_the_same_for_a_seed_and_knows_only_the_ground():
    behind = Ground(0.5, 0.0, ((0, 0, 0),) * 5)
    first, again = (paint(np.random.default_rng(4), behind) for _ in range(2))
    assert first == again
    assert paint(np.random.default_rng(5), behind) != first
    assert lightness(first.dark) < 0.35 < 0.9 < lightness(first.light)
