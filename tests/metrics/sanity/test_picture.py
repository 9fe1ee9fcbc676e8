"""The strip: each map over the photo that was explained, in colours that the legend names."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

import seewhy
from seewhy.metrics.sanity.picture import MapStrip, numbers, save_strip, strip_picture
from seewhy.metrics.sanity.similarity import Similarity


def test_numbers_that_are_not_defined_are_dashes():
    assert numbers(Similarity(-0.125, None, 1.0)) == ["Spearman -0.12", "of absolute -", "SSIM 1.00"]


def test_the_maps_lie_over_the_photo_and_the_legend_explains_their_colours(made_heatmap, written):
    photo = Image.new("RGB", (120, 80), (0, 160, 0))
    trained = made_heatmap([[0.0, 1.0]], (120, 80), photo=photo, params={})
    stage = made_heatmap([[0.0, 0.0, 0.0, -1.0]], (4, 1), photo=None, params={"signed": True})
    strip = MapStrip(trained, [stage], [Similarity(0.5, 0.25, None)])
    picture = np.asarray(strip_picture({"some-cam at layer4": strip}, ["the head"], "a heading", 120)).astype(int)
    said = [text for text, *_ in written]
    for text in ("a heading", "as trained", "some-cam at layer4", "Spearman 0.50", "SSIM -", "against", "least"):
        assert text in said, text
    green = (picture == (0, 160, 0)).all(2)
    columns = np.flatnonzero(green.any(0))  # of the photo, of the left of the map and of what the stage's map leaves clear
    starts = columns[np.r_[True, np.diff(columns) > 5]]
    assert len(starts) == 3
    blue = (picture[..., 2] > picture[..., 0] + 40) & (picture[..., 2] > picture[..., 1] - 20)
    drawn = np.argwhere(blue[: picture.shape[0] // 2, starts[2] :])
    assert len(drawn)
    assert drawn[:, 1].min() > 60  # on the right half of the last picture: evidence against


def test_maps_of_single_pixels_are_drawn_in_grey(made_heatmap, written):
    channels = np.random.default_rng(0).random((3, 8, 8), np.float32)
    pixels = replace(made_heatmap(channels.max(0), (80, 80), params={}), channels=channels)
    turned = replace(pixels, channels=channels[:, ::-1].copy())
    strip = MapStrip(pixels, [turned], [Similarity(0.0, 0.0, 0.0)])
    picture = np.asarray(strip_picture({"gradient": strip}, ["the head"], "", 96))
    assert any(text.startswith("grey: ") for text, *_ in written)
    for column, heatmap in enumerate((pixels, turned), 1):
        left, shown = 18 + column * (96 + 14), np.asarray(heatmap.picture("grey", magnify=12))
        tops = [y for y in range(len(picture) - 96) if np.array_equal(picture[y : y + 96, left : left + 96], shown)]
        assert len(tops) == 1


@pytest.mark.parametrize("box", [(0, 0, 120, 80), (20, 0, 100, 80)])
def test_a_grey_picture_of_a_part_says_which_part_it_is_of(made_heatmap, written, box):
    channels = np.ones((3, 8, 8), np.float32)
    pixels = replace(made_heatmap(channels.max(0), (120, 80), box=box, params={}), channels=channels)
    strip_picture({"gradient": MapStrip(pixels, [], [])}, [], "", 96)
    said = " ".join(text for text, *_ in written)
    assert ("columns 20 to 100, rows 0 to 80" in said) == (box[0] == 20)


def test_a_strip_is_a_png(tmp_path):
    with pytest.raises(seewhy.BadParameter, match=r"saved as \.png"):
        save_strip(tmp_path / "strip", Image.new("RGB", (4, 4)), "cat.jpg")
    assert save_strip(tmp_path / "strip.png", Image.new("RGB", (4, 4)), "cat.jpg").is_file()
