"""A table of small pictures with texts below them: rows of photos and their maps, under the titles of the columns."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image

from .lettering import Letters
from .render import Look
from .thumbnails import Thumbnail, within

GAP, EDGE = 14, 18  # pixels between columns, and around all
LINES = 4  # of a text at most
LARGEST = 40_000_000  # pixels of a picture with more rows than one
INK, SOFT, LINE = "#1d1d22", "#63636e", "#dddde4"


class GridText(NamedTuple):
    """A text below a picture."""

    text: str
    ink: str = INK


class GridCell(NamedTuple):
    """A picture, where there is one, and what stands below it."""

    picture: Thumbnail | None
    texts: tuple[GridText, ...] = ()


class GridBar(NamedTuple):
    """What the colours of the pictures mean."""

    look: Look
    low: str  # at the left end
    high: str  # at the right one
    words: str  # beside it


GridRow = Sequence[GridCell | None]  # a cell for each column; None where there is nothing


class GridTable(NamedTuple):
    """All that a grid shows, but for its rows."""

    heading: str  # of the whole
    titles: Sequence[str]  # of the columns
    bars: Sequence[GridBar] = ()
    notes: Sequence[str] = ()  # below all
    side: int = 240  # pixels of a column


def grid(table: GridTable, rows: Sequence[GridRow], count: int) -> Image.Image:
    """The rows below each other, fewer where they would make a picture of more than LARGEST pixels: RGB.

    count: of the rows that there are in all; where some of them are left out, that is said: "The first 50 of 312 rows."
    """
    size = max(12, min(16, table.side // 15))
    width = max(2 * EDGE + len(table.titles) * (table.side + GAP) - GAP, 320)
    field = width - 2 * EDGE
    head = _strip([_block(GridText(table.heading), size + 2, field)] if table.heading else [], width)
    titles = _titles(table, size + 1, width)
    drawn, height = [], head.height + titles.height
    for cells in rows:
        row = _row(cells, table.side, size, width)
        height += row.height
        if drawn and height * width > LARGEST:
            break
        drawn.append(row)
    left_out = [] if len(drawn) == count else [f"The first {len(drawn)} of {count} rows."]
    bars = [_bar(bar, size, field) for bar in table.bars]
    notes = [_block(GridText(note, SOFT), size, field, 12) for note in (*left_out, *table.notes)]
    parts = [head, titles, *drawn, _strip([*bars, *notes], width)]
    out, top = Image.new("RGB", (width, sum(part.height for part in parts)), "white"), 0
    for part in parts:
        out.paste(part, (0, top))
        top += part.height
    return out


def _strip(blocks: Sequence[Image.Image], width: int) -> Image.Image:
    """Blocks below each other, with an edge around them; of none, nothing but the edge."""
    out = Image.new("RGB", (width, sum(block.height + GAP // 2 for block in blocks) + EDGE - GAP // 2), "white")
    top = EDGE - GAP // 2
    for block in blocks:
        out.paste(block, (EDGE, top))
        top += block.height + GAP // 2
    return out


def _titles(table: GridTable, size: int, width: int) -> Image.Image:
    """The titles of the columns, level at their bottom, over a line; nothing where no column has one."""
    if not any(table.titles):
        return Image.new("RGB", (width, 0))
    blocks = [_block(GridText(title), size, table.side) for title in table.titles]
    height = max(block.height for block in blocks) + GAP // 2
    out = Image.new("RGB", (width, height + 1), "white")
    for left, block in zip(_lefts(table.side), blocks, strict=False):
        out.paste(block, (left, height - GAP // 2 - block.height))
    out.paste(LINE, (EDGE, height, width - EDGE, height + 1))
    return out


def _row(cells: GridRow, side: int, size: int, width: int) -> Image.Image:
    """The pictures of a row, level at the top, each over its texts, which begin at one height; without a picture at the top."""
    pictures = [_picture(cell.picture, side) if cell and cell.picture and cell.picture.content else None for cell in cells]
    texts = [[_block(text, size, side) for text in (cell.texts if cell else ())] for cell in cells]
    high = max((picture.height for picture in pictures if picture), default=0)
    tops = [GAP + high + GAP // 3 if picture else GAP for picture in pictures]
    ends = [top + sum(block.height for block in blocks) for top, blocks in zip(tops, texts, strict=True)]
    out = Image.new("RGB", (width, max(ends)), "white")
    for left, picture, top, blocks in zip(_lefts(side), pictures, tops, texts, strict=False):
        if picture:
            out.paste(picture, (left, GAP))
        for block in blocks:
            out.paste(block, (left, top))
            top += block.height
    return out


def _picture(thumbnail: Thumbnail, side: int) -> Image.Image:
    """The picture, reduced where it is wider or higher than a column."""
    picture = thumbnail.picture
    return picture if max(picture.size) <= side else picture.resize(within(picture.size, side), Image.Resampling.BOX)


def _lefts(side: int) -> Iterator[int]:
    """The left edges of the columns."""
    left = EDGE
    while True:
        yield left
        left += side + GAP


def _block(text: GridText, size: int, width: int, most: int = LINES) -> Image.Image:
    """A text in lines of that width, at most so many; the rest is cut off, and three dots say so."""
    letters = Letters.of(text.text, size)
    lines = letters.wrapped(text.text.replace(" %", "\u00a0%"), width) if text.text else []
    if len(lines) > most:
        lines = [*lines[: most - 1], letters.fitted(f"{lines[most - 1]}...", width)]
    out = Image.new("RGB", (width, letters.line * len(lines)), "white")
    for place, line in enumerate(lines):
        letters.write(out, (0, place * letters.line), line, text.ink)
    return out


def _bar(bar: GridBar, size: int, width: int) -> Image.Image:
    """The colours from the least to the greatest, between words for their ends."""
    left, right = (Letters.of(text, size) for text in (bar.low, bar.high))
    start, length = round(left.width(bar.low)) + GAP // 2, min(200, width // 3)
    words = _block(GridText(bar.words, SOFT), size, max(60, width - start - length - round(right.width(bar.high)) - 2 * GAP))
    out = Image.new("RGB", (width, max(left.line, words.height)), "white")
    left.write(out, (0, 0), bar.low, INK)
    out.paste(ramp(bar.look, length, size), (start, 2))
    end = start + length + GAP // 2
    right.write(out, (end, 0), bar.high, INK)
    out.paste(words, (end + round(right.width(bar.high)) + GAP, 0))
    return out


def ramp(look: Look, width: int, height: int) -> Image.Image:
    """The colours from the least on the left to the greatest on the right: RGB."""
    return Image.fromarray(look.paint(np.linspace(look.low, look.high, width)[None].repeat(height, 0)))
