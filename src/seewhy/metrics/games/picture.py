"""A grid of photos and its maps, as one picture."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from seewhy.images.places import Extent
from seewhy.maps.heatmap import Heatmap
from seewhy.maps.sheet_picture import colour_bar
from seewhy.maps.shrinking import shrunk
from seewhy.pictures.grid import GridCell, GridTable, GridText, grid
from seewhy.pictures.render import Look
from seewhy.pictures.thumbnails import Thumbnail
from seewhy.printable import in_percent, printable

FRAME = "#ff2d87"  # around the cell that was asked for
NOTE = "Each map is on its own scale. Framed: the cell whose class was asked for. Below: the share of evidence in it."


class PlayedGrid(NamedTuple):
    """A grid, and the maps of it."""

    photo: Image.Image | None  # None of prepared arrays
    labels: Sequence[str]  # of the classes of the cells, row by row
    maps: Mapping[tuple[str, str], Sequence[Heatmap]]  # by method and layer, of each cell that was asked for


def grid_picture(
    played: PlayedGrid, size: int, asked: Sequence[int], shares: Mapping[tuple[str, str], NDArray[np.float64]], heading: str,
    side: int,
) -> Image.Image:  # fmt: skip
    """A row for each method and layer: the grid, and the map of each cell that was asked for over its share of evidence."""
    rows, looks = list[list[GridCell | None]](), list[str]()
    for key, maps in played.maps.items():
        photo = None if played.photo is None else Thumbnail.of(played.photo, side, "png")
        cells: list[GridCell | None] = [GridCell(photo, (GridText(printable(" at ".join(key), 100)),))]
        for cell, heatmap, share in zip(asked, maps, shares[key], strict=True):
            drawn = Thumbnail.of(framed(heatmap, played.photo, size, cell, side, looks), side, "png")
            cells.append(GridCell(drawn, (GridText(f"{in_percent(share, 0)} in the cell"),)))
        rows.append(cells)
    titles = ["", *(printable(played.labels[cell], 60) for cell in asked)]
    bars = [colour_bar(colours, None) for colours in dict.fromkeys(looks)]
    return grid(GridTable(heading, titles, bars, (NOTE,), side), rows, len(rows))


def framed(
    heatmap: Heatmap, photo: Image.Image | None, size: int, cell: int, side: int, looks: list[str]
) -> Image.Image:  # fmt: skip
    """The map over the grid, with a frame around a cell.  looks: of what a legend has to explain, to which its own is added."""
    here = heatmap if photo is None else replace(heatmap, image=photo, box=Extent(0, 0, *photo.size), cells=None)
    signed = bool(heatmap.source.params.get("signed"))
    looks.append(Look.of(heatmap.values, 1, None, None, signed).colours)
    picture = shrunk(here, side).overlay().convert("RGB")
    width, height = picture.width / size, picture.height / size
    left, top = cell % size * width, cell // size * height
    edges = [round(left), round(top), round(left + width) - 1, round(top + height) - 1]
    ImageDraw.Draw(picture).rectangle(edges, outline=FRAME, width=max(2, side // 80))
    return picture
