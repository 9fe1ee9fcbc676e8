"""Two maps and their difference, drawn."""

import numpy as np
import pytest
from PIL import Image

from seewhy import BadParameter, Heatmap, NotWritten
from seewhy.comparison.picture import WIDE, drift_picture, save_picture
from seewhy.maps.made_here import made_here

LEFT, RIGHT = np.eye(4)[[0]], np.eye(4)[[3]]


def reds_and_blues(picture: Image.Image) -> tuple[float, float]:
    """The mean places, from 0 to 1 of the last panel's width, of what is clearly red and what is clearly blue."""
    panel = np.asarray(picture.crop((picture.width - WIDE - 10, 40, picture.width - 10, 120))).astype(int)
    found = []
    for strong, weak in ((0, 2), (2, 0)):
        there = (panel[..., strong] - panel[..., weak] > 60).nonzero()[1]
        found.append(float(there.mean() / panel.shape[1]) if len(there) else float("nan"))
    return found[0], found[1]


def test_red_is_where_b_has_more_and_blue_where_less(made_heatmap):
    a, b = made_heatmap(LEFT, (840, 210)), made_heatmap(RIGHT, (840, 210))
    red, blue = reds_and_blues(drift_picture(a, b, "moved"))
    assert red > 0.7
    assert blue < 0.3
    assert all(np.isnan(reds_and_blues(drift_picture(a, a, "did not move"))))


def test_it_says_which_is_which(made_heatmap, written):
    drift_picture(made_heatmap(LEFT), made_heatmap(RIGHT, model="timm/other"), "Spearman 0.5")
    said = [text for text, *_ in written]
    assert said[-1] == "cat.jpg: Spearman 0.5" or "cat.jpg: Spearman 0.5" in said
    assert {"photo", "A: timm/mini", "B: timm/other", "B minus A"} <= {*said}
    written.clear()
    drift_picture(made_heatmap(LEFT), made_heatmap(RIGHT), "x", ("golden", "now"))
    assert {"golden", "now", "now minus golden"} <= {text for text, *_ in written}


def test_large_photos_are_drawn_small_and_small_ones_large(made_heatmap):
    for size in ((4000, 2000), (40, 20)):
        picture = drift_picture(made_heatmap(LEFT, size), made_heatmap(RIGHT, size), "x")
        assert WIDE * 4 < picture.width < WIDE * 4 + 100


def test_maps_of_nothing_are_drawn_too(made_heatmap):
    nothing = made_heatmap(np.zeros((2, 2)))
    assert drift_picture(nothing, nothing, "x").mode == "RGB"


def test_a_saved_picture_says_that_it_is_a_drift(made_heatmap, made_source, tmp_path):
    path = save_picture(tmp_path / "d.png", Image.new("RGB", (9, 9)), made_source(), made_source(model="b"), True)
    source = Heatmap.source_of(path)
    assert (source.method, source.model, source.weights) == ("drift of grad-cam", "timm/mini against b", None)
    assert made_here(path)
    with pytest.raises(NotWritten):
        save_picture(path, Image.new("RGB", (9, 9)), made_source(), made_source(), False)
    with pytest.raises(BadParameter, match=r"saved as .png, not as '.jpg'"):
        save_picture(tmp_path / "d.jpg", Image.new("RGB", (9, 9)), made_source(), made_source(), True)
