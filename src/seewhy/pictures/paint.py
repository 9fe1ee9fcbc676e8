"""Values in colour over a picture, and pictures lettered, headed and put in rows."""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from seewhy.arrays import Floats

from .lettering import Letters
from .render import Look, mask, shares
from .stretching import Size

FULL = 0.5  # the share of the look's reach from which on colours are as opaque as they get


def painted(values: Floats, under: Image.Image | None, look: Look, size: Size) -> Image.Image:
    """(h, w) values in colour over a picture, both brought to `size`: RGB.

    Values are linear between voxels; the picture shows its pixels as they are, averaged where it shrinks.  Opacity grows
    with what a value says, from nothing to the look's alpha at half its reach; without a picture all colours are opaque.
    """
    smooth = Image.fromarray(values.astype(np.float32, copy=False)).resize(size, Image.Resampling.BILINEAR)
    colours = Image.fromarray(look.paint(np.asarray(smooth)))
    if under is None:
        return colours
    opacity = look.alpha * np.minimum(1, shares(smooth, look) / FULL)
    return Image.composite(colours, under.resize(size, Image.Resampling.BOX), mask(opacity))


LIGHT = (255, 232, 140)
LINE = 20  # pixels that a letter takes
SMALLEST = 11  # pixels of the letters of a heading


def lettered(
    picture: Image.Image, letters: Sequence[str], field: Size, scale: float | None, cross: tuple[float, float] | None = None
) -> Image.Image:
    """The picture in the middle of a black field of at least (w, h), with letters at its edges, and a ruler at its corner.

    letters: at the left, right, upper and lower edge, or just beyond them where there is room; scale: pixels per mm, for
    the ruler, None for none; cross: the place that lines point at.
    """
    w, h = max(field[0], picture.width), max(field[1], picture.height)
    out = Image.new("RGB", (w, h), "black")
    left, top = (w - picture.width) // 2, (h - picture.height) // 2
    out.paste(picture, (left, top))
    if cross is not None:
        _cross(ImageDraw.Draw(out), (left, top, left + picture.width - 1, top + picture.height - 1), cross)
    x, y = max(3, left - LINE), max(1, top - LINE)
    edges = {"lm": (x, h // 2), "rm": (w - x, h // 2), "ma": (w // 2, y), "md": (w // 2, h - y)}
    for (anchor, at), letter in zip(edges.items(), letters, strict=True):
        Letters(max(16, min(w, h) // 24)).write(out, at, letter, LIGHT, anchor, halo="black")
    if scale is not None:
        _ruler(out, (left + picture.width - 6, top + picture.height - 8), picture.size, scale)
    return out


def _ruler(out: Image.Image, end: tuple[int, int], size: Size, scale: float) -> None:
    """Draw a ruler at the bottom right, a round number of mm and about a fifth of the picture long; none in a small picture."""
    if size[0] < 200 or size[1] < 100:
        return
    wanted = size[0] / scale / 5
    power = 10.0 ** np.floor(np.log10(wanted))
    length = max(step * power for step in (1, 2, 5) if step * power <= wanted)
    (x, y), draw = end, ImageDraw.Draw(out)
    draw.rectangle((x - round(length * scale) - 1, y - 1, x + 1, y + 2), "black")
    draw.line([(x - round(length * scale), y), (x, y)], LIGHT, 2)
    Letters(13).write(out, (x, y - 3), f"{length:g} mm", LIGHT, "rd", halo="black")


def _cross(draw: ImageDraw.ImageDraw, box: tuple[int, int, int, int], at: tuple[float, float]) -> None:
    """Draw thin lines towards a place of the picture, which leave the place itself free."""
    left, top, right, bottom = box
    x, y, gap = left + int(at[0]), top + int(at[1]), 14
    for ends in ((left, y, x - gap, y), (x + gap, y, right, y), (x, top, x, y - gap), (x, y + gap, x, bottom)):
        if ends[0] <= ends[2] and ends[1] <= ends[3]:
            draw.line(ends, (90, 220, 120))


def headed(picture: Image.Image, text: str, size: int = 15) -> Image.Image:
    """The picture under a line of text, in letters small enough to fit; where none are, on a wider field."""
    sizes = [Letters.of(text, points) for points in range(size, SMALLEST - 1, -1)]
    letters = next((letters for letters in sizes if letters.width(text) <= picture.width - 8), sizes[-1])
    width = max(picture.width, round(letters.width(text)) + 8)
    out = Image.new("RGB", (width, picture.height + letters.line), "black")
    out.paste(picture, ((width - picture.width) // 2, letters.line))
    letters.write(out, (width // 2, letters.line // 2), text, "white", "mm")
    return out


def tiled(tiles: list[Image.Image], columns: int, gap: int = 6) -> Image.Image:
    """Pictures of the same size in rows, on black."""
    w, h = tiles[0].width + gap, tiles[0].height + gap
    out = Image.new("RGB", (columns * w + gap, -(-len(tiles) // columns) * h + gap), "black")
    for place, tile in enumerate(tiles):
        out.paste(tile, (gap + place % columns * w, gap + place // columns * h))
    return out
