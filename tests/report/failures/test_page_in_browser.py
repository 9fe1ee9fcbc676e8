"""The report opened in a real browser: what a person does with it, with the keyboard, on a phone, without scripts, on paper."""

import shutil

import pytest

from seewhy.dataset.failures.analysis import analyse
from seewhy.report.failures.page import save_report
from support.reported import info, photos

pytest.importorskip("sklearn")
playwright = pytest.importorskip("playwright.sync_api", reason="needs Playwright, of the extra `readers`")
CHROMIUM = next((path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs the system's Chromium")
METHODS = ("grad-cam", "layer-cam")
CONTRAST = """() => {
  const rgb = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const under = (e) => {
    for (; e; e = e.parentElement) {
      const colour = rgb(getComputedStyle(e).backgroundColor);
      if (colour.length < 4 || colour[3] === 1) return colour;
    }
    return [255, 255, 255];
  };
  const found = [], walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const e = walk.currentNode.parentElement, style = getComputedStyle(e);
    if (!walk.currentNode.data.trim() || !e.checkVisibility() || e.closest("script, style")) continue;
    const [a, b] = [light(rgb(e.closest("svg") ? style.fill : style.color)), light(under(e))].sort((x, y) => y - x);
    found.push([(a + 0.05) / (b + 0.05), e.tagName + " " + walk.currentNode.data.trim().slice(0, 40)]);
  }
  return found;
}"""


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as running:
        opened = running.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    save_report(analyse(photos(folder, 40, METHODS)), info(40, METHODS), folder / "r.html")
    return (folder / "r.html").as_uri()


@pytest.fixture
def opened(browser, address):
    """Opens the page; gives it with what went wrong, and what it asked for."""
    contexts = []

    def opened(**settings):
        context = browser.new_context(**{"viewport": {"width": 1200, "height": 800}, **settings})
        contexts.append(context)
        page, noted = context.new_page(), []
        page.on("console", lambda message: noted.append(message.text))
        page.on("pageerror", lambda error: noted.append(str(error)))
        page.on("dialog", lambda dialog: noted.append(f"a dialog: {dialog.message}"))
        page.on("request", lambda request: noted.append(request.url) if not request.url.startswith("data:") else None)
        page.goto(address)
        return page, noted

    yield opened
    for context in contexts:
        context.close()


def visible(page):
    return page.evaluate(
        "[...document.querySelectorAll('.card')].filter((card) => card.checkVisibility()).map((card) => card.id)"
    )


def focused(page):
    return page.evaluate("document.activeElement.id")


def test_nothing_leaves_and_nothing_goes_wrong(opened, address):
    page, noted = opened()
    page.mouse.wheel(0, 20_000)
    page.keyboard.press("?")
    page.keyboard.press("Escape")
    assert noted == [address]
    painted = page.evaluate("getComputedStyle(document.querySelector('.card .p0')).backgroundImage")
    assert painted.startswith('url("data:image/webp')


def test_photos_are_filtered_and_sorted(opened):
    page, _ = opened()
    wrong = visible(page)
    assert len(wrong) == 14  # the wrong answers, to begin with
    page.locator("#kind").select_option("")
    assert len(visible(page)) == 40
    assert page.locator("#count").inner_text() == "40 of 40 photos"
    page.keyboard.press("/")
    page.locator("#find").press("Escape")
    page.keyboard.press("/")
    assert focused(page) == "find"
    page.keyboard.type("39.png")
    assert visible(page) == ["photo-39"]
    page.locator("#find").fill("")
    page.locator("#sort").select_option("sure")
    assert visible(page)[:3] == ["photo-39", "photo-38", "photo-37"]
    page.locator("#sort").select_option("unsure")
    assert visible(page)[:3] == ["photo-0", "photo-1", "photo-2"]
    page.locator("#sort").select_option("page")
    assert visible(page)[:14] == wrong


def test_the_keyboard_goes_from_photo_to_photo(opened):
    page, _ = opened()
    first, second, *_ = visible(page)
    page.keyboard.press("ArrowRight")
    assert focused(page) == first
    page.keyboard.press("ArrowRight")
    assert focused(page) == second
    page.keyboard.press("ArrowLeft")
    assert focused(page) == first
    page.keyboard.press("?")
    assert page.locator("dialog").is_visible()
    page.keyboard.press("Escape")
    assert not page.locator("dialog").is_visible()
    page.keyboard.press("o")
    assert not page.locator(f"#{first} .m").first.is_visible()
    assert page.locator("#maps").get_attribute("aria-pressed") == "false"


def test_a_link_to_a_photo_that_is_filtered_away_shows_it(opened):
    page, _ = opened()
    assert "photo-38" not in visible(page)
    page.evaluate("location.hash = '#photo-38'")
    page.wait_for_function("document.activeElement.id === 'photo-38'")
    assert "photo-38" in visible(page)


def test_methods_change_places_and_the_lens_shows_another(opened):
    page, _ = opened()
    first = page.locator(".card .m").first

    def painted(map_):
        return map_.evaluate("(e) => getComputedStyle(e).backgroundImage")

    before = painted(first)
    page.keyboard.press("m")
    assert page.locator("#method").input_value() == "1"
    other = painted(first)
    assert before != other
    page.keyboard.press("m")
    page.locator("#lens").select_option("1")
    under = page.locator(".card .m.under").first
    assert painted(first) == before
    assert painted(under) == other
    assert not under.is_visible()
    page.locator(".card .ph:has(.m)").first.hover()
    assert under.evaluate("(e) => getComputedStyle(e).visibility") == "visible"
    assert "radial-gradient" in under.evaluate("(e) => getComputedStyle(e).maskImage")
    page.locator("#lens").select_option("")
    assert page.locator(".under").count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_can_be_read(opened, scheme):
    page, _ = opened(color_scheme=scheme)
    page.locator("#kind").select_option("")
    found = page.evaluate(CONTRAST)
    assert len(found) > 200
    assert [each for each in found if each[0] < 4.5] == []  # WCAG 2.2, AA


def test_all_that_is_used_has_a_name_and_comes_in_the_order_of_the_page(opened):
    page, _ = opened()
    nameless = page.evaluate("""[...document.querySelectorAll("button, select, input, a, [role=region]")].filter((e) =>
        !(e.labels?.length || e.getAttribute("aria-label") || e.textContent.trim())).map((e) => e.outerHTML)""")
    assert nameless == []
    assert page.evaluate("[...document.querySelectorAll('[tabindex]')].filter((e) => e.tabIndex > 0).length") == 0
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Tab")
    assert focused(page) == "method"


def test_on_a_phone_nothing_sticks_out(opened):
    page, _ = opened(viewport={"width": 360, "height": 700})
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_without_scripts_all_is_there_to_be_read(opened):
    page, noted = opened(java_script_enabled=False)
    assert page.locator(".card").count() == 40
    assert page.locator(".card >> nth=39").is_visible()
    assert page.locator(".says").is_visible()
    assert not page.locator("#filter").is_visible()
    assert not page.locator("#bar").is_visible()
    assert len(noted) == 1


def test_on_paper_there_are_no_controls(opened):
    page, _ = opened()
    page.emulate_media(media="print", color_scheme="dark")
    assert not page.locator("#bar").is_visible()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.evaluate("getComputedStyle(document.querySelector('.m')).printColorAdjust") == "exact"
    assert page.pdf()[:5] == b"%PDF-"
