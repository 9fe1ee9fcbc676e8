"""The strip: each map over the photo that was explained, in colours that the legend names."""

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


def test_a_strip_is_a_png(tmp_path):
    with pytest.raises(seewhy.BadParameter, match=r"saved as \.png"):
        save_strip(tmp_path / "strip", Image.new("RGB", (4, 4)), "cat.jpg")
    assert save_strip(tmp_path / "strip.png", Image.new("RGB", (4, 4)), "cat.jpg").is_file()
