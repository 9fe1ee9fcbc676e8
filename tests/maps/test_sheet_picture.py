"""What a sheet says in words: answers, names, colours, caveats."""

import pytest

from seewhy.maps.sheet import SheetAnswer, SheetCell, SheetColumn, SheetRow
from seewhy.maps.sheet_picture import PICTURE_BARS, caveats_of, colour_bar, drawn_sheet, said, short_names
from seewhy.maps.source import Predicted
from seewhy.pictures.lettering import Letters
from seewhy.pictures.render import PICTURES

COLUMN = SheetColumn("net", "", "grad-cam", (), "top 1", "layer4")
CUP = Predicted(3, "cup, mug", 0.944)


@pytest.fixture
def texts(monkeypatch):
    found = []
    monkeypatch.setattr(Letters, "write", lambda self, picture, at, text, *more: found.append(text))
    return found


def test_answers_say_whether_they_are_right():
    assert said(SheetAnswer("net", CUP)) == "cup (3), 94.4 %"
    assert said(SheetAnswer("net", CUP, True)) == "right: cup (3), 94.4 %"
    assert said(SheetAnswer("net", CUP, False)) == "wrong: cup (3), 94.4 %"
    assert said(SheetAnswer("net", Predicted(3, None, 1.0))) == "class 3, 100.0 %"
    assert said(SheetAnswer("net", None)) == "no classes"


def test_names_lose_the_folder_that_they_share():
    assert short_names(["x/y/a.png", "x/y/b.png"]) == ["a.png", "b.png"]
    assert short_names(["x/a.png", "x/y/b.png"]) == ["a.png", "y/b.png"]
    assert short_names(["/x/a.png", "b.png"]) == ["/x/a.png", "b.png"]
    assert short_names(["image 0"]) == ["image 0"]
    assert short_names([]) == []


def test_colours_are_explained_with_numbers_where_one_scale_holds():
    assert colour_bar("inferno", None)[1:3] == ("least", "most")
    assert colour_bar("blue-red", None)[1:3] == ("against", "for")
    assert colour_bar("inferno", (0.5, 2.0))[1:3] == ("0.5", "2")


def test_pictures_of_pixels_say_what_their_colours_mean():
    assert {*PICTURES} <= {*PICTURE_BARS}
    for kind in PICTURES:
        assert colour_bar(kind, (0.5, 2.0)).words.startswith(f"{kind}: ")  # such a picture takes no scale
        assert "colours end at the 99th percentile" in colour_bar(kind, None).words
    assert "zero grey" in colour_bar("colour", None).words
    assert colour_bar("signed", None).look.centred


def test_truth_facts_failures_and_warnings_are_written(texts):
    cell = SheetCell("cup (3)", None, (), "inferno", "noisy", ("dim",), ("61 % in the box",))
    rows = [
        SheetRow("p/a.png", answers=(SheetAnswer("net", CUP, False),), cells={COLUMN: cell}, truth="bowl (4)", facts=("big",)),
        SheetRow("p/b.png", failure="it is no picture"),
    ]
    drawn_sheet(rows, 400, 50)
    for text in ("a.png", "wrong: cup (3), 94.4\u00a0%", "truth: bowl (4)", "big", "61\u00a0% in the box", "! dim",
                 "b.png", "it is no picture", "grad-cam: noisy"):  # fmt: skip
        assert text in texts
    assert caveats_of(rows) == {"grad-cam": "noisy"}


def test_two_models_answer_under_their_names(texts):
    rows = [SheetRow("a.png", answers=(SheetAnswer("one", CUP), SheetAnswer("two", None)))]
    drawn_sheet(rows, 400, 50)
    assert {"one: cup (3), 94.4\u00a0%", "two: no classes"} <= {*texts}
