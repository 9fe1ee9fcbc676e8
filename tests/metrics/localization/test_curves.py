"""Curves of scores: what is drawn are the scores, and the file is one that others can read."""

import sys

import numpy as np
import pytest
from PIL import Image

from seewhy.errors import BadParameter, MissingExtra
from seewhy.metrics.localization.boxes import BoxScoring
from seewhy.metrics.localization.curves import save_curves
from seewhy.metrics.localization.pixels import PixelScoring
from seewhy.metrics.localization.segmentation import BackgroundScoring

HILL = np.outer(np.hanning(24), np.hanning(20))


def boxes():
    scoring = BoxScoring((20, 24))
    for shift in range(3):
        scoring.add(np.roll(HILL, shift, 0), [(4, 5, 16, 20)])
    return scoring


def pixels():
    scoring = PixelScoring(None, thresholds=(0, 0.25, 0.5, 0.75))
    for shift in range(3):
        scoring.add(np.roll(HILL, shift, 0), HILL > 0.4)
    return scoring


def background():
    scoring = BackgroundScoring(2)
    scoring.add({1: HILL}, (HILL > 0.4) * 1)
    return scoring


@pytest.mark.parametrize(("make", "panels"), [(boxes, 1), (pixels, 2), (background, 1)])
def test_a_picture_of_each(make, panels, tmp_path):
    pytest.importorskip("matplotlib")
    path = save_curves(make(), tmp_path / "curves.png", "A $ title")
    with Image.open(path) as picture:
        assert picture.size == (panels * 768, 576)
        colours = {colour for _, colour in picture.convert("RGB").getcolors(10**6)}
    assert (0, 114, 178) in colours  # the line of the maps


@pytest.mark.parametrize("make", [boxes, pixels, background])
def test_text_of_an_svg_stays_text_and_says_scores_with_intervals(make, tmp_path):
    pytest.importorskip("matplotlib")
    scoring = make()
    text = save_curves(scoring, tmp_path / "curves.svg").read_text("utf-8")
    for score in scoring.scores(None):
        if score.name in ("MaxBoxAccV2", "PxAP", "pixel IoU", "mIoU, best background threshold"):
            low, high = score.interval
            assert f"{100 * score.value:.1f} % ({100 * low:.0f} to {100 * high:.0f})" in text
    assert "of these very photos chose" in text  # what the best threshold took
    assert "random" in text
    assert "centre" in text
    assert text == save_curves(scoring, tmp_path / "again.svg").read_text("utf-8")


def test_lines_are_the_curves(tmp_path, monkeypatch):
    axes_module = pytest.importorskip("matplotlib.axes")
    drawn, plot = [], axes_module.Axes.plot

    def kept(self, *args, **how):
        drawn.append(args)
        return plot(self, *args, **how)

    monkeypatch.setattr(axes_module.Axes, "plot", kept)
    scoring = background()
    save_curves(scoring, tmp_path / "curves.png")
    np.testing.assert_array_equal(drawn[0][1], 100 * scoring.curves()["maps"].values)


def test_what_cannot_be_drawn_is_refused(tmp_path, monkeypatch):
    with pytest.raises(BadParameter, match=r"\.png or \.svg"):
        save_curves(background(), tmp_path / "curves.pdf")
    with pytest.raises(BadParameter, match="left out the thresholds"):
        save_curves(BoxScoring(None), tmp_path / "curves.png")
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingExtra, match=r"matplotlib, which draws curves, is not installed.*\[plots\]"):
        save_curves(background(), tmp_path / "curves.png")
    assert not list(tmp_path.iterdir())
