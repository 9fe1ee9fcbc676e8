"""The page of concepts: what was measured, the pictures beside it, and nothing from elsewhere."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise

import pytest

import seewhy
from seewhy.report.concepts import page_of, save_page
from support.pages import RIGHT, needs_browser, opened
from support.planted_patches import amounts, images, model, of_scenes

EVIL = '<script>alert(1)</script>" onload="x.png'


class Elements(HTMLParser):
    """All elements with their attributes, and the text between them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags, self.text = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += [" ".join(data.split())] * bool(data.strip())

    @property
    def words(self) -> str:
        return " ".join(self.text)


@pytest.fixture(scope="module")
def hostile():
    """The concepts of scenes, where a photo and a class are named by who means ill, and one photo is broken."""
    found = of_scenes()
    photos = tuple(replace(photo, name=EVIL) for photo in found.photos)
    importances = tuple(replace(each, words=EVIL) for each in found.importances)
    return replace(found, photos=photos, importances=importances, failed=(("bad.png", "bad.png is no image"),))


def test_what_was_measured_is_said():
    found = of_scenes()
    words = Elements(page_of(found)).words
    (each,) = found.importances
    mean, loss = each.mean(), each.mean("loss")
    for line in found.says:
        assert line in words
    for k in range(2):
        assert f"{mean.mean[k]:.2f} ({mean.low[k]:.2f} to {mean.high[k]:.2f})" in words
        ends = sorted(abs(value) for value in (loss.low[k], loss.high[k])) if loss.mean[k] < 0 and loss.high[k] < 0 else None
        fall = "rises" if loss.mean[k] < 0 else "falls"
        assert f"the score {fall} by {abs(loss.mean[k]):.2f} (" in words
        assert ends is None or f"({ends[0]:.2f} to {ends[1]:.2f})" in words
    assert words.count("Concept ") == 2


def test_an_answer_that_changes_is_told_with_what_it_becomes():
    found = of_scenes()
    (each,) = found.importances
    without = each.taken.copy()[:, None].repeat(2, 1)
    without[:3, 0] = (each.taken[:3] + 1) % 10
    without[3, 0] = without[0, 0]
    names = {int(without[0, 0]): "kite"}
    changed = replace(found, importances=(replace(each, taken_without=without),), names=names)
    count = int((without[:, 0] != each.taken).sum())
    words = Elements(page_of(changed)).words
    assert f"the answer changes (most often to kite) in {count} of 5 photos" in words
    assert "the answer stays the same in all of 5 photos" in words


def test_crops_and_maps_are_pictures_with_words(hostile):
    elements = Elements(page_of(hostile))
    pictures = [attrs for tag, attrs in elements.tags if tag == "img"]
    crops, photos = sum(map(len, hostile.typical)), sum(photo.maps[k].max() > 0 for photo in hostile.photos for k in range(2))
    assert len(pictures) == 2 + crops + photos  # and one of each in the table
    assert all(attrs["src"].startswith("data:image/jpeg;base64,") and attrs["alt"] for attrs in pictures)


def test_it_loads_nothing_and_obeys_nobody(hostile):
    page = page_of(hostile)
    elements = Elements(page)
    assert {tag for tag, _ in elements.tags}.isdisjoint({"script", "link", "iframe", "object"})
    assert not any(name.startswith("on") or name == "srcset" for _, attrs in elements.tags for name in attrs)
    assert all(attrs["href"].startswith("#") for tag, attrs in elements.tags if tag == "a")
    assert "http" not in page.replace("http-equiv", "")
    assert "url(" not in page
    (policy,) = [attrs["content"] for tag, attrs in elements.tags if attrs.get("http-equiv") == "Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert EVIL in elements.words
    assert "bad.png is no image" in elements.words


def test_links_lead_to_what_is_there_and_headings_do_not_skip():
    elements = Elements(page_of(of_scenes()))
    names = [attrs["id"] for _, attrs in elements.tags if "id" in attrs]
    assert len(names) == len({*names})
    assert {attrs["href"][1:] for tag, attrs in elements.tags if tag == "a"} <= {*names}
    levels = [int(tag[1]) for tag, _ in elements.tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_of_arrays_it_has_numbers_without_pictures():
    found = seewhy.concepts(model(), images(amounts(6)), "act", count=3, crops=0.5, samples=2)
    elements = Elements(page_of(found))
    assert not [tag for tag, _ in elements.tags if tag == "img"]
    assert "CRAFT: crops of 50 % of each side" in elements.words
    assert "image 0" in elements.words


@needs_browser
def test_a_browser_shows_it_on_every_screen(hostile, tmp_path):
    save_page(hostile, tmp_path / "page.html")
    assert opened(tmp_path / "page.html") == RIGHT
