"""The board of the best and the worst."""

import numpy as np
import pytest
from PIL import Image

from seewhy.errors import BadParameter
from seewhy.metrics.localization import board as module
from seewhy.metrics.localization.board import BoardPhoto, board, marked
from seewhy.pictures.outlines import COLOURS

WHITE = Image.new("RGB", (200, 100), "white")


def photo(name, overlap, found=(20, 10, 120, 60)):
    return BoardPhoto(name, WHITE, found, [(60, 30, 180, 90)], overlap, 0.5)


def texts(monkeypatch, photos, **how):
    """What stands below each photo, row by row."""
    rows = []
    monkeypatch.setattr(module, "grid", lambda table, cells, count: rows.extend(cells) or WHITE)
    board(photos, **how)
    return [[[text.text for text in cell.texts] for cell in row] for row in rows]


def test_the_best_come_first_on_the_left_and_the_worst_on_the_right(monkeypatch):
    overlaps = {"a": 0.2, "b": 0.9, "c": 0.0, "d": 0.5, "e": 0.7}
    rows = texts(monkeypatch, (photo(name, overlap) for name, overlap in overlaps.items()), most=2)
    assert [[cell[1] for cell in row] for row in rows] == [["b", "c"], ["e", "a"]]
    assert rows[0][0][0] == "IoU 0.90, score 0.50"


def test_of_equals_the_first_is_shown(monkeypatch):
    rows = texts(monkeypatch, [photo(name, 0.5) for name in "abc"], most=1)
    assert [[cell[1] for cell in row] for row in rows] == [["a", "a"]]


def test_a_photo_without_a_box_says_so(monkeypatch):
    none = BoardPhoto("a\nb", WHITE, None, [(0, 0, 50, 50)], 0.0, says="tabby")
    assert texts(monkeypatch, [none])[0][0] == ["no box. tabby", "a b"]


def test_pictures_are_made_of_those_alone_that_may_be_shown(monkeypatch):
    made = []
    monkeypatch.setattr(module, "marked", lambda photo, side: made.append(photo.name) or WHITE)
    board([photo(str(k), overlap) for k, overlap in enumerate([0.1, 0.9, 0.5, 0.5, 0.5])], most=1)
    assert made == ["0", "1"]


def test_found_and_true_boxes_lie_where_they_are_and_are_told_apart():
    """On a grey photo of twice the size: the found one in orange, the true one black and white."""
    grey = BoardPhoto("a", Image.new("RGB", (200, 100), (90, 90, 90)), (20, 10, 120, 60), [(60, 30, 180, 90)], 0.5)
    picture = np.asarray(marked(grey, 400))
    assert picture.shape == (200, 400, 3)  # small photos are enlarged
    found, white = (picture == COLOURS[0]).all(-1), (picture == 255).all(-1)
    rows, columns = np.nonzero(found)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (20, 119, 40, 239)
    rows, columns = np.nonzero(white)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == pytest.approx((60, 179, 120, 359), abs=8)
    assert 0.3 < white[100:175, 359].mean() < 0.7  # in stripes


def test_boxes_of_hardly_a_pixel_are_drawn():
    tiny = BoardPhoto("a", Image.new("RGB", (2000, 1000)), (1999, 999, 2000, 1000), [(0, 0, 1, 1)], 0.0)
    assert (np.asarray(marked(tiny, 100)) == COLOURS[0]).all(-1)[-2:, -2:].all()


def test_a_whole_board_is_a_picture():
    picture = board([photo("a", 0.9), photo("b", 0.1)], most=3, side=120)
    assert picture.mode == "RGB"
    assert COLOURS[0] in {colour for _, colour in picture.getcolors(10**6)}


def test_without_photos_there_is_none():
    with pytest.raises(BadParameter, match="no photos to show"):
        board([])
    with pytest.raises(BadParameter, match="most is a whole number"):
        board([photo("a", 1)], most=0)
