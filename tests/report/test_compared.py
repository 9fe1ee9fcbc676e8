"""The page of a comparison: the words, the numbers beside the pictures, and nothing from elsewhere."""

import io
import re
from base64 import b64decode
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

import seewhy
from seewhy import demo
from seewhy.errors import BadImage
from seewhy.maps.heatmaps import Failed
from seewhy.metrics import planted
from seewhy.metrics.verdict.grid import ShownGrid
from seewhy.metrics.verdict.outcome import ComparedPhoto, MethodComparison
from seewhy.pictures.thumbnails import Thumbnail
from seewhy.report.compared import SIDE, page_of, save_page
from support.pages import RIGHT, needs_browser, opened

EVIL = '<script>alert(1)</script>" onload="x.png'
METHODS = ("grad-cam", "gradient", "random-map")
DELETION = {"grad-cam": [0.5, 0.61, 0.42], "gradient": [0.1, 0.2, 0.15], "random-map": [0.0, -0.05, 0.03]}


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


@pytest.fixture(scope="module")
def found():
    images = [scene.image for scene in demo.scenes(3, 31, pair=True)]
    maps = seewhy.explain(seewhy.load("demo/honest"), images, METHODS)
    photos = tuple(
        ComparedPhoto(
            EVIL if place == 2 else f"{place}.png", place, "car", {(m, "deletion"): DELETION[m][place] for m in METHODS}
        )
        for place in (1, 0, 2)
    )
    examples = {place: {m: maps.where(image=place, method=m)[0] for m in METHODS} for place in range(3)}
    failed = (Failed(3, "bad.png", BadImage("bad.png is no picture")),)
    costs = dict.fromkeys(METHODS, "a forward")
    return MethodComparison("net", "layer4", costs, photos, 4, 0, 2.0, failed, (), ("a note",), examples=examples)


def test_all_that_was_found_is_said(found):
    text = " ".join(Elements(page_of(found)).text)
    for each in (*found.says, "3 of 4 photos, 2 seconds, seed 0", "a note", "bad.png is no picture", "0.510 (0.420 to 0.610)"):
        assert each in text


def test_it_loads_nothing_and_obeys_nobody(found):
    page = page_of(found)
    elements = Elements(page)
    assert all(attrs["src"].startswith("data:image/jpeg;base64,") for tag, attrs in elements.tags if tag == "img")
    assert {tag for tag, _ in elements.tags}.isdisjoint({"script", "link", "iframe", "a", "object"})
    assert not any(name.startswith("on") or name in ("href", "srcset") for _, attrs in elements.tags for name in attrs)
    assert "http" not in re.sub(r"http-equiv", "", page)
    assert "url(" not in page
    (policy,) = [attrs["content"] for tag, attrs in elements.tags if attrs.get("http-equiv") == "Content-Security-Policy"]
    assert "default-src 'none'" in policy


def test_the_best_and_the_worst_photo_stand_with_their_numbers(found):
    """Grad-CAM leads: its best photo is 1, its worst 2."""
    words = Elements(page_of(found)).text
    at = words.index("Pictures behind it: where grad-cam does best and worst, with each method's number")
    behind = [each for each in words[at:] if re.fullmatch(r"-?0\.\d{3}", each)]
    assert behind == ["0.610", "0.200", "-0.050", "0.420", "0.150", "0.030"]
    assert [each for each in words[at:] if each in ("best", "worst")] == ["best", "worst"]


def test_the_pictures_are_those_of_the_maps(found):
    drawn = {attrs["alt"]: attrs["src"] for tag, attrs in Elements(page_of(found)).tags if tag == "img"}
    content = b64decode(drawn["grad-cam on 1.png"].partition(",")[2])
    with Image.open(io.BytesIO(content)) as picture:
        shown = picture.convert("RGB")
    own = found.examples[1]["grad-cam"].drawn().convert("RGB").resize(shown.size)
    assert np.abs(np.asarray(shown, float) - np.asarray(own, float)).mean() < 6
    assert f"gradient on {EVIL}" in drawn


def test_it_is_saved(found, tmp_path):
    save_page(found, tmp_path / "page.html")
    assert (tmp_path / "page.html").read_text("utf-8") == page_of(found)


def test_of_prepared_images_there_are_maps_without_photos(found):
    bare = {place: {m: replace(each, image=None) for m, each in maps.items()} for place, maps in found.examples.items()}
    images = [attrs["alt"] for tag, attrs in Elements(page_of(replace(found, examples=bare))).tags if tag == "img"]
    assert "1.png" not in images
    assert "grad-cam on 1.png" in images


def test_grids_have_pictures_of_their_own(found):
    board = Image.new("RGB", (64, 64), "white")
    grids = {place: ShownGrid(board, 1, {m: found.examples[place][m] for m in METHODS[:2]}) for place in (1, 0)}
    share = {0: 0.3, 1: 0.9, 2: 0.5}
    photos = tuple(photo._replace(values={**photo.values, ("grad-cam", "grid"): share[photo.place]}) for photo in found.photos)
    elements = Elements(page_of(replace(found, photos=photos, grids=grids)))
    at = elements.text.index("grid")
    assert [each for each in elements.text[at:] if each in ("0.900", "0.300")] == ["0.900", "0.300"]
    drawn = {attrs["alt"]: attrs["src"] for tag, attrs in elements.tags if tag == "img"}
    assert drawn["grad-cam on 1.png"] != drawn["gradient on 1.png"]
    pictures = [attrs["src"] for tag, attrs in elements.tags if tag == "img" and attrs["alt"] == "grad-cam on 1.png"]
    assert Thumbnail.of(grids[1].drawn("grad-cam", SIDE), SIDE).address == pictures[-1] != pictures[0]


@needs_browser
def test_in_a_browser_nothing_is_asked_for_and_nothing_hangs_over_the_edge(found, tmp_path):
    """With names longer than a phone is wide, and as many methods as one may compare."""
    many = {f"method-{i}": "gradient" for i in range(9)} | {method: method for method in METHODS}
    photos = tuple(
        photo._replace(
            name=f"{'a-long-name-' * 9}{photo.name}",
            values={(name, "deletion"): DELETION[of][photo.place] for name, of in many.items()},
        )
        for photo in found.photos
    )
    examples = {place: {name: maps[of] for name, of in many.items()} for place, maps in found.examples.items()}
    board = ShownGrid(Image.new("RGB", (64, 64), "white"), 1, examples[0])
    save_page(
        replace(found, photos=photos, examples=examples, costs=dict.fromkeys(many, "a forward"), grids={0: board}),
        tmp_path / "page.html",
    )
    assert opened(tmp_path / "page.html") == RIGHT


def test_planted_marks_have_their_part(found):
    photos = [scene.image for scene in demo.scenes(36, 31, pair=True)]
    truth = planted(seewhy.load("demo/honest"), photos, ["grad-cam"])
    elements = Elements(page_of(found, [truth]))
    assert all(line in " ".join(elements.text) for line in truth.says)
    shown = [attrs["alt"] for tag, attrs in elements.tags if tag == "img" and "with a mark" in attrs["alt"]]
    assert shown == [f"{each.source.method} on a photo with a mark" for each in truth.examples]
    assert "planted marks" not in page_of(found)
