"""What stands below a picture: words that can be read, and colours that mean what the numbers beside them say."""

import numpy as np
import pytest
from PIL import Image

from seewhy.pictures.legend import Legend, with_legend
from seewhy.pictures.render import Look


@pytest.mark.parametrize("size", [(300, 200), (60, 90), (1200, 300)])
def test_the_legend_leaves_the_picture_and_adds_words_and_colours(made_heatmap, noise, size):
    heatmap = made_heatmap(np.arange(6).reshape(2, 3), photo=noise(size))
    plain, picture = heatmap.overlay(alpha=0.5), heatmap.overlay(alpha=0.5, legend=True)
    margin = (picture.width - plain.width) // 2
    assert picture.crop((margin, 0, margin + plain.width, plain.height)).tobytes() == plain.tobytes()
    strip = np.asarray(picture)[plain.height :].astype(int)
    rows = strip.reshape(len(strip), -1)
    dark = (strip.sum(-1) < 200).any(1)
    assert dark.sum() >= 8, "a caption and numbers"
    bar = np.flatnonzero((np.ptp(strip, axis=-1) > 40).sum(1) > picture.width * 0.6)
    assert len(bar) >= 4
    colours = strip[bar[len(bar) // 2]]
    inked = np.flatnonzero(np.ptp(colours, axis=-1) > 40)
    assert inked[-1] - inked[0] > 0.7 * picture.width
    assert (rows[0] == 255).all()


def test_the_legend_says_which_map_it_is(made_heatmap):
    strips = [
        np.asarray(made_heatmap([[0, 1]], (300, 20), label=label).overlay(legend=True))[20:] for label in ("cat", "dog", "cat")
    ]
    assert strips[0].tobytes() == strips[2].tobytes() != strips[1].tobytes()


def test_a_label_with_of_in_it_is_not_cut_short(made_heatmap):
    strips = [
        np.asarray(made_heatmap([[0, 1]], (600, 20), label="loaf of bread", layer=layer).overlay(legend=True))[20:]
        for layer in ("layer1", "layer4")
    ]
    assert strips[0].tobytes() != strips[1].tobytes()


def test_a_long_label_is_wrapped_not_cut(made_heatmap):
    short, long = (made_heatmap([[0, 1]], label=label).overlay(legend=True) for label in ("cat", "a very long label " * 6))
    assert long.height > short.height + 20
    assert long.width == short.width


def mark(legend, anchor):
    return next((mark for mark in legend.texts[1:] if mark.anchor == anchor), None)


@pytest.mark.parametrize("look", [Look("inferno", 0, 3, 0.5), Look("viridis", 2, 5, 1), Look("blue-red", -4, 4, 0.5)])
@pytest.mark.parametrize("width", [64, 300, 1000])
def test_the_numbers_below_the_bar_are_those_of_the_colours_above(look, width):
    legend = Legend.of(width, look, "a map")
    left, _, right, _ = legend.bar
    colours = legend.colours()
    assert len(colours) == right - left
    assert np.array_equal(colours[[0, -1]], look.paint(np.array([look.low, look.high])))
    for text in legend.texts[1:]:
        share = (text.x - left) / (right - left)
        assert float(text.text) == pytest.approx(look.low + share * (look.high - look.low))
    assert (mark(legend, "ma") is not None) == look.centred


def test_numbers_that_would_touch_leave_out_the_one_between():
    narrow = Legend.of(220, Look("blue-red", -1.23e-38, 1.23e-38, 0.5), "a map")
    assert [text.text for text in narrow.texts[1:]] == ["-1.23e-38", "1.23e-38", "0"]
    assert len(Legend.of(220, Look("blue-red", -1.23e-38, 1.23e-38, 0.5), "a map", largest=40).texts) == 4
    large = Legend.of(2000, Look("blue-red", -1.23e-300, 1.23e-300, 0.5), "a map")
    ends = sum(large.letters.width(text.text) for text in large.texts[1:3])
    assert (len(large.texts) == 4) == (ends + large.letters.width("0") < large.bar[2] - large.bar[0])


def test_a_flat_map_has_one_number():
    assert [text.text for text in Legend.of(300, Look("inferno", 0, 0, 0.5), "a map").texts] == ["a map", "0"]


@pytest.mark.parametrize("width", [64, 224, 300, 1000])
def test_a_legend_magnified_is_laid_out_as_before(width):
    look, caption = Look("blue-red", -1, 1, 0.5), "grad-cam for tabby, tabby cat (281), 84.0 %, at layer4"
    once, twice = Legend.of(width, look, caption), Legend.of(2 * width, look, caption, magnify=2)
    assert (twice.width, twice.height) == (2 * once.width, pytest.approx(2 * once.height, rel=0.03))
    assert twice.letters.size == pytest.approx(2 * once.letters.size, abs=1)
    assert [mark.text for mark in twice.texts] == [mark.text for mark in once.texts]


def test_letters_grow_with_the_picture_up_to_the_largest():
    assert [Legend.of(width, None, "x").letters.size for width in (50, 300, 360, 600, 3000)] == [12, 12, 12, 20, 100]
    assert Legend.of(3000, None, "x", largest=22).letters.size == 22


@pytest.mark.parametrize("width", [3, 64, 96, 224, 500, 1000])
@pytest.mark.parametrize(
    "caption", ["grad-cam", "grad-cam for a long label indeed (281), 84.0 %, at blocks.6.0.bn2 " * 3, "x" * 300]
)
def test_no_letter_is_cut_off(width, caption):
    legend = Legend.of(width, Look("blue-red", -1.25e-5, 1.25e-5, 0.5), caption)
    strip = np.asarray(legend.drawn())
    border = np.concatenate([strip[0], strip[-1], strip[:, 0], strip[:, -1]])
    assert (border == 255).all()
    said = "".join(text.text for text in legend.texts if text.y < legend.bar[1])
    assert said.replace(" ", "").replace("\u00a0", "") == caption.replace(" ", "")


def test_a_narrow_picture_stands_in_the_middle_of_its_legend():
    picture = np.asarray(with_legend(Image.new("RGB", (64, 40), "red"), None, "grad-cam"))
    red = (picture == (255, 0, 0)).all(-1)
    assert picture.shape[1] == 220
    assert np.flatnonzero(red.any(0)).tolist() == [*range(78, 142)]


@pytest.mark.parametrize(
    "look", [Look("inferno", 0, 3, 0.7, True), Look("blue-red", -3, 3, 0.7, True), Look("viridis", 2, 5, 0.7, True)]
)
def test_by_value_what_lies_below_the_bar_shows_as_the_photo_does(look):
    legend = Legend.of(300, look, "a map")
    bar = np.asarray(legend.coloured((282, 8))).astype(float)
    squares = np.ptp(bar, axis=0).max(-1)  # how much light and dark squares differ, along the bar
    opacity = 1 - squares / 45
    share = np.linspace(look.low, look.high, 282)
    nothing = 2 if look.low == 2 else 0
    assert abs(opacity - 0.7 * abs(share - nothing) / 3).max() < 0.05
