"""The maps of one photo while weights are drawn anew, as one strip."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from seewhy.atomic import replacing
from seewhy.errors import BadParameter
from seewhy.images.places import Extent
from seewhy.maps.heatmap import Heatmap
from seewhy.maps.saving import sheet_png
from seewhy.maps.sheet_picture import colour_bar
from seewhy.maps.sheet_rows import says
from seewhy.maps.shrinking import shrunk
from seewhy.pictures.grid import GridCell, GridTable, GridText, grid
from seewhy.pictures.render import Look
from seewhy.pictures.thumbnails import Thumbnail
from seewhy.printable import printable

from .similarity import Similarity

NOTE = (
    "Each map is on its own scale. Below it: how alike it is to the trained network's map (Spearman of signed and of absolute "
    "values, SSIM). A map that stays as it was does not tell what the network learned."
)


class MapStrip(NamedTuple):
    """One photo's maps by one method."""

    trained: Heatmap
    stages: Sequence[Heatmap]
    similarities: Sequence[Similarity]  # of each stage's map to that of the trained network


def strip_picture(strips: Mapping[str, MapStrip], stages: Sequence[str], heading: str, side: int) -> Image.Image:
    """A row for each method, by its name: the photo, the trained network's map, and that of each stage over its numbers."""
    rows, looks = list[list[GridCell | None]](), list[str]()
    for name, strip in strips.items():
        small = shrunk(strip.trained, side)
        photo = Thumbnail.of(small.image, side, "png") if isinstance(small.image, Image.Image) else None
        lines = [name, says(strip.trained.source), _part(strip.trained)]
        cells: list[GridCell | None] = [GridCell(photo, tuple(GridText(printable(line, 100)) for line in lines if line))]
        cells.append(GridCell(_drawn(strip.trained, strip.trained, side, looks), ()))
        for heatmap, alike in zip(strip.stages, strip.similarities, strict=True):
            cells.append(GridCell(_drawn(heatmap, strip.trained, side, looks), tuple(map(GridText, numbers(alike)))))
        rows.append(cells)
    titles = ["", "as trained", *(printable(stage, 60) for stage in stages)]
    bars = [colour_bar(colours, None) for colours in dict.fromkeys(looks)]
    return grid(GridTable(heading, titles, bars, (NOTE,), side), rows, len(rows))


def numbers(alike: Similarity) -> list[str]:
    """The numbers below a map, a line each."""
    said = {"Spearman": alike.spearman, "of absolute": alike.absolute, "SSIM": alike.ssim}
    return [f"{name} {'-' if value is None else f'{value:.2f}'}" for name, value in said.items()]


def save_strip(path: Path, picture: Image.Image, image: str) -> Path:
    """Write the picture as .png."""
    if path.suffix.lower() != ".png":
        raise BadParameter(f"The picture of a sanity check is saved as .png, not as {path.suffix or path.name!r}.")
    with replacing(path, of=f"the sanity check of {image}") as beside:
        beside.write_bytes(sheet_png(picture))
    return path


def _part(heatmap: Heatmap) -> str:
    """Which part of the photo its grey pictures show, where that is not all of it; "" of a map that is drawn over the photo."""
    if "grey" not in heatmap.pictures or not isinstance(heatmap.box, Extent):
        return ""
    left, top, right, bottom = map(round, heatmap.box)
    whole = (0, 0, *heatmap.size)
    return (
        ""
        if (left, top, right, bottom) == whole
        else f"shown: what the network saw, columns {left} to {right}, rows {top} to {bottom}"
    )


def _drawn(heatmap: Heatmap, over: Heatmap, side: int, looks: list[str]) -> Thumbnail:
    """The map over the photo that another map lies on; of pixels, their values in grey, as papers show them.

    looks: of what a legend has to explain, to which its own is added.
    """
    if "grey" in heatmap.pictures:
        looks.append("grey")
        return Thumbnail.of(heatmap.picture("grey", magnify=max(1, side / max(heatmap.values.shape))), side, "png")
    here = replace(heatmap, image=over.image, box=over.box, cells=over.cells)
    signed = bool(heatmap.source.params.get("signed"))
    looks.append(Look.of(heatmap.values, 1, None, None, signed).colours)
    return Thumbnail.of(shrunk(here, side).overlay(), side, "png")
