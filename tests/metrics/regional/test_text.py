"""Where text stands on photos."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from seewhy.errors import MissingExtra
from seewhy.metrics.regional import text
from seewhy.metrics.regional.text import text_on


@pytest.fixture(autouse=True)
def unread():
    """No reader is kept from test to test."""
    text._reader.cache_clear()
    yield
    text._reader.cache_clear()


def reader(monkeypatch, found):
    """A module of RapidOCR's that finds this on every photo; gives the photos that it was shown."""
    shown = []

    def read(photo):
        shown.append(photo)
        return found

    monkeypatch.setitem(sys.modules, "rapidocr", SimpleNamespace(RapidOCR=lambda params: read))
    return shown


def test_lines_that_are_read_surely_are_where_their_outlines_are(monkeypatch):
    boxes = [[[2, 3], [12, 3], [12, 8], [2, 8]], [[20, 20], [30, 20], [30, 30], [20, 30]]]
    shown = reader(monkeypatch, SimpleNamespace(boxes=np.array(boxes, np.float32), scores=(0.9, 0.6), txts=("a", "b")))
    found = text_on(Image.new("RGB", (40, 30), (255, 0, 0)))
    expected = np.zeros((30, 40), bool)
    expected[3:8, 2:12] = True
    np.testing.assert_array_equal(found, expected)
    assert shown[0][0, 0].tolist() == [0, 0, 255]  # blue first


def test_where_nothing_is_found_there_is_no_text(monkeypatch):
    reader(monkeypatch, SimpleNamespace(boxes=None, scores=None, txts=None))
    assert not text_on(Image.new("RGB", (40, 30))).any()


def test_without_the_library_it_is_said_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "rapidocr", None)
    with pytest.raises(MissingExtra, match=r"\[text\]"):
        text_on(Image.new("RGB", (40, 30)))


def test_written_words_are_found_where_they_stand():
    pytest.importorskip("rapidocr")
    photo = Image.new("RGB", (320, 240), (90, 120, 90))
    ImageDraw.Draw(photo).text((40, 180), "STOCK PHOTO", fill="white", font=ImageFont.load_default(28))
    found = text_on(photo)
    ys, xs = found.nonzero()
    assert 25 <= xs.min() <= 50
    assert 170 <= ys.min() <= 200
    assert ys.max() <= 230
    assert not text_on(Image.new("RGB", (320, 240), (90, 120, 90))).any()
