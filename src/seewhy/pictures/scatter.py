"""Points in the plane as a picture: each with a colour and a shape, with names beside groups of them and a legend."""

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from seewhy.arrays import Floats

from .lettering import Letters
from .render import COLOURS

PointColour = tuple[int, int, int]
CIRCLE, SQUARE, TRIANGLE, DIAMOND = MARKS = ("circle", "square", "triangle", "diamond")
PALETTE: tuple[PointColour, ...] = (  # Okabe & Ito's that stand out from white, and two of Tol's: for colour-blind eyes, too
    (0, 114, 178), (230, 159, 0), (0, 158, 115), (204, 121, 167), (86, 180, 233), (213, 94, 0), (153, 153, 51), (136, 34, 85),
)  # fmt: skip
OTHER: PointColour = (176, 176, 186)  # of points of no kind
INK, SOFT, LINE = (29, 29, 34), (99, 99, 110), (221, 221, 228)
FINER = 4  # a mark is drawn this many times larger, and reduced
EDGE, GAP, KEY = 24, 14, 300  # pixels around the picture, between its parts, and of the legend's width
SIDE, LETTERS = 900, 15  # of the square that the points lie in; of the letters
LISTED = 26  # lines of a legend
FEWEST, SPREAD = 3, 0.08  # points that are named where they lie; how far apart they may be, in shares of the side


class PointMark(NamedTuple):
    """How a point is drawn: a colour (r, g, b) and one of MARKS."""

    colour: PointColour
    shape: str = CIRCLE


class PointKind(NamedTuple):
    """A line of the legend: what the points of a mark are, and how many; named: also beside the points."""

    words: str
    mark: PointMark
    points: int
    named: bool = False


class PointScale(NamedTuple):
    """What the colours of numbers mean: the ends of the colours, from low to high."""

    low: float
    high: float


def on_scale(values: Floats, scale: PointScale) -> NDArray[np.uint8]:
    """The colours of numbers (n,): (n, 3); of NaN that of no kind."""
    stops = COLOURS["viridis"]
    at = np.clip((np.nan_to_num(values, nan=scale.low) - scale.low) / (scale.high - scale.low), 0, 1) * (len(stops) - 1)
    mixed = np.stack([np.interp(at, np.arange(len(stops)), stops[:, channel]) for channel in range(3)], 1)
    return np.where(np.isfinite(values)[:, None], mixed, OTHER).round().astype(np.uint8)


def scatter(
    points: Floats, kinds: NDArray[np.int32] | None, table: Sequence[PointKind], heading: str, title: str,
    notes: Sequence[str] = (), values: Floats | None = None, scale: PointScale | None = None, side: int = SIDE,
) -> Image.Image:  # fmt: skip
    """Points (n, 2), y upwards, in a square beside a legend: RGB.

    kinds: of each point the place of its kind in the table, -1 of none; or values of each, coloured on the scale.
    heading: above all; title: of the legend; notes: below all.
    """
    places = _in_square(points, side)
    radius = point_radius(len(points), side)
    plot = Image.new("RGB", (side, side), "white")
    if values is not None and scale is not None:
        colours, shapes = on_scale(values, scale), np.zeros(len(points), np.intp)
        order = np.argsort(-np.nan_to_num(values, nan=np.inf), kind="stable")  # the least on top
    else:
        codes = np.full(len(points), -1) if kinds is None else kinds
        rows = np.array([kind.mark.colour for kind in table] + [OTHER], np.uint8)
        forms = np.array([MARKS.index(kind.mark.shape) for kind in table] + [0], np.intp)
        colours, shapes = rows[codes], forms[codes]
        order = np.argsort(codes, kind="stable")  # of no kind below, and the rarest on top
    for at in order.tolist():
        _put(plot, places[at], radius, colours[at], MARKS[int(shapes[at])])
    if kinds is not None:
        _name(plot, places, kinds, table)
    return _framed(plot, _legend(table, title, side, scale), heading, notes)


def point_radius(count: int, side: float) -> float:
    """Of so many points in a square of that side, in pixels: smaller where they are many."""
    return float(np.clip(side / (7 * np.sqrt(max(1, count))), 2.0, 6.5) * (side / SIDE) ** 0.5)


def _in_square(points: Floats, side: int) -> NDArray[np.float64]:
    """The points as pixels (n, 2) of a square, both axes alike, with a rim."""
    low, high = points.min(0), points.max(0)
    reach, rim = float(max(*(high - low), 1e-12)), 0.05 * side
    middle = (low + high) / 2
    shares = (np.asarray(points, np.float64) - middle) / reach
    return np.stack([side / 2 + shares[:, 0] * (side - 2 * rim), side / 2 - shares[:, 1] * (side - 2 * rim)], 1)


