"""Pictures of one thing beside each other, or where they are wide below each other, each under its heading."""

from collections.abc import Sequence
from typing import NamedTuple

from PIL import Image

from .legend import Legend, over
from .lettering import Letters

GAP = 10  # pixels
LETTERS = 16  # pixels high, of headings
WIDEST = 2000  # pixels of a row; wider pictures, as of volumes and signals, stand in a column


class Panel(NamedTuple):
    """A picture and its heading."""

    picture: Image.Image
    heading: str


def side_by_side(panels: Sequence[Panel], caption: str) -> Image.Image:
    """The panels on white, in a row, their pictures level at the top, or in a column, the caption below: RGB."""
    top = round(LETTERS * 1.8)
    widths, heights = ([getattr(panel.picture, side) for panel in panels] for side in ("width", "height"))
    size = sum(widths) + GAP * (len(panels) + 1), top + max(heights)
    column = size[0] > WIDEST
    size = (max(widths) + 2 * GAP, sum(heights) + top * len(panels)) if column else size
    field = Image.new("RGB", size, "white")
    left, above = GAP, 0
    for picture, heading in panels:
        field.paste(picture, (left, above + top))
        at = left + picture.width // 2, above + top // 2
        letters = Letters.of(heading, LETTERS)
        letters.write(field, at, letters.fitted(heading, picture.width), anchor="mm")
        left, above = (left, above + top + picture.height) if column else (left + picture.width + GAP, above)
    return over(field, Legend.of(field.width, None, caption, LETTERS).drawn())
