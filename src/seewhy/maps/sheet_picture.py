"""A sheet as one picture."""

import os
from collections.abc import Iterator, Sequence

import numpy as np
from PIL import Image

from seewhy.pictures.grid import INK, GridBar, GridCell, GridTable, GridText, grid
from seewhy.pictures.render import PICTURES, Look
from seewhy.printable import in_percent, printable

from .sheet import SheetAnswer, SheetCell, SheetRow, columns_of, shared, titles
from .source import Predicted

GOOD, BAD = "#1b6e4b", "#b0301c"
GOOD_AND_BAD = {True: GOOD, False: BAD}  # of answers that are right, or wrong
LABEL, NAME, WARNING = 80, 120, 200  # characters
CLIPPED = "colours end at the 99th percentile, each map on its own scale"
PICTURE_BARS = {  # of pictures other than the overlay: the colours, the words for their ends, and what they mean
    "colour": (
        "grey",
        "least",
        "most",
        f"colour: black to white in each channel, zero grey where a map has both signs; {CLIPPED}",
    ),
    "grey": ("grey", "zero", "most", f"grey: {PICTURES['grey']}; {CLIPPED}"),
    "positive": ("grey", "zero", "most", f"positive: what lies above zero, in colour; {CLIPPED}"),
    "negative": ("grey", "zero", "most", f"negative: what lies below zero, in colour; {CLIPPED}"),
    "signed": ("blue-red", "against", "for", f"signed: {PICTURES['signed']}, zero in the middle; {CLIPPED}"),
    "error": ("inferno", "least", "most", "standard error, each map on its own scale"),
}


def drawn_sheet(
    rows: Sequence[SheetRow], side: int, most: int, scale: tuple[float, float] | None = None, count: int | None = None
) -> Image.Image:
    """The rows as one picture, at most so many: the photo with what it was taken for, then its maps, `side` pixels wide each;
    below all of them what the colours mean and what is known against the methods.

    scale: the (low, high) of the colours, where all maps have the same; else each map is on its own.  count: of all rows, where
    these are the first of more.
    """
    columns = columns_of(rows)
    names = short_names([row.image for row in rows])
    table = GridTable(
        printable(shared(columns)) if columns else "",
        ["", *map(printable, titles(columns))],
        [colour_bar(colours, scale) for colours in colours_of(rows)],
        [*_caveats(rows)],
        side,
    )
    cells = [
        [GridCell(row.photo, tuple(_about(row, name))), *(_cell(row.cells.get(column)) for column in columns)]
        for row, name in zip(rows[:most], names, strict=False)
    ]
    return grid(table, cells, count or len(rows))


def _about(row: SheetRow, name: str) -> Iterator[GridText]:
    """What stands below a photo."""
    yield GridText(printable(name, NAME))
    for answer in row.answers:
        yield GridText(f"{answer.model}: {said(answer)}" if len(row.answers) > 1 else said(answer), ink_of(answer))
    if row.truth:
        yield GridText(f"truth: {printable(row.truth, LABEL)}")
    for fact in row.facts:
        yield GridText(printable(fact, NAME))
    if row.failure:
        yield GridText(printable(row.failure, WARNING), BAD)


def _cell(cell: SheetCell | None) -> GridCell | None:
    if cell is None:
        return None
    texts = [GridText(text) for text in (cell.says, *cell.facts) if text]
    return GridCell(cell.picture, (*texts, *(GridText(f"! {printable(text, WARNING)}", BAD) for text in cell.warnings)))


def said(answer: SheetAnswer) -> str:
    """What a model took a photo for, and whether that is right, where it is known: "wrong: tabby (281), 84.0 %"."""
    mark = {None: "", True: "right: ", False: "wrong: "}[answer.right]
    return mark + ("no classes" if answer.predicted is None else predicted_words(answer.predicted))


def predicted_words(predicted: Predicted) -> str:
    """The class and its probability: "tabby (281), 84.0 %"."""
    label = (predicted.label or "").split(",")[0]
    what = f"{printable(label, LABEL)} ({predicted.index})" if label else f"class {predicted.index}"
    return f"{what}, {in_percent(predicted.probability)}"


def ink_of(answer: SheetAnswer) -> str:
    return INK if answer.right is None else GOOD_AND_BAD[answer.right]


def colours_of(rows: Sequence[SheetRow]) -> list[str]:
    """The names of the colours in which the maps are drawn, or of the pictures (`PICTURE_BARS`)."""
    return [*dict.fromkeys(cell.colours for row in rows for cell in row.cells.values() if cell.colours)]


def caveats_of(rows: Sequence[SheetRow]) -> dict[str, str]:
    """What is known against each of the methods."""
    return {column.method: cell.caveat for row in rows for column, cell in row.cells.items() if cell.caveat}


def _caveats(rows: Sequence[SheetRow]) -> Iterator[str]:
    """Each caveat once, behind the methods that it is of: of many the first two."""
    by_caveat: dict[str, list[str]] = {}
    for method, caveat in caveats_of(rows).items():
        by_caveat.setdefault(caveat, []).append(method)
    for caveat, methods in by_caveat.items():
        more = f", ... ({len(methods)} of them)" if len(methods) > 3 else ""
        yield f"{', '.join(methods[:2] if more else methods)}{more}: {caveat}"


def colour_bar(colours: str, scale: tuple[float, float] | None) -> GridBar:
    """What the colours of the maps mean, by their name or that of the picture (`PICTURE_BARS`); with numbers where one scale
    holds for all maps.
    """
    if colours in PICTURE_BARS:
        name, low, high, words = PICTURE_BARS[colours]
        return GridBar(Look.of(np.zeros(1), 1, name, (-1.0, 1.0) if name == "blue-red" else (0.0, 1.0)), low, high, words)
    look = Look.of(np.zeros(1), 1, colours, scale or ((-1.0, 1.0) if colours == "blue-red" else (0.0, 1.0)))
    if scale is not None:
        return GridBar(look, f"{look.low:.3g}", f"{look.high:.3g}", "one scale for all maps")
    if look.centred:
        return GridBar(look, "against", "for", "what is explained; zero in the middle, each map on its own scale")
    return GridBar(look, "least", "most", "evidence, each map on its own scale")


def short_names(names: Sequence[str]) -> list[str]:
    """The names of files without the folder that all of them lie in."""
    folders = {os.path.dirname(name) for name in names}
    try:
        common = os.path.commonpath(folders) if folders else ""
    except ValueError:  # some absolute, some not
        return [*names]
    return [os.path.relpath(name, common) if common and name.startswith(common) else name for name in names]
