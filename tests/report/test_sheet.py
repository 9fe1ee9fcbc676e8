"""The page of all maps: what it says, that it obeys no stranger, and that its script puts rows in order."""

import json
import re
import shutil
import subprocess
from base64 import b64encode
from hashlib import sha256
from html.parser import HTMLParser

import pytest
from PIL import Image

from seewhy import Heatmap
from seewhy.errors import BadImage
from seewhy.maps.made_here import made_here
from seewhy.maps.sheet import ORDERS, SheetAnswer, SheetCell, SheetColumn, SheetRow, in_order
from seewhy.maps.source import Predicted
from seewhy.pictures.thumbnails import Thumbnail
from seewhy.report import sheet as module
from seewhy.report.sheet import Sheet
from support.pages import RIGHT, needs_browser, opened

COLUMN = SheetColumn("net", "w.pth", "grad-cam", (), "top 1", "layer4")
OTHER = COLUMN._replace(method="rise")
EVIL = '<script>alert(1)</script>" onload="x'


def picture(side: int = 8) -> Thumbnail:
    return Thumbnail.of(Image.new("RGB", (side, side), "red"), side)


def row(name="a.png", probability=0.9, right=None, label="cup", **facts) -> SheetRow:
    cell = SheetCell(f"{label} (3)", picture(), (f"{name}.grad-cam.png", f"{name}.grad-cam.error.png"), "inferno", "noisy")
    answers = (SheetAnswer("net", Predicted(3, label, probability), right),)
    return SheetRow(name, picture(), answers, {COLUMN: cell}, **facts)


