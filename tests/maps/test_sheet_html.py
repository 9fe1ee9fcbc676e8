"""The fragment that notebooks show: every text escaped, what is left out said."""

from html.parser import HTMLParser

from PIL import Image

from seewhy.maps.sheet import SheetAnswer, SheetCell, SheetColumn, SheetRow
from seewhy.maps.sheet_html import fragment
from seewhy.maps.source import Predicted
from seewhy.pictures.thumbnails import Thumbnail

EVIL = '"><script>alert(1)</script>'
PICTURE = Thumbnail.of(Image.new("RGB", (8, 8), "red"), 8)


def tags(text: str) -> list[str]:
    met = []
    parser = HTMLParser()
    parser.handle_starttag = lambda tag, attrs: met.append(tag)
    parser.feed(text)
    return met


def test_a_row_shows_the_photo_its_answer_and_its_maps():
    column = SheetColumn("net", "", "grad-cam", (), "top 1", "layer4")
    cell = SheetCell("cup (3)", PICTURE, (), "inferno", "noisy", ("dim",), ("big",))
    answer = SheetAnswer("net", Predicted(3, "cup", 0.9), False)
    rows = [SheetRow("p/a.png", PICTURE, (answer,), {column: cell}, truth="bowl"), SheetRow("p/b.png", failure="broken")]
    text = fragment(rows, 3, 1)
    for words in ("a.png", "wrong: cup (3), 90.0 %", "truth: bowl", "cup (3)", "! dim", "big", "broken", "grad-cam: noisy",
                  "and 3 more maps: grid() draws more", "and 1 more image without a map: see failed"):  # fmt: skip
        assert f">{words}<" in text
    assert tags(text).count("img") == 2
    assert len(text) < 6000


def test_strangers_words_stay_words():
    column = SheetColumn(EVIL, EVIL, EVIL, (), EVIL, EVIL)
    cell = SheetCell(EVIL, PICTURE, (), EVIL, EVIL, (EVIL,), (EVIL,))
    answers = (SheetAnswer(EVIL, Predicted(1, EVIL, 0.5)), SheetAnswer(EVIL, None))
    text = fragment([SheetRow(EVIL, PICTURE, answers, {column: cell}, EVIL, EVIL, (EVIL,))])
    assert {*tags(text)} <= {"div", "table", "thead", "tbody", "tr", "th", "td", "img"}
