"""GrabCut: it finds the colours' border, keeps what is sure, and draws the same each time."""

import sys

import cv2
import numpy as np
import pytest

from seewhy.errors import MissingExtra
from seewhy.objects.refine.grabcut import grabcut


def scene(side=32):
    """A bright square in dark noise, and a map that has its middle, and too much on the left."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 60, (side, side, 3), np.uint8)
    truth = np.zeros((side, side), bool)
    truth[8:24, 10:26] = True
    pixels[truth] += np.uint8(180)
    rows, columns = np.mgrid[:side, :side]
    values = np.exp(-((rows - 16) ** 2 + (columns - 15) ** 2) / 90).astype(np.float32)
    return values, pixels, truth


def test_it_finds_the_border_of_the_colours():
    values, pixels, truth = scene()
    assert ((values > 0.3) & truth).sum() / ((values > 0.3) | truth).sum() < 0.7
    mask = grabcut(values, 0.3, pixels)
    assert (mask & truth).sum() / (mask | truth).sum() > 0.97


def test_what_is_sure_stays_whatever_its_colour():
    values, pixels, _ = scene()
    values[2:4, 2:4], values[16:18, 20:22] = 1, 0
    mask = grabcut(values, 0.3, pixels)
    assert mask[2:4, 2:4].all()
    assert not mask[16:18, 20:22].any()


def test_it_is_opencv_with_these_marks():
    values, pixels, _ = scene()
    cut, sure = 0.3, 0.4
    marks = np.zeros(values.shape, np.uint8)
    for at, value in np.ndenumerate(values):
        object_is_sure, background_is_sure = value > cut + sure * (values.max() - cut), value < (1 - sure) * cut
        marks[at] = 1 if object_is_sure else 0 if background_is_sure else 3 if value > cut else 2
    cv2.setRNGSeed(0)
    cv2.grabCut(pixels, marks, None, np.zeros((1, 65)), np.zeros((1, 65)), 1, cv2.GC_INIT_WITH_MASK)
    np.testing.assert_array_equal(grabcut(values, cut, pixels, sure=sure, iterations=1), (marks == 1) | (marks == 3))


def test_where_nothing_is_background_the_mask_stays():
    _, pixels, _ = scene()
    values = np.linspace(1, 2, 32 * 32, dtype=np.float32).reshape(32, 32)
    assert grabcut(values, 0.5, pixels).all()


def test_without_opencv_it_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "cv2", None)
    values, pixels, _ = scene()
    with pytest.raises(MissingExtra, match=r"OpenCV is not installed. Install it with: pip install .*\[grabcut\]"):
        grabcut(values, 0.3, pixels)