class Page(HTMLParser):
    """All elements with their attributes, and the visible text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags, self.text, self.hidden = [], [], False
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.hidden = tag in ("script", "style")

    def handle_endtag(self, tag):
        self.hidden = False

    def handle_data(self, data):
        self.text += [] if self.hidden or not data.strip() else [" ".join(data.split())]

    def all(self, tag: str) -> list[dict]:
        return [attrs for name, attrs in self.tags if name == tag]


def test_a_row_says_what_there_is():
    shown = Page(Sheet([row(truth="bowl (4)", facts=("big",), right=False), row("b.png", failure="no map")]).page())
    for text in ("2 photos: grad-cam, top 1, at layer4, of net", "a.png", "wrong: cup (3), 90.0 %", "truth: bowl (4)", "big",
                 "cup (3)", "no map", "noisy", "least", "most"):  # fmt: skip
        assert text in shown.text
    assert [link["href"] for link in shown.all("a")][:2] == ["./a.png.grad-cam.png", "./a.png.grad-cam.error.png"]


def test_the_page_asks_nobody_for_anything():
    text = Sheet([row()]).page()
    sources = [attrs.get("src", "") for attrs in Page(text).all("img")]
    assert all(source.startswith("data:image/") for source in sources)
    assert len(sources) == 3  # the photo, the map, the colours
    assert "http:" not in text
    assert "https:" not in text


@needs_browser
def test_in_a_browser_nothing_is_asked_for_and_nothing_hangs_over_the_edge(tmp_path):
    """Many methods, names longer than a phone is wide, a photo that failed."""
    columns = [COLUMN._replace(method=f"a-method-{i}", target=f"top {i}") for i in range(9)]
    long = "a-long-name-" * 9
    cell = SheetCell(long, picture(160), (f"{long}.png",), "inferno", long)
    answers = row(label=long).answers
    cells = dict.fromkeys(columns, cell)
    rows = [SheetRow(f"{long}{i}.png", picture(160), answers, cells, failure="no map" * (i == 2), truth=long) for i in range(3)]
    (tmp_path / "index.html").write_text(Sheet(rows).page(), "utf-8")
    assert opened(tmp_path / "index.html") == RIGHT


def test_strangers_words_stay_words():
    cell = SheetCell(EVIL, picture(), (f"{EVIL}.png",), "inferno", EVIL, (EVIL,), (EVIL,))
    answer = SheetAnswer(EVIL, Predicted(1, EVIL, 0.5), False)
    column = SheetColumn(EVIL, EVIL, EVIL, ((EVIL, EVIL),), EVIL, EVIL)
    evil = SheetRow(EVIL, picture(), (answer, answer), {column: cell, OTHER: cell}, EVIL, EVIL, (EVIL,))
    shown = Page(Sheet([evil], remarks=[EVIL], notes={EVIL: EVIL}).page())
    assert len(shown.all("script")) == 1
    assert not [attrs for _, attrs in shown.tags if "onload" in attrs]
    assert all(link["href"].startswith("./%3Cscript%3E") for link in shown.all("a"))


def test_its_own_script_alone_may_run():
    shown, text = Page(page := Sheet([row()]).page()), re.search(r"<script>(.*)</script>", page, re.S).group(1)
    (policy,) = [meta["content"] for meta in shown.all("meta") if meta.get("http-equiv") == "Content-Security-Policy"]
    digest = b64encode(sha256(text.encode()).digest()).decode()
    assert "default-src 'none'" in policy
    assert f"script-src 'sha256-{digest}'" in policy


def test_a_map_without_its_picture_is_shown_from_its_file():
    light = row()
    (cell,) = light.cells.values()
    bare = SheetCell(cell.says, cell.picture._replace(content=b""), ("a b#?.png",))
    shown = Page(Sheet([SheetRow("a.png", cells={COLUMN: bare})]).page())
    assert shown.all("img")[0]["src"] == "./a%20b%23%3F.png"
    assert shown.all("img")[0]["loading"] == "lazy"


def test_rows_beyond_the_most_are_counted(monkeypatch):
    monkeypatch.setattr(module, "SHOWN", 2)
    shown = Page(Sheet([row(f"{i}.png") for i in range(5)]).page())
    assert "The first 2 of 5 rows; the maps of the others are files beside this page." in shown.text
    assert len(shown.all("tr")) == 3


def test_photos_are_counted_not_their_rows():
    assert Sheet([row("a.png"), row("a.png"), row("b.png")]).heading.startswith("2 photos")


ROWS = [row("b", 0.5), SheetRow("c", failure="x"), row("a", 0.9, True), row("e", 0.6, False), row("d", 0.95, False)]


def names(page: str) -> list[str]:
    return re.findall(r'data-name="(\w)"', page)


@pytest.mark.parametrize("order", ORDERS)
def test_rows_come_as_asked(order):
    assert names(Sheet(ROWS, order).page()) == [r.image for r in in_order(ROWS, order)]


@pytest.mark.skipif(shutil.which("node") is None, reason="there is no node to run the page's script")
@pytest.mark.parametrize("order", ORDERS)
def test_the_script_puts_rows_in_the_same_orders(order):
    page = Sheet(ROWS).page()
    tags = [dict(re.findall(r'data-(\w+)="([^"]*)"', tag)) for tag in re.findall(r"<tr data-[^>]*>", page)]
    script = f"""
        let click, sorted;
        const buttons = {{hidden: true, addEventListener: (_, f) => click = f, querySelectorAll: () => []}};
        const table = {{rows: {json.dumps(tags)}.map((dataset) => ({{dataset}})), append: (...rows) => sorted = rows}};
        globalThis.document = {{querySelector: (name) => name === "nav" ? buttons : table}};
        {{ {module.files("seewhy.report").joinpath("sheet.js").read_text("utf-8")} }}
        click({{target: {{dataset: {{key: "{order}"}}}}}});
        console.log(sorted.map((row) => row.dataset.name).join(" "), buttons.hidden);"""
    done = subprocess.run(["node", "-e", script], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.split() == [*(r.image for r in in_order(ROWS, order)), "false"]


def test_wrong_first_is_offered_where_the_truth_is_known():
    keys = [button["data-key"] for button in Page(Sheet(ROWS).page()).all("button")]
    assert keys == ["given", "name", "confidence", "doubt", "wrong"]
    assert "wrong" not in [button["data-key"] for button in Page(Sheet([row()]).page()).all("button")]


def test_page_and_picture_are_known_as_our_own_and_always_the_same(tmp_path):
    for name in ("one", "two"):
        Sheet(ROWS).save_page(tmp_path / f"{name}.html", False)
        Sheet(ROWS).save_picture(tmp_path / f"{name}.png", False)
    for ending in ("html", "png"):
        assert made_here(tmp_path / f"one.{ending}")
        assert (tmp_path / f"one.{ending}").read_bytes() == (tmp_path / f"two.{ending}").read_bytes()
    with Image.open(tmp_path / "one.png") as drawn:
        assert drawn.height > 5 * 8


def test_the_picture_of_many_maps_has_no_one_source(tmp_path):
    Sheet(ROWS).save_picture(tmp_path / "sheet.png", False)
    with pytest.raises(BadImage, match="shows many maps"):
        Heatmap.source_of(tmp_path / "sheet.png")
