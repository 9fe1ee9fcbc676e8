"""Pictures of one thing beside each other, each under its heading, over a line of text."""

from collections.abc import Sequence
from typing import NamedTuple

from PIL import Image, ImageDraw, ImageFont

from .render import legend_below, over

GAP = 10  # pixels
LETTERS = 16  # pixels high, of headings


class Panel(NamedTuple):
    """A picture and its heading."""

    picture: Image.Image
    heading: str


def side_by_side(panels: Sequence[Panel], caption: str) -> Image.Image:
    """The panels in a row on white, their pictures level at the top, the caption below: RGB."""
    font = ImageFont.load_default(LETTERS)
    top = round(LETTERS * 1.8)
    height = top + max(panel.picture.height for panel in panels)
    row = Image.new("RGB", (sum(panel.picture.width for panel in panels) + GAP * (len(panels) + 1), height), "white")
    draw, left = ImageDraw.Draw(row), GAP
    for picture, heading in panels:
        row.paste(picture, (left, top))
        draw.text((left + picture.width // 2, top // 2), _fitted(heading, font, picture.width), "black", font, anchor="mm")
        left += picture.width + GAP
    return over(row, legend_below(row.width, None, caption, LETTERS))


def _fitted(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int) -> str:
    """The text, its end cut off where it is wider than that."""
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(f"{text}...") > width:
        text = text[:-1]
    return f"{text}..."