@cache
def _stamp(shape: str, radius: float) -> Image.Image:
    """The mark as a mask, as exact as its grey levels."""
    from PIL import ImageDraw  # here, for importing it takes as long as much of seewhy does

    half = int(np.ceil(radius)) + 1
    size = (2 * half + 1) * FINER
    large, middle, reach = Image.new("L", (size, size)), size / 2 - 0.5, radius * FINER
    draw = ImageDraw.Draw(large)
    if shape == CIRCLE:
        draw.ellipse((middle - reach, middle - reach, middle + reach, middle + reach), 255)
    else:
        draw.polygon([(middle + reach * x, middle + reach * y) for x, y in CORNERS[shape]], 255)
    return large.reduce(FINER)


CORNERS = {  # of marks of about one area, in shares of the radius
    SQUARE: ((-0.88, -0.88), (0.88, -0.88), (0.88, 0.88), (-0.88, 0.88)),
    TRIANGLE: ((0, -1.25), (1.17, 0.8), (-1.17, 0.8)),
    DIAMOND: ((0, -1.25), (1.25, 0), (0, 1.25), (-1.25, 0)),
}


def _put(picture: Image.Image, at: Floats, radius: float, colour: Floats | PointColour, shape: str) -> None:
    for ink, reach in (((255, 255, 255), radius + 0.8), (tuple(map(int, colour)), radius)):
        stamp = _stamp(shape, reach)
        left, top = round(float(at[0]) - stamp.width / 2), round(float(at[1]) - stamp.height / 2)
        picture.paste(ink, (left, top), stamp)


def _name(plot: Image.Image, places: Floats, kinds: NDArray[np.int32], table: Sequence[PointKind]) -> None:
    """The name of each kind whose points lie together, at their top, the most frequent first, where no other is in the way."""
    letters, taken = Letters.of(" ".join(kind.words for kind in table), LETTERS), list[tuple[float, float, float, float]]()
    for place, kind in enumerate(table):
        own = places[kinds == place]
        if not kind.named or len(own) < FEWEST or _spread(own) > SPREAD * plot.width:
            continue
        text = letters.fitted(kind.words, plot.width / 4)
        wide, high = letters.width(text) / 2 + 4, letters.size * 0.7
        x = float(np.clip(np.median(own[:, 0]), wide, plot.width - wide))
        y = float(np.clip(np.percentile(own[:, 1], 10) - letters.size, high, plot.height - high))
        box = (x - wide, y - high, x + wide, y + high)
        if any(box[0] < b[2] and b[0] < box[2] and box[1] < b[3] and b[1] < box[3] for b in taken):
            continue
        taken.append(box)
        letters.write(plot, (x, y), text, INK, "mm", halo="white")


def _spread(own: Floats) -> float:
    """How far points lie from their middle: half of them no farther."""
    return float(np.median(np.linalg.norm(own - np.median(own, 0), axis=1)))


def _legend(table: Sequence[PointKind], title: str, side: int, scale: PointScale | None) -> Image.Image:
    letters = Letters.of(" ".join([title, *(kind.words for kind in table)]), LETTERS)
    out, line = Image.new("RGB", (KEY, side), "white"), letters.line
    letters.write(out, (0, 0), letters.fitted(title, KEY), INK)
    top = line + GAP // 2
    if scale is not None:
        bar = on_scale(np.linspace(scale.high, scale.low, 240), scale)[:, None].repeat(24, 1)
        out.paste(Image.fromarray(bar), (0, top))
        for share, number in ((0.0, scale.high), (0.5, (scale.low + scale.high) / 2), (1.0, scale.low)):
            letters.write(out, (34, top + share * 239), f"{number:.3g}", INK, "lm")
        top += 240 + GAP
    for kind in table[:LISTED]:
        _put(out, np.array([9, top + line / 2]), 7, kind.mark.colour, kind.mark.shape)
        count = f"{kind.points:,}"
        letters.write(out, (26, top + line / 2), letters.fitted(kind.words, KEY - 40 - letters.width(count)), INK, "lm")
        letters.write(out, (KEY, top + line / 2), count, SOFT, "rm")
        top += line
    if len(table) > LISTED:
        letters.write(out, (26, top), f"and {len(table) - LISTED} more", SOFT)
    return out


def _framed(plot: Image.Image, legend: Image.Image, heading: str, notes: Sequence[str]) -> Image.Image:
    width = EDGE + plot.width + GAP + legend.width + EDGE
    letters = Letters.of(" ".join([heading, *notes]), LETTERS)
    large = Letters(letters.size + 3, letters.file)
    above = large.wrapped(heading, width - 2 * EDGE)
    below = [text for note in notes for text in letters.wrapped(note, width - 2 * EDGE)]
    top = EDGE + large.line * len(above)
    height = top + plot.height + GAP + letters.line * len(below) + EDGE
    out = Image.new("RGB", (width, height), "white")
    for place, text in enumerate(above):
        large.write(out, (EDGE, EDGE + place * large.line), text, INK)
    out.paste(LINE, (EDGE - 1, top - 1, EDGE + plot.width + 1, top + plot.height + 1))
    out.paste(plot, (EDGE, top))
    out.paste(legend, (EDGE + plot.width + GAP, top))
    for place, text in enumerate(below):
        letters.write(out, (EDGE, top + plot.height + GAP + place * letters.line), text, SOFT)
    return out
