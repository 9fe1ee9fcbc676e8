"""Boxes and contours over a photo: what was found in colours, what is true in stripes of black and white, and a key below."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .legend import NARROWEST, over
from .lettering import Letters
from .stretching import Size

# Okabe & Ito's colours, which colour-blind people tell apart, those first that stand out from most photos
COLOURS = ((230, 159, 0), (86, 180, 233), (240, 228, 66), (204, 121, 167), (0, 158, 115), (213, 94, 0), (0, 114, 178))
SMALLEST = 12  # pixels of letters
KEPT = 20  # lines of the key
SWATCH = (90, 90, 90)  # behind the lines of the key
Edges = tuple[float, float, float, float]  # left, top, right, bottom, in pixels of the photo


class Outline(NamedTuple):
    """An object to be outlined.

    words: in the key; of several with the same, and of none, the key has one line, or none.  short: beside its box.
    mask: of the box's size, or of the photo's where there is no box.
    colour: the number of its class, from 0 on; true: it was not found but is known.
    """

    words: str
    short: str
    box: Edges | None
    mask: NDArray[np.bool_] | None = None
    colour: int = 0
    true: bool = False


def outlined(picture: Image.Image, outlines: Sequence[Outline], key: str | None, size: Size, magnify: float = 1) -> Image.Image:
    """The picture with outlines on it, RGB: true ones below those that were found, and the first of these on top.

    size: (w, h) of the photo that the outlines lie on, which the picture may show larger; key: what stands above the key below
    the picture; None: there is none.  magnify: letters and lines are so many times larger.
    """
    out = picture.convert("RGB").copy()
    scale = out.width / size[0], out.height / size[1]
    line = max(1, round((max(size) / 75) ** 0.5 * magnify))  # 2 pixels on a photo of 300, 6 on one of 2400
    for outline in [some for true in (True, False) for some in outlines[::-1] if some.true is true]:
        _draw(out, outline, scale, line)
    letters = max(round(SMALLEST * magnify), out.width // 40)
    taken = list[tuple[int, int, int, int]]()
    for outline in outlines:
        if outline.short and outline.box:
            _tag(out, outline, scale, letters, line, taken)
    return out if key is None else over(out, _key(out.width, outlines, key, line, magnify))


def _draw(out: Image.Image, outline: Outline, scale: tuple[float, float], line: int) -> None:
    """Draw the box, and the contour half as wide."""
    left, top, right, bottom = _placed(outline.box or (0, 0, out.width / scale[0], out.height / scale[1]), scale)
    corner, whole = (left, top), (right - left, bottom - top)
    if outline.box is not None:
        ring = np.full(whole[::-1], 255, np.uint8)
        ring[line:-line, line:-line] = 0
        _stroke(out, Image.fromarray(ring), corner, outline, line)
    if outline.mask is not None:
        inside = Image.fromarray(np.pad(outline.mask, 1).astype(np.uint8) * 255)
        rim = (round(whole[0] / outline.mask.shape[1]), round(whole[1] / outline.mask.shape[0]))  # of a pixel, magnified
        large = inside.resize((whole[0] + 2 * rim[0], whole[1] + 2 * rim[1]), Image.Resampling.NEAREST)
        contour = _contour(large, max(1, line // 2)).crop((rim[0], rim[1], rim[0] + whole[0], rim[1] + whole[1]))
        _stroke(out, contour, corner, outline, max(1, line // 2))


def _placed(box: Edges, scale: tuple[float, float]) -> tuple[int, int, int, int]:
    """The edges of a box in the picture, which takes a pixel of it or more."""
    left, top, right, bottom = (round(edge * scale[way % 2]) for way, edge in enumerate(box))
    return left, top, max(right, left + 1), max(bottom, top + 1)


def _contour(inside: Image.Image, line: int) -> Image.Image:
    """The outermost `line` pixels of a mask."""
    mask = np.asarray(inside) > 0
    inner = mask.copy()
    for _ in range(line):
        shrunk = np.pad(inner, 1)
        inner = inner & shrunk[:-2, 1:-1] & shrunk[2:, 1:-1] & shrunk[1:-1, :-2] & shrunk[1:-1, 2:]
    return Image.fromarray((mask & ~inner).astype(np.uint8) * 255)


def _stroke(out: Image.Image, strokes: Image.Image, at: tuple[int, int], outline: Outline, line: int) -> None:
    """Paint where `strokes` are, with a dark seam around a colour, so that it is seen on any ground; truth in stripes."""
    if outline.true:
        out.paste(_stripes(strokes.size, at, line), at, strokes)
        return
    seam = np.pad(np.asarray(strokes) > 0, 1)
    grown = np.pad(seam, 1)
    wide = grown[:-2, 1:-1] | grown[2:, 1:-1] | grown[1:-1, :-2] | grown[1:-1, 2:]
    dark = Image.fromarray((wide & ~seam).astype(np.uint8) * 170)
    out.paste((0, 0, 0), (at[0] - 1, at[1] - 1), dark)
    out.paste(COLOURS[outline.colour % len(COLOURS)], at, strokes)


def _stripes(size: Size, at: tuple[int, int], line: int) -> Image.Image:
    """Slanted stripes of black and white."""
    period = max(4, 3 * line)
    x, y = np.arange(size[0]) + at[0], np.arange(size[1]) + at[1]
    light = (x + y[:, None]) // period % 2
    return Image.fromarray((light * 255).astype(np.uint8)).convert("RGB")


def _tag(
    out: Image.Image, outline: Outline, scale: tuple[float, float], size: int, line: int, taken: list[tuple[int, int, int, int]]
) -> None:
    """Write what the box is above it, or where there is room; nothing where the photo is too narrow for a few letters."""
    assert outline.box is not None
    letters, gap = Letters.of(outline.short, size), max(1, size // 5)
    text = letters.fitted(outline.short, out.width - 2 * gap)
    if len(text) < min(len(outline.short), 7):
        return
    left, top, _, bottom = _placed(outline.box, scale)
    width, height = round(letters.width(text)) + 2 * gap, size + 2 * gap
    x = max(0, min(left, out.width - width))
    for y in (top - height, bottom, top + line, bottom - height - line):
        place = (x, y, x + width, y + height)
        if 0 <= y <= out.height - height and not any(_meet(place, other) for other in taken):
            break
    else:
        return
    taken.append(place)
    out.paste(COLOURS[outline.colour % len(COLOURS)], place)
    letters.write(out, (x + gap, y + height / 2), text, "black", "lm")


def _meet(one: Sequence[int], other: Sequence[int]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _key(width: int, outlines: Sequence[Outline], heading: str, line: int, magnify: float) -> Image.Image:
    """The lines of a picture of that width, each beside what it stands for."""
    width = max(width, round(NARROWEST * magnify))
    lines = [*{(some.true, some.colour, some.words): some for some in outlines if some.words}.values()]
    rest = f"and {len(lines) - KEPT} more" if len(lines) > KEPT else ""
    texts = [heading, *(some.words for some in lines[:KEPT]), rest]
    letters = Letters.of(" ".join(texts), max(SMALLEST * magnify, width // 40))
    swatch, edge = round(letters.size * 2.5), letters.line // 2
    room = width - 3 * edge - swatch
    blocks: list[tuple[Any, list[str]]] = [(None, letters.wrapped(_held(heading), width - 2 * edge))]
    blocks += [(some, letters.wrapped(_held(some.words), room)) for some in lines[:KEPT]]
    blocks += [(None, [rest])] if rest else []
    strip = Image.new("RGB", (width, letters.line * sum(len(words) for _, words in blocks) + edge), "white")
    top = edge // 2
    for some, words in blocks:
        if some is not None:
            _sample(strip, some, (edge, top + letters.line // 6, edge + swatch, top + letters.line), line)
        for word in words:
            letters.write(strip, (edge if some is None else 2 * edge + swatch, top), word)
            top += letters.line
    return strip


def _held(text: str) -> str:
    """The text, in which no line begins with a percent sign, and none ends before a number that it announces."""
    return text.replace(" %", "\u00a0%").replace("IoU ", "IoU\u00a0").replace("score ", "score\u00a0")


def _sample(strip: Image.Image, some: Outline, place: tuple[int, int, int, int], line: int) -> None:
    """The outline's line on grey."""
    left, top, right, bottom = place
    strip.paste(SWATCH, place)
    stroke = Image.new("L", (right - left, line), 255)
    _stroke(strip, stroke, (left, (top + bottom - line) // 2), some._replace(mask=None), line)
