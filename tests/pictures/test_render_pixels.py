"""The pictures of pixel methods, as published: against the arithmetic written out again, pixel by pixel."""

import numpy as np
import pytest
from PIL import Image

import seewhy
from seewhy.pictures.legend import Legend
from seewhy.pictures.render import COLOURS
from support import networks

PLAIN = {"size": None, "crop": None, "mean": 0.0, "std": 1.0}


@pytest.fixture(scope="module")
def network():
    return networks.pooled().float()


@pytest.fixture
def heatmap(network, noise):
    model = seewhy.wrap(network, prepare=PLAIN)
    return seewhy.gradient(model, noise((60, 40), seed=3), target=1)[0]


@pytest.fixture
def made(made_heatmap):
    """A heatmap of channels that a test writes down."""

    def make(channels):
        from dataclasses import replace

        channels = np.asarray(channels, np.float32)
        return replace(made_heatmap(abs(channels).max(0)), channels=channels)

    return make


def pixels(picture) -> np.ndarray:
    return np.asarray(picture).astype(int)


def test_channels_are_the_signed_gradient_beside_its_values(heatmap):
    assert heatmap.channels.shape == (3, 40, 60)
    assert heatmap.channels.min() < 0 < heatmap.channels.max()
    np.testing.assert_array_equal(heatmap.values, abs(heatmap.channels).max(0))


@pytest.mark.parametrize("clip", [None, 99, 90])
def test_colour_has_zero_in_the_middle_and_ends_at_the_percentile_on_both_sides(heatmap, clip):
    g = heatmap.channels.astype(float)
    end = np.percentile(abs(g), clip or 99)
    expected = (255 * (0.5 + g / (2 * end)).clip(0, 1)).transpose(1, 2, 0)
    assert abs(pixels(heatmap.picture("colour", clip=clip)) - expected).max() <= 0.51


def test_colour_of_few_strong_pixels_is_no_grey_mush(made):
    """Guided backprop: nearly all values are small. From the least to the greatest, 97 % lay within 8 levels of the middle."""
    rng = np.random.default_rng(0)
    channels = rng.normal(size=(3, 50, 50)) * rng.gamma(1, size=(1, 50, 50))
    channels[:, 20, 30], channels[:, 40, 10] = 30, -50
    found, old = (pixels(made(channels).picture("colour", clip=clip)) for clip in (None, 100))
    assert (abs(old - old[0, 0]) <= 8).mean() > 0.9
    assert (abs(found - 127.5) > 8).mean() > 0.5
    assert found.std() > 4 * old.std()


@pytest.mark.parametrize(("sign", "zero"), [(1, 0), (-1, 255)])
def test_colour_of_one_sign_uses_all_levels(made, sign, zero):
    channels = sign * np.abs(np.random.default_rng(0).normal(size=(3, 20, 20)))
    channels[:, 0, 0] = 0
    found = pixels(made(channels).picture("colour"))
    assert found[0, 0].tolist() == [zero] * 3
    assert {found.min(), found.max()} == {0, 255}


def test_colour_that_is_not_clipped_is_min_max_over_all_channels(heatmap):
    g = heatmap.channels.astype(float)
    expected = np.round((g - g.min()) / (g.max() - g.min()) * 255)
    found = pixels(heatmap.picture("colour", clip=100))
    assert abs(found - expected.transpose(1, 2, 0)).max() <= 1
    assert found.min() == 0
    assert found.max() == 255


@pytest.mark.parametrize(("kind", "sign"), [("positive", 1), ("negative", -1)])
def test_saliency_of_one_sign_is_black_where_the_other_is(heatmap, kind, sign):
    g = sign * heatmap.channels.astype(float)
    expected = np.round(g.clip(min=0) / g.max() * 255).transpose(1, 2, 0)
    assert abs(pixels(heatmap.picture(kind, clip=100)) - expected).max() <= 1


@pytest.mark.parametrize("clip", [99, 80, 100])
def test_grey_is_the_absolute_sum_up_to_the_percentile(heatmap, clip):
    flat = abs(heatmap.channels.astype(float)).sum(0)
    expected = np.round((flat / np.percentile(flat, clip)).clip(max=1) * 255)
    found = pixels(heatmap.picture("grey", clip=clip))
    assert (found[..., 0] == found[..., 1]).all()
    assert abs(found[..., 0] - expected).max() <= 1


def test_signed_is_white_at_zero_red_for_and_blue_against(made):
    channels = np.zeros((3, 20, 20))
    channels[:, 3, 4], channels[:, 8, 9] = (1, 1, 0), (-1, 0, -1)
    channels[:, 5, 5] = (1, -1, 0)  # cancels
    found = pixels(made(channels).picture("signed", clip=100))
    blue, red, white = COLOURS["blue-red"][0], COLOURS["blue-red"][-1], found[0, 0]
    assert abs(found[3, 4] - red).max() <= 1
    assert abs(found[8, 9] - blue).max() <= 1
    assert (found[5, 5] == white).all()
    assert white.min() > 240


