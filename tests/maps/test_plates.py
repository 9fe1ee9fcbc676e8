"""A map's pictures and their legends, drawn apart or below each other."""

import numpy as np
import pytest

from seewhy.errors import NotApplicable
from seewhy.maps.heatmap import overlay_of
from seewhy.maps.plates import overlaid, pictured
from seewhy.pictures.canvas import DrawingOptions

OPTIONS = DrawingOptions()


def test_the_legend_says_what_the_source_says(made_heatmap):
    heatmap = made_heatmap([[0, 1], [2, 8]])
    plate = overlaid(overlay_of(heatmap), heatmap.source, OPTIONS, 1, 100)
    said = " ".join(mark.text for mark in plate.legend(400).texts).replace("\u00a0", " ")
    assert heatmap.source.caption in said
    assert said.endswith("0 8")
    assert (np.asarray(plate.drawn(False)) == np.asarray(heatmap.overlay())).all()
    assert (np.asarray(plate.drawn(True)) == np.asarray(heatmap.overlay(legend=True))).all()


def test_colours_end_at_the_percentile_and_of_mean_scores_begin_at_the_least(made_heatmap):
    values = np.arange(101.0)[None] + 10
    plain, rise = (made_heatmap(values, measured=measured) for measured in ({}, {"mean_score": 20.0}))
    ends = {}
    for name, heatmap, percent in (("all", plain, 100), ("most", plain, 90), ("rise", rise, 100)):
        look = overlaid(overlay_of(heatmap), heatmap.source, OPTIONS, 1, percent).legend(400).look
        ends[name] = (look.low, look.high)
    assert ends == {"all": (0, 110), "most": (0, 100), "rise": (10, 110)}


def test_pixels_are_drawn_as_squares(made_heatmap):
    channels = np.zeros((3, 2, 3), np.float32)
    channels[:, 0, 1] = 1
    plate = pictured(channels, made_heatmap([[1]]).source, "grey", 100, 4)
    grey = np.asarray(plate.drawn(False))
    assert grey.shape == (8, 12, 3)
    assert (grey[:4, 4:8] == 255).all()
    assert grey.sum() == 255 * 16 * 3
    assert "absolute sum over channels" in " ".join(mark.text for mark in plate.legend(400).texts)


@pytest.mark.parametrize("channels", [None, np.ones((3, 4))])
def test_without_pixels_there_is_no_such_picture(made_heatmap, channels):
    with pytest.raises(NotApplicable, match="grad-cam has no attribution of single pixels"):
        pictured(channels, made_heatmap([[1]]).source, "grey", None, 1)
