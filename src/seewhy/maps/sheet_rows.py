"""From heatmaps to the rows of a sheet."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from PIL import Image

from seewhy.errors import NoSuchName, closest
from seewhy.pictures.render import Look
from seewhy.pictures.thumbnails import Thumbnail
from seewhy.printable import in_percent, printable

from .heatmap import Heatmap
from .sheet import SheetAnswer, SheetCell, SheetColumn, SheetRow, aligned
from .sheet_picture import PICTURE_BARS
from .shrinking import shrunk
from .source import Source
from .stacking import FACTS, stacked

LABEL = 80  # characters of a label


class MapGroup(NamedTuple):
    """The maps of one row, by their columns."""

    place: int  # of the image among those given
    image: str
    facts: tuple[str, ...]  # what the maps have in common beside the image, in words, where rows of one image differ in it
    maps: dict[SheetColumn, Heatmap]


def grouped(maps: Iterable[Heatmap], columns: str | Sequence[str] | None = None) -> list[MapGroup]:
    """The maps of each image, in columns by some of these facts (`FACTS`), with a row for each of the others; by default as
    `stacked` finds that they are read best.

    Raises NoSuchName for a fact that there is not.
    """
    asked = None if columns is None else [columns] if isinstance(columns, str) else [*columns]
    for name in asked or ():
        if name not in FACTS:
            raise NoSuchName("columns", name, closest(str(name), [*FACTS]), f"There are: {', '.join(FACTS)}.")
    images: dict[tuple[int, str], dict[SheetColumn, Heatmap]] = {}
    for heatmap in maps:
        row = images.setdefault((heatmap.place, heatmap.source.image), {})
        row[free_column(SheetColumn.of(heatmap.source), row)] = heatmap
    every = [*images.values()]
    parts = stacked(aligned(every)) if asked is None else stacked(every, asked)
    rows = [
        MapGroup(place, image, (words,) * bool(words), row)
        for (place, image), below in zip(images, parts, strict=True)
        for words, row in below
    ]
    return [group._replace(maps=row) for group, row in zip(rows, aligned([group.maps for group in rows]), strict=True)]


def free_column(column: SheetColumn, row: Mapping[SheetColumn, Heatmap]) -> SheetColumn:
    """The column; numbered where the row has a map of it already, made in a way that no column tells."""
    number, free = 2, column
    while free in row:
        free = column._replace(params=(*column.params, ("no.", str(number))))
        number += 1
    return free


def row_of(
    image: str,
    maps: Mapping[SheetColumn, Heatmap],
    side: int,
    kind: str = "jpeg",
    picture: str = "overlay",
    look: Mapping[str, Any] | None = None,
    files: Mapping[SheetColumn, tuple[str, ...]] | None = None,
) -> SheetRow:
    """The row of one image.

    side, kind: of the pictures, as in `Thumbnail.of`; picture, look: what is drawn, as in `Heatmap.drawn`; files: that hold
    the maps.
    """
    photo = next((m.image for m in maps.values() if isinstance(m.image, Image.Image)), None)
    small = shrunk(next(iter(maps.values())), side).image if photo else None
    said: dict[tuple[str, str | None], Source] = {}
    for heatmap in maps.values():
        said.setdefault((heatmap.source.model, heatmap.source.weights), heatmap.source)
    names = [model for model, _ in said]
    answers = [
        SheetAnswer(model if names.count(model) == 1 else f"{model} ({weights})", source.predicted)
        for (model, weights), source in said.items()
    ]
    cells = {}
    for column, heatmap in maps.items():
        drawn, colours = _drawn(heatmap, side, small if heatmap.image is photo else None, picture, dict(look or {}))
        source, there = heatmap.source, (files or {}).get(column, ())
        cells[column] = SheetCell(says(source), Thumbnail.of(drawn, side, kind), there, colours, source.caveat, source.warnings)
    shown = Thumbnail.of(small, side, kind) if isinstance(small, Image.Image) else None
    return SheetRow(image, shown, tuple(answers), cells)


def _drawn(
    heatmap: Heatmap, side: int, photo: Image.Image | None, picture: str, look: dict[str, Any]
) -> tuple[Image.Image, str]:
    """A map as small as it is shown, and the name of its colours where it is a map in colours."""
    if picture not in heatmap.pictures:
        picture = "overlay"
    if picture != "overlay":
        return heatmap.drawn(picture), picture if picture in PICTURE_BARS else ""
    signed = bool(heatmap.source.params.get("signed"))
    colours = Look.of(heatmap.values, 1, look.get("colours"), look.get("scale"), signed).colours
    return shrunk(heatmap, side, photo).overlay(**look), colours


def says(source: Source) -> str:
    """What a map explains, with its probability: "tabby (281), 84.0 %", "any cat: tabby, tiger cat, ... (7 classes), 90.2 %";
    empty of a map that looks at no class.
    """
    if source.score is None and source.index is None:
        return ""
    label = _of_group(source.label or "") if source.classes else (source.label or "").split(",")[0]
    what = label or (source.target if source.index is None else f"class {source.index}")
    what += f" ({source.index})" if label and source.index is not None else ""
    chance = "" if source.probability is None else f", {in_percent(source.probability)}"
    return printable(what, LABEL) + (f" {source.place}" if source.place else "") + chance


def _of_group(label: str) -> str:
    """The words for a group of classes; where they are long, with fewer of the names, but always with how many there are."""
    words, _, count = label.rpartition(" (")
    names = words.removesuffix(", ...").split(", ")
    while len(label) > LABEL and len(names) > 2:
        label = f"{', '.join(names := names[:-1])}, ... ({count}"
    return label
