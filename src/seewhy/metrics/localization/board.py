"""The photos on which boxes did best and worst, on one picture."""

import heapq
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import count
from typing import NamedTuple

from PIL import Image, ImageDraw

from seewhy.errors import BadParameter, whole_number
from seewhy.pictures.grid import GridCell, GridTable, GridText, grid
from seewhy.pictures.thumbnails import Thumbnail, within
from seewhy.printable import printable
from seewhy.truth.evidence import BoxEdges

FOUND, TRUE = "#ffb000", "#3fc1ff"  # orange and sky blue, which colour-blind people tell apart; both also differ in their lines
SIDE = 280  # pixels of a photo
LINE, DASH = 3, 9


@dataclass(frozen=True)
class BoardPhoto:
    """A photo and what was found on it.

    image: the photo; found: the box, (x0, y0, x1, y1) in its pixels, None where there is none; true: the true boxes.
    overlap: of the two, as `BoxScoring.add` gives it; score: of the box, 0 to 1.  says: more words, such as the class.
    """

    name: str
    image: Image.Image
    found: BoxEdges | None
    true: Sequence[BoxEdges]
    overlap: float
    score: float | None = None
    says: str = ""


class _Kept(NamedTuple):
    rank: float
    place: int  # so that no two are compared by what follows
    cell: GridCell


def board(photos: Iterable[BoardPhoto], most: int = 6, heading: str = "", side: int = SIDE) -> Image.Image:
    """The photos whose boxes overlap the true ones most, and those where they do least, beside each other: RGB.

    most: of each.  Photos may come one by one, and no more than are shown are kept.  Below each stand its overlap and the score
    of the box: a sure box beside the object is what to look for.  Orange, whole lines: found; blue, broken lines: true.
    Raises BadParameter where there are none.
    """
    most = whole_number(most, "most", 1, 1000)
    best, worst, places = list[_Kept](), list[_Kept](), count()
    for photo in photos:
        place = next(places)
        wanted = [
            (kept, rank)
            for kept, rank in ((best, photo.overlap), (worst, -photo.overlap))
            if len(kept) < most or rank > kept[0].rank
        ]
        cell = _cell(photo, side) if wanted else GridCell(None)
        for kept, rank in wanted:
            (heapq.heappush if len(kept) < most else heapq.heappushpop)(kept, _Kept(rank, -place, cell))
    if not best:
        raise BadParameter("There are no photos to show on a board.")
    total = next(places)
    rows = list(zip(*(sorted(kept, reverse=True) for kept in (best, worst)), strict=True))
    notes = ["Orange, whole lines: found. Blue, broken lines: true. IoU: how much the two overlap, of 1."]
    table = GridTable(
        heading or f"The best and the worst of {total} photo{'s' * (total != 1)}",
        ["the best", "the worst"],
        notes=notes,
        side=side,
    )
    return grid(table, [[left.cell, right.cell] for left, right in rows], len(rows))


def _cell(photo: BoardPhoto, side: int) -> GridCell:
    scored = "" if photo.score is None else f", score {photo.score:.2f}"
    first = f"IoU {photo.overlap:.2f}{scored}" if photo.found is not None else "no box"
    texts = [GridText(f"{first}. {printable(photo.says, 100)}" if photo.says else first), GridText(printable(photo.name, 60))]
    return GridCell(Thumbnail.of(marked(photo, side), side, "png"), tuple(texts))


def marked(photo: BoardPhoto, side: int) -> Image.Image:
    """The photo, `side` pixels long, with its boxes."""
    size = within(photo.image.size, side)
    picture = photo.image.convert("RGB").resize(
        size, Image.Resampling.BOX if max(photo.image.size) > side else Image.Resampling.BICUBIC
    )
    draw, (across, down) = ImageDraw.Draw(picture), (new / old for new, old in zip(size, photo.image.size, strict=True))
    boxes = [(box, TRUE, True) for box in photo.true] + ([(photo.found, FOUND, False)] if photo.found is not None else [])
    for (x0, y0, x1, y1), colour, broken in boxes:
        corners = [x0 * across, y0 * down, x1 * across - 1, y1 * down - 1]
        left, top, right, bottom = (min(max(at, 1), size[way % 2] - 2) for way, at in enumerate(corners))
        for ends in (((left, top), (right, top)), ((right, top), (right, bottom)),
                     ((right, bottom), (left, bottom)), ((left, bottom), (left, top))):  # fmt: skip
            _line(draw, *ends, colour, broken)
    return picture


def _line(
    draw: ImageDraw.ImageDraw, start: tuple[float, float], end: tuple[float, float], colour: str, broken: bool
) -> None:  # fmt: skip
    """A line with a dark edge, so that it is seen on any photo; in dashes where it is broken."""
    length = max(abs(end[0] - start[0]), abs(end[1] - start[1]))
    steps = max(1, round(length / (2 * DASH))) if broken else 1
    for step in range(steps):
        some = [step / steps, (step + 0.6 if broken else step + 1) / steps]
        ends = [tuple(a + (b - a) * at for a, b in zip(start, end, strict=True)) for at in some]
        draw.line(ends, "black", LINE + 2)
        draw.line(ends, colour, LINE)
