"""A table of pictures: each stands under its title at its place, texts below, and what is left out is said."""

import numpy as np
import pytest
from PIL import Image

from seewhy.pictures import grid as module
from seewhy.pictures.grid import EDGE, GAP, GridBar, GridCell, GridTable, GridText, grid
from seewhy.pictures.lettering import Letters
from seewhy.pictures.render import Look
from seewhy.pictures.thumbnails import Thumbnail

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)


def plain(colour, width=100, height=60) -> GridCell:
    return GridCell(Thumbnail.of(Image.new("RGB", (width, height), colour), 100, "png"))


@pytest.fixture
def texts(monkeypatch):
    said = []
    usual = Letters.write
    monkeypatch.setattr(
        Letters, "write", lambda self, at, place, text, *a: (said.append(text), usual(self, at, place, text, *a))
    )
    return said


def boxes(picture: Image.Image, colour) -> tuple[int, int, int, int]:
    """(left, top, right, bottom) of all pixels of a colour."""
    rows, columns = np.nonzero((np.asarray(picture) == colour).all(-1))
    return columns.min(), rows.min(), columns.max() + 1, rows.max() + 1


def test_pictures_stand_in_their_columns_level_at_the_top():
    table = GridTable("", ["", "one", "two"], side=100)
    drawn = grid(table, [[plain(RED), plain(GREEN, 40, 100), None], [plain(BLUE), None, None]], 2)
    red, green, blue = (boxes(drawn, colour) for colour in (RED, GREEN, BLUE))
    assert (red[0], green[0]) == (EDGE, EDGE + 100 + GAP)
    assert (red[2] - red[0], red[3] - red[1]) == (100, 60)
    assert (green[2] - green[0], green[3] - green[1]) == (40, 100)
    assert red[1] == green[1]
    assert blue[1] >= green[3] + GAP
    assert blue[0] == EDGE
    assert drawn.width == 2 * EDGE + 3 * 100 + 2 * GAP


def test_titles_heading_texts_and_notes_are_written(texts):
    cell = plain(RED)._replace(texts=(GridText("cup (3)"), GridText("! dim", "red")))
    bar = GridBar(Look("inferno", 0, 1, 1), "least", "most", "evidence")
    grid(GridTable("grad-cam", ["", "top 1"], [bar], ["a caveat"], 200), [[plain(GREEN), cell]], 1)
    assert texts == ["grad-cam", "top 1", "cup (3)", "! dim", "evidence", "least", "most", "a caveat"]


def test_texts_without_a_picture_stand_at_the_top(monkeypatch):
    places = []
    usual = Image.Image.paste
    monkeypatch.setattr(
        Image.Image, "paste", lambda self, im, box=None, *m: (places.append((im, box)), usual(self, im, box, *m))
    )
    bare, full = GridCell(None, (GridText("image 0"),)), plain(RED)._replace(texts=(GridText("cup"),))
    drawn = grid(GridTable("", ["", ""], side=100), [[bare, full]], 1)
    lines = [box[1] for im, box in places if isinstance(im, Image.Image) and im.size[0] == 100 and im.size[1] != 60]
    assert lines == [GAP, GAP + 60 + GAP // 3]
    assert boxes(drawn, RED)[3] - boxes(drawn, RED)[1] == 60


def test_a_long_text_is_cut_and_says_so(texts):
    grid(GridTable("", [""], side=100), [[plain(RED)._replace(texts=(GridText("word " * 100),))]], 1)
    assert len(texts) == module.LINES
    assert texts[-1].endswith("...")


def test_rows_that_are_left_out_are_said(texts):
    grid(GridTable("", [""], side=100), [[plain(RED)], [plain(RED)]], 312)
    assert texts == ["The first 2 of 312 rows."]


def test_the_picture_is_bounded_but_shows_a_row(texts, monkeypatch):
    monkeypatch.setattr(module, "LARGEST", 320 * 200)
    assert grid(GridTable("", [""], side=100), [[plain(RED)]] * 50, 50).height < 300
    assert texts == ["The first 2 of 50 rows."]
    monkeypatch.setattr(module, "LARGEST", 1)
    texts.clear()
    grid(GridTable("", [""], side=100), [[plain(RED)]] * 50, 50)
    assert texts == ["The first 1 of 50 rows."]
