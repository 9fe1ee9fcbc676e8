"""The photos on which boxes did best and worst, on one picture."""

import heapq
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import count
from typing import NamedTuple

from PIL import Image

from seewhy.errors import BadParameter, whole_number
from seewhy.pictures.grid import GridCell, GridTable, GridText, grid
from seewhy.pictures.outlines import Outline, outlined
from seewhy.pictures.stretching import Size
from seewhy.pictures.thumbnails import Thumbnail, within
from seewhy.printable import printable
from seewhy.truth.evidence import BoxEdges

SIDE = 280  # pixels of a photo


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
    of the box: a sure box beside the object is what to look for.  Orange: found; black and white stripes: true.
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
    notes = ["Orange: found. Stripes of black and white: true. IoU: how much the two overlap, of 1."]
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
    """The photo, `side` pixels long, with its boxes: what was found in orange, what is true in stripes of black and white."""
    size = within(photo.image.size, side)
    how = Image.Resampling.BOX if max(photo.image.size) > side else Image.Resampling.BICUBIC
    found = [] if photo.found is None else [Outline("found", "", _small(photo.found, photo.image.size, size))]
    true = [Outline("true", "", _small(box, photo.image.size, size), true=True) for box in photo.true]
    return outlined(photo.image.convert("RGB").resize(size, how), [*found, *true], None, size)


def _small(box: BoxEdges, photo: Size, size: Size) -> BoxEdges:
    """The box on the smaller photo, two pixels long at least."""
    (left, right), (top, bottom) = (
        (min(low * new / old, new - 2), max(high * new / old, min(low * new / old, new - 2) + 2))
        for low, high, new, old in zip(box[:2], box[2:], size, photo, strict=True)
    )
    return left, top, right, bottom
