"""Pages as a person opens them: in a browser, at the widths of a desk and of a phone, and printed."""

import shutil
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import pytest

VIEWS = {"desk": (1280, 800, "screen"), "phone": (390, 844, "screen"), "print": (794, 1123, "print")}  # pixels; A4
WIDE = """paper => [...document.querySelectorAll('body *')].filter(each => {
  const at = each.getBoundingClientRect()
  if (!at.width || (at.right <= innerWidth + 1 && at.left >= -1)) return false
  for (let around = each.parentElement; !paper && around !== document.body; around = around.parentElement)
    if (['auto', 'scroll'].includes(getComputedStyle(around).overflowX)) return false
  return true
}).map(each => each.tagName + ' ' + each.textContent.trim().slice(0, 40))"""


class OpenedPage(NamedTuple):
    """What a browser made of a page.

    asked: addresses that it asked for beside the page's own; said: its errors and warnings; broken: pictures that were not
    shown; wide: by the view, what reaches over the edge of the window and cannot be scrolled to within the page, as nothing can
    on paper; scrolls: the views in which the window itself scrolls sideways.
    """

    asked: list[str]
    said: list[str]
    broken: list[str]
    wide: dict[str, list[str]]
    scrolls: list[str]


RIGHT = OpenedPage([], [], [], {view: [] for view in VIEWS}, [])


@cache
def browser() -> str | None:
    """The program, where there is one that playwright can drive."""
    names = ("chromium", "chromium-browser", "google-chrome")
    return next(filter(None, map(shutil.which, names)), None) if find_spec("playwright") else None


needs_browser = pytest.mark.skipif(browser() is None, reason="no Chromium, or no playwright, to open pages with")


def opened(page: Path) -> OpenedPage:
    """A file opened, and shown in each of the VIEWS."""
    from playwright.sync_api import sync_playwright  # here, for where there is no browser there may be no playwright

    asked, said, wide, scrolls = list[str](), list[str](), dict[str, list[str]](), list[str]()
    with sync_playwright() as playwright:
        program = playwright.chromium.launch(executable_path=browser(), args=["--no-sandbox"])
        tab = program.new_page()
        tab.on("request", lambda request: asked.append(request.url))
        tab.on("console", lambda message: said.append(message.text))
        tab.on("pageerror", lambda error: said.append(str(error)))
        tab.goto(page.resolve().as_uri())
        for view, (width, height, media) in VIEWS.items():
            tab.set_viewport_size({"width": width, "height": height})
            tab.emulate_media(media=media)
            wide[view] = tab.evaluate(WIDE, media == "print")
            scrolls += [view] * tab.evaluate("document.documentElement.scrollWidth > innerWidth")
        broken = tab.evaluate("[...document.images].filter(each => !each.naturalWidth).map(each => each.alt)")
        program.close()
    asked = [url for url in asked if not url.startswith("data:") and url != page.resolve().as_uri()]
    return OpenedPage(asked, said, broken, wide, scrolls)
