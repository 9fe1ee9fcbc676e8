"""The map opened in a real browser: points drawn, a lasso, thumbnails, neighbours, by mouse and by keyboard."""

import numpy as np
import pytest
from PIL import Image

from seewhy.inside.embeddings.embedding import Embedding, EmbeddingFacts
from seewhy.inside.embeddings.layout import MapLayout
from seewhy.inside.embeddings.photo_table import EmbeddedPhotos, PhotoRecord
from seewhy.inside.embeddings.projection import Projection
from seewhy.maps.source import ModelFacts
from seewhy.pictures.scatter import PALETTE
from seewhy.report.embedding_map.page import save_map
from support.pages import browser, needs_browser

pytestmark = needs_browser
COUNT = 40


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """Photos in a row of eight by five, of which the left half is of one class; photo 7 is red."""
    folder = tmp_path_factory.mktemp("map")
    places = np.array([(i % 8, -(i // 8)) for i in range(COUNT)], np.float32)
    known = []
    for i in range(COUNT):
        Image.new("RGB", (60, 40), (220, 0, 0) if i == 7 else (0, 120, 0)).save(folder / f"{i}.png")
        known.append(PhotoRecord(i, str(folder / f"{i}.png"), (int(i % 8 > 3),), int(i % 8 > 3), 1.0, 0.5, 0.5))
    photos = EmbeddedPhotos.of(known, ("cat", "dog"))
    one = Embedding(places, photos, EmbeddingFacts(ModelFacts("net", None, {}), "body", data="photos"))
    layout = MapLayout(places, "pca", {"metric": "euclidean"}, 0.9, 0.9, COUNT)
    save_map(one, Projection(layout, photos, "features of net at body"), folder / "map.html")
    return one, (folder / "map.html").as_uri()


@pytest.fixture(scope="module")
def program():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as running:
        opened = running.chromium.launch(executable_path=browser(), args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def opened(program, saved):
    """The page, and what went wrong or was asked for."""
    context = program.new_context(viewport={"width": 1200, "height": 800})
    page, noted = context.new_page(), []
    page.on("console", lambda message: noted.append(message.text))
    page.on("pageerror", lambda error: noted.append(str(error)))
    page.on("request", lambda request: noted.append(request.url) if not request.url.startswith("data:") else None)
    page.goto(saved[1])
    page.wait_for_function("document.getElementById('count').textContent.startsWith('40 of 40')")
    yield page, noted
    context.close()


def place(page, i):
    """Where on the page photo i lies: the square of points has 92 % of the shorter side, both axes alike."""
    box = page.locator("#plane").bounding_box()
    scale = 0.92 * min(box["width"], box["height"])
    return (
        box["x"] + box["width"] / 2 + (i % 8 - 3.5) / 7 * scale,
        box["y"] + box["height"] / 2 + (i // 8 - 2) / 7 * scale,
    )


def pixels(page, x, y):
    """The colour of the canvas at a place of the page."""
    return page.evaluate(
        """([x, y]) => { const c = document.getElementById("plane"), b = c.getBoundingClientRect(), r = c.width / b.width;
        return [...c.getContext("2d").getImageData((x - b.left) * r, (y - b.top) * r, 1, 1).data].slice(0, 3); }""",
        [x, y],
    )


def test_points_are_drawn_where_they_lie_and_nothing_is_asked_for(opened, saved):
    page, noted = opened
    assert noted == [saved[1]]
    page.wait_for_timeout(50)
    drawn = [tuple(pixels(page, *place(page, i))) for i in range(COUNT)]
    assert drawn == [PALETTE[int(i % 8 > 3)] for i in range(COUNT)]


def test_a_lasso_chooses_what_lies_in_it(opened, saved):
    page, _ = opened
    page.locator("#plane").focus()
    page.keyboard.press("l")
    (left, top), (right, bottom) = place(page, 9), place(page, 27)  # rows 1 to 3, columns 1 to 3
    page.mouse.move(left - 15, top - 15)
    page.mouse.down()
    for corner in ((right + 15, top - 15), (right + 15, bottom + 15), (left - 15, bottom + 15), (left - 15, top - 15)):
        page.mouse.move(*corner, steps=3)
    page.mouse.up()
    chosen = page.locator("#paths").input_value().splitlines()
    assert chosen == [saved[0].photos.paths[row * 8 + column] for row in (1, 2, 3) for column in (1, 2, 3)]
    assert page.locator("#chosen-says").inner_text() == "9 photos: 9 cat."
    page.keyboard.press("Escape")
    assert not page.locator("#chosen").is_visible()


def test_hovering_shows_the_photo_and_a_click_pins_it_beside_its_neighbours(opened, saved):
    page, _ = opened
    page.mouse.move(*place(page, 7))
    assert "7.png" in page.locator("#tip").inner_text()
    page.wait_for_function(
        """() => { const c = document.querySelector("#tip canvas"), pen = c.getContext("2d");
        const d = pen.getImageData(c.width / 2, c.height / 2, 1, 1).data;
        return d[0] > 180 && d[1] < 60; }"""
    )  # the red one
    page.mouse.down()
    page.mouse.up()
    near = page.locator("#pinned .near button").evaluate_all("all => all.map((each) => each.title)")
    expected = [saved[0].photos.paths[j] for j in saved[0].all_neighbours(10, "euclidean")[7]]
    assert near == expected
    assert page.locator("#pinned a").get_attribute("href") == "./7.png"


def test_the_keyboard_goes_from_photo_to_photo(opened):
    page, _ = opened
    page.locator("#plane").focus()
    page.mouse.move(5, 5)
    page.keyboard.press("ArrowRight")
    first = int(page.locator("#said").inner_text().split(".")[0])
    page.keyboard.press("ArrowRight")
    assert int(page.locator("#said").inner_text().split(".")[0]) == first + 1
    page.keyboard.press("ArrowDown")
    assert int(page.locator("#said").inner_text().split(".")[0]) == first + 9
    page.keyboard.press("Enter")
    assert f"{first + 9}.png" in page.locator("#pinned").inner_text()
    page.keyboard.press("v")
    assert len(page.locator("#paths").input_value().splitlines()) == COUNT


def test_colours_are_switched_and_what_is_found_stays(opened):
    page, _ = opened
    page.locator("#colour").select_option(label="right or wrong")
    assert page.locator("#key").inner_text().split() == ["right", "40"]
    page.locator("#colour").select_option("0")
    page.locator("#find").fill("dog")
    page.wait_for_function("document.getElementById('count').textContent.startsWith('20 of')")
    page.locator("#find").fill("")
    page.locator("#key button").first.click()
    page.wait_for_function("document.getElementById('count').textContent.startsWith('20 of')")


def test_all_has_names_and_nothing_sticks_out_on_a_phone(opened):
    page, _ = opened
    nameless = page.evaluate("""[...document.querySelectorAll("button, select, input, textarea, a, canvas, img")].filter((e) =>
        !(e.labels?.length || e.getAttribute("aria-label") || e.alt || e.textContent.trim())).map((e) => e.outerHTML)""")
    assert nameless == []
    page.set_viewport_size({"width": 360, "height": 700})
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_without_scripts_there_is_the_picture(program, saved):
    context = program.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(saved[1])
    assert page.locator("#still").is_visible()
    assert not page.locator("#map").is_visible()
    context.close()
