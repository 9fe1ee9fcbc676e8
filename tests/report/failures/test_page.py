"""The page of a report: what it says, and that nothing of strangers gets into its markup."""

import re
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from seewhy.dataset.failures.analysis import analyse
from seewhy.dataset.failures.words import says
from seewhy.errors import NotWritten
from seewhy.report.failures import page
from seewhy.report.failures.page import pages_of, save_report
from support.answered import answered
from support.reported import EVIL, info, photos

pytest.importorskip("sklearn")
VOID = {"meta", "br", "img", "input", "line", "rect", "circle"}


class Page(HTMLParser):
    """Elements with their attributes, the text between them outside of style and script, and whether all are closed in turn."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags, self.words, self.open = [], [], []
        self.feed(text)
        assert self.open == []
        self.text = " ".join(self.words)
        self.ids = [attrs["id"] for _, attrs in self.tags if "id" in attrs]

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        if not {"style", "script"} & {*self.open}:
            self.words += [" ".join(data.split())] * bool(data.strip())


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    return analyse(photos(tmp_path_factory.mktemp("photos")), total=30)


@pytest.fixture(scope="module")
def text(found):
    return pages_of(found, info(30)).page


def test_all_that_was_found_is_said(found, text):
    parsed = Page(text)
    for line in says(found):
        assert " ".join(line.split()) in parsed.text
    for words in ("net, weights.pt", "24 of 30, photos", "Right for the wrong reason", "Not done: it asks the model again"):
        assert words in parsed.text
    cards = [attrs for tag, attrs in parsed.tags if "data-kind" in attrs]
    assert [card["data-kind"] for card in cards] == ["wrong"] * 8 + ["right"] * 16
    sure = [float(card["data-sure"]) for card in cards[:8]]
    assert sure == sorted(sure, reverse=True)


def test_nothing_of_strangers_gets_into_the_markup(text):
    parsed = Page(text)
    assert EVIL in parsed.text
    assert sum(tag == "script" for tag, _ in parsed.tags) == 1
    assert not any(name.startswith("on") for _, attrs in parsed.tags for name in attrs)
    assert "\u202e" not in text
    assert "(2004 characters, cut)" in parsed.text


def test_ids_are_unique_and_every_link_leads_somewhere(text):
    parsed = Page(text)
    assert len({*parsed.ids}) == len(parsed.ids)
    links = [attrs["href"] for tag, attrs in parsed.tags if tag == "a"]
    assert {link[1:] for link in links} <= {*parsed.ids}
    for _, attrs in parsed.tags:
        assert {*attrs.get("aria-labelledby", "").split()} <= {*parsed.ids}


def test_each_picture_has_a_name_and_is_there_once(text):
    parsed = Page(text)
    pictures = [attrs for _, attrs in parsed.tags if attrs.get("role") == "img"]
    assert all(attrs["aria-label"].strip() for attrs in pictures)
    rules = re.findall(r"^\.(\w+(?:-\d)?)\{background-image", text, re.MULTILINE)
    assert len({*rules}) == len(rules) == 23 + 16 + 3 * 8  # the last photo is gone
    assert any("the photo is not there any more" in attrs["aria-label"] for attrs in pictures)


def test_the_script_is_the_one_that_the_page_allows_and_nothing_is_loaded(text):
    from base64 import b64encode
    from hashlib import sha256

    (script,) = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    assert f"script-src 'sha256-{b64encode(sha256(script.encode()).digest()).decode()}'" in text
    assert "default-src 'none'; img-src data:" in text
    assert re.findall(r"(?:src|href)=\"(?!#)[^\"]*\"|@import|url\((?!data:)", text) == []


def test_tables_have_heads(text):
    parsed = Page(text)
    heads = [attrs.get("scope") for tag, attrs in parsed.tags if tag == "th"]
    assert heads
    assert {*heads} == {"col", "row"}


@pytest.mark.parametrize(
    ("some", "words"),
    [
        ([], "The run has no photos yet."),
        ([answered(0, 0, 0)], "100.0 % (1 of 1; "),
        ([answered(i, 0, 1) for i in range(25)], "25 wrong answers, of which the run has features of 0"),
        ([answered(i, None, 1) for i in range(3)], "No truth is known"),
        ([answered(0, 0, 0, error="BadImage: no image", maps=[], predicted=None)], "BadImage: no image"),
        ([answered(0, 0, 0, size=None, maps=[])], "the photo is not there any more"),
    ],
    ids=["empty", "one", "all wrong", "no truth", "failed", "bare"],
)  # fmt: skip
def test_odd_runs_have_a_page_too(some, words):
    parsed = Page(pages_of(analyse(some), info(len(some))).page)
    assert words in parsed.text
    judged = any(photo.truth and not photo.error for photo in some)
    assert ("Suspected labels" in parsed.text) == judged


def test_500_photos_take_less_than_5_mb_and_more_go_into_a_folder(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 255, (240, 320, 3), np.uint8)).save(tmp_path / "noise.png")  # the worst of all to compress
    kept = Image.open(tmp_path / "noise.png")
    monkeypatch.setattr("seewhy.report.failures.pictures.read", lambda *_: type("Read", (), {"pixels": kept}))
    some = photos(tmp_path, 60, path=str(tmp_path / "noise.png"))
    monkeypatch.setattr(page, "PHOTOS", 50)
    monkeypatch.setattr(page, "ROOM", page.ROOM // 10)
    written = save_report(analyse(some), info(60), tmp_path / "r.html")
    assert [path.relative_to(tmp_path).as_posix() for path in written] == ["r.html", "r-photos/photos-2.html"]
    assert written[0].stat().st_size < 5_000_000 / 10 + 30_000  # the words that all pages have, and the script
    first, second = (Page(path.read_text("utf-8")) for path in written)
    assert ("a", {"href": "r-photos/photos-2.html"}) in first.tags
    items = [[attrs["id"] for _, attrs in one.tags if "data-kind" in attrs] for one in (first, second)]
    assert [len(some) for some in items] == [50, 10]
    assert len({*items[0], *items[1]}) == 60


def test_photos_in_archives_and_of_windows_have_their_own_names():
    some = [answered(0, 0, 0, path="zip://cats/1.jpg::/data/photos.zip"), answered(1, 0, 0, path="C:\\cats\\2.jpg")]
    parsed = Page(pages_of(analyse(some), info(2)).page)
    assert {"1.jpg", "2.jpg"} <= {*parsed.words}


def test_a_page_that_cannot_be_written_is_an_error(found, tmp_path, monkeypatch):
    with pytest.raises(NotWritten, match=r"r\.html"):
        save_report(found, info(30), tmp_path / "no" / "r.html")
    monkeypatch.setattr(page, "PHOTOS", 10)
    (tmp_path / "r-photos").write_text("a file where the folder belongs")
    with pytest.raises(NotWritten, match="r-photos"):
        save_report(found, info(30), tmp_path / "r.html")