def test_a_map_of_few_pixels_is_not_clipped_away(made):
    """99 of 100 pixels are zero, so the 99th percentile is: the one that is not must still be seen."""
    channels = np.zeros((3, 40, 40))
    channels[:, 7, 7] = 2.0
    found = pixels(made(channels).picture("grey"))
    assert found[7, 7].tolist() == [255] * 3
    assert found.sum() == 3 * 255


def test_nothing_at_all_is_drawn_as_nothing(made):
    blank = made(np.zeros((3, 5, 6)))
    for kind in ("colour", "grey", "positive", "negative"):
        assert pixels(blank.picture(kind, legend=False)).max() == 0


def test_one_channel_is_drawn_grey_and_four_only_as_a_sum(made):
    one = made(np.arange(20.0).reshape(1, 4, 5))
    assert np.ptp(pixels(one.picture("colour")), -1).max() == 0
    four = made(np.ones((4, 4, 5)))
    assert four.picture("grey").size == (5, 4)
    with pytest.raises(seewhy.NotApplicable, match="this map has 4"):
        four.picture("colour")


def test_what_cannot_be_drawn_is_said(heatmap, made_heatmap):
    with pytest.raises(seewhy.NotApplicable, match="grad-cam has no attribution of single pixels"):
        made_heatmap(np.ones((3, 4))).picture("grey")
    with pytest.raises(seewhy.NoSuchName, match=r"'gray'.*colour, grey, positive, negative, signed"):
        heatmap.picture("gray")
    for clip in (0, 101, "99"):
        with pytest.raises(seewhy.BadParameter, match="percentile"):
            heatmap.picture("grey", clip=clip)


def said(monkeypatch, draw) -> str:
    """What a legend says."""
    heard, real = [], Legend.of

    def legend(width, look, caption, *more, **other):
        heard.append(caption)
        return real(width, look, caption, *more, **other)

    monkeypatch.setattr(Legend, "of", legend)
    draw()
    return heard[0]


def test_the_legend_says_where_colours_end(heatmap, monkeypatch):
    most = abs(heatmap.channels).sum(0).max()
    text = said(monkeypatch, lambda: heatmap.picture("grey", legend=True))
    assert "gradient" in text
    assert "absolute sum over channels" in text
    assert "colours end at the 99th percentile" in text
    assert f"{most:.3g}" in text
    assert "percentile" not in said(monkeypatch, lambda: heatmap.picture("grey", clip=100, legend=True))
    whole = said(monkeypatch, lambda: heatmap.picture("colour", clip=100, legend=True))
    assert f"black {heatmap.channels.min():.3g}, white {heatmap.channels.max():.3g}" in whole
    assert "zero grey" not in whole
    end = np.percentile(abs(heatmap.channels), 99)
    text = said(monkeypatch, lambda: heatmap.picture("colour", legend=True))
    assert f"colour: black {-end:.3g}, white {end:.3g} in each colour, zero grey; colours end at the 99th" in text


def test_the_overlay_of_pixels_ends_at_the_percentile_and_says_so(heatmap, monkeypatch):
    text = said(monkeypatch, lambda: heatmap.overlay(legend=True))
    assert "99th percentile" in text
    assert "percentile" not in said(monkeypatch, lambda: heatmap.overlay(legend=True, clip=100))
    assert "percentile" not in said(monkeypatch, lambda: heatmap.overlay(legend=True, scale=(0, 1)))
    top = float(np.percentile(heatmap.values, 99))
    fixed = heatmap.overlay(scale=(0, top))
    assert heatmap.overlay().tobytes() == fixed.tobytes()


def test_a_cam_is_drawn_to_its_own_extreme_as_before(network, noise, monkeypatch):
    cam = seewhy.grad_cam(seewhy.wrap(network, prepare=PLAIN), noise((60, 40)), target=1)[0]
    assert cam.channels is None
    assert cam.overlay().tobytes() == cam.overlay(scale=(0, float(cam.values.max()))).tobytes()


def test_a_saved_picture_carries_its_source_and_the_numbers_their_channels(heatmap, tmp_path):
    path = heatmap.save(tmp_path / "a.png", picture="positive")
    assert seewhy.Heatmap.source_of(path).caveat == heatmap.source.caveat != ""
    with Image.open(path) as png:
        assert (pixels(png) == pixels(heatmap.picture("positive"))).all()
    with np.load(heatmap.save(tmp_path / "a.npz")) as kept:
        np.testing.assert_array_equal(kept["channels"], heatmap.channels)
        np.testing.assert_array_equal(kept["values"], heatmap.values)
