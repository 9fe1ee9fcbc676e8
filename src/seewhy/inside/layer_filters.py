"""The filters of a layer: its kernels, how far they see in the image, and both on one sheet."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from seewhy.arrays import Floats
from seewhy.atomic import replacing
from seewhy.errors import BadParameter
from seewhy.json_text import as_json
from seewhy.maps.saving import sheet_png
from seewhy.maps.source import ModelFacts
from seewhy.models.kernels import Kernels
from seewhy.pictures.grid import GridBar, GridCell, GridTable, GridText, grid
from seewhy.pictures.kernels import STRONGEST, kernel_tile, strongest
from seewhy.pictures.render import Look
from seewhy.pictures.thumbnails import Thumbnail
from seewhy.printable import printable

from .fields import EffectiveFields

COLUMNS, SIDE = 8, 104  # of the sheet: pictures in a row, and pixels of each
BETWEEN = 6  # pixels between a field and the kernel beside it


@dataclass(frozen=True, eq=False)
class LayerFilters:
    """The filters of one layer.

    units: those that are shown.  kernels: what the convolution multiplies with; None of a layer that has none of its own.
    fields: effective receptive fields of the units; None where kernels read the image itself, and so are what they see.
    colours: the images have the channels red, green and blue; bgr: in the order blue, green, red.
    over: what the fields were averaged over: "noise" or "photos"; seed: of the noise.
    """

    model: ModelFacts = field(repr=False)
    layer: str
    units: tuple[int, ...]
    kernels: Kernels | None = field(repr=False)
    fields: EffectiveFields | None = field(repr=False)
    colours: bool
    bgr: bool = False
    over: str = ""
    seed: int | None = None
    notes: tuple[str, ...] = ()

    @property
    def stopped(self) -> bool:
        """Did Ctrl-C end it before the fields were averaged over all images?"""
        return self.fields is not None and self.fields.stopped

    @property
    def facts(self) -> Mapping[str, Any]:
        """All that is known of it but the numbers of kernels and fields, for JSON."""
        kernels, fields = self.kernels, self.fields
        sides = None if fields is None else fields.sides()
        rows = [
            {
                "unit": unit,
                **({} if kernels is None else {"largest_weight": float(abs(kernels.weights[unit]).max())}),
                **({} if sides is None else {"effective_side": float(sides[i])}),
            }
            for i, unit in enumerate(self.units)
        ]
        return {
            "layer": self.layer,
            "kernels": None if kernels is None else {"shape": kernels.weights.shape, "groups": kernels.groups},
            "reads_image": kernels is not None and kernels.reads_image,
            "fields": None
            if fields is None
            else {"at": fields.at, "images": fields.images, "over": self.over, "seed": self.seed},
            "filters": rows,
            "stopped": self.stopped,
            "notes": self.notes,
            "model": asdict(self.model),
        }

    @property
    def title(self) -> str:
        """What is shown, in a sentence."""
        kernels, fields = self.kernels, self.fields
        what = "filters"
        if kernels is not None:
            taps = "x".join(map(str, kernels.weights.shape[2:]))
            what = f"{len(kernels.weights)} filters of {kernels.weights.shape[1]} x {taps}"
            what += f" in {kernels.groups} groups" if kernels.groups > 1 else ""
        said = f"{self.layer} of {self.model.name}: {len(self.units)} of its {what}"
        if fields is not None:
            images = "drawn from noise" if self.over == "noise" else "that were given"
            said += f"; the gradient of the unit in the middle toward the image, mean over {fields.images} images {images}"
            said += ", beside their kernels" if kernels is not None else ""
        return printable(said, 400)

    def __str__(self) -> str:
        lines = [f"filter {unit}: {', '.join(self._words(i))}" for i, unit in enumerate(self.units)]
        return "\n".join([self.title, *lines, *(f"! {note}" for note in self.notes)])

    def __repr__(self) -> str:
        return f"<LayerFilters: {self.title}>"

    def _words(self, i: int) -> list[str]:
        """What is to be said of a filter: its largest weight, which channels it reads most, how far it sees."""
        kernels, fields, said = self.kernels, self.fields, list[str]()
        if kernels is not None:
            weights = kernels.weights[self.units[i]]
            said.append(f"\u00b1{abs(weights).max():.2g}")
            channels = kernels.read(self.units[i])[strongest(weights)]
            if not kernels.reads_image or kernels.groups > 1:
                said.append(f"reads {', '.join(map(str, channels))}" + (" most" if len(weights) > STRONGEST else ""))
        if fields is not None:
            side = fields.sides()[i]
            said.append(f"sees {side:.0f} px" if side else "no gradient")
        return said

    def picture(self, columns: int | None = None, width: int = SIDE) -> Image.Image:
        """The sheet, RGB: a square for each filter, on a scale of its own.  Kernels that read a photo are drawn in colour: zero
        is middle grey.  Others in blue (below zero) and red, of each the four slices with the largest norm; to their left, what
        in the image the unit answers to (its effective receptive field).

        columns: filters in a row, by default 8, of a field and a kernel beside each other 4; width: pixels of a square.
        """
        both = self.fields is not None and self.kernels is not None
        columns = (COLUMNS // 2 if both else COLUMNS) if columns is None else columns
        if not isinstance(columns, int) or not isinstance(width, int) or columns < 1 or not 32 <= width <= 2000:
            raise BadParameter(f"columns={columns!r}, width={width!r}: at least one column, each 32 to 2000 pixels wide.")
        cells = [*self._cells(width)]
        rows = [cells[start : start + columns] for start in range(0, len(cells), columns)]
        filled = [[*row, *[None] * (columns - len(row))] for row in rows]
        said = {COLOURED: self._coloured, LINES: self._lines, SEEN: self.fields is not None}
        notes = [*(words for words, holds in said.items() if holds), *(f"! {note}" for note in self.notes)]
        blue_red = GridBar(Look("blue-red", -1, 1, 1), "-largest", "largest", "weight, each filter on a scale of its own")
        coloured = self._coloured and (self.kernels is None or self.kernels.reads_image)
        bars = [] if coloured or self._lines else [blue_red]
        return grid(
            GridTable(self.title, [""] * columns, bars, notes, 2 * width + BETWEEN if both else width), filled, len(rows)
        )

    @property
    def _coloured(self) -> bool:
        """Is something on the sheet drawn in the colours of photos?"""
        reads = self.kernels is not None and self.kernels.reads_image and self.kernels.groups == 1
        return self.colours and (reads or self.fields is not None)

    @property
    def _lines(self) -> bool:
        """Are filters of a signal drawn, as lines?"""
        shown = [self.kernels.weights] if self.kernels is not None else []
        return any(a.ndim == 3 for a in (*shown, *([self.fields.mean] if self.fields is not None else [])))

    def _cells(self, width: int) -> Iterator[GridCell]:
        window = () if self.fields is None else self.fields.window()
        for i, unit in enumerate(self.units):
            tiles = list[Image.Image]()
            if self.fields is not None:
                tiles.append(kernel_tile(self._rgb(self.fields.mean[i][(slice(None), *window)]), width, self.colours))
            if self.kernels is not None:
                weights, first = self.kernels.weights[unit], self.kernels.reads_image
                in_colour = self.colours and first and self.kernels.groups == 1
                tiles.append(kernel_tile(self._rgb(weights) if in_colour else weights, width, in_colour))
            field = Image.new("RGB", ((width + BETWEEN) * len(tiles) - BETWEEN, width), "white")
            for place, tile in enumerate(tiles):
                field.paste(tile, (place * (width + BETWEEN), 0))
            texts = [GridText(f"filter {unit}"), *map(GridText, self._words(i))]
            yield GridCell(Thumbnail.of(field, max(field.size), "png"), tuple(texts))

    def _rgb(self, values: Floats) -> Floats:
        """(3, ...) with red first."""
        return values[::-1] if self.bgr and self.colours else values

    def save(self, path: str | Path, **look: Any) -> Path:
        """Write the sheet as .png, or all numbers as .npz: units, kernels (filters, c, *taps), fields and strength (units, c,
        *space) and (units, *space), facts (as JSON).  look: as `picture` takes it.  Raises BadParameter for another ending,
        NotWritten.
        """
        path = Path(path)
        if path.suffix.lower() not in (".png", ".npz"):
            raise BadParameter(f"Filters are saved as .png, the sheet, or .npz, the numbers; not as {path.name!r}.")
        content = sheet_png(self.picture(**look)) if path.suffix.lower() == ".png" else b""
        with replacing(path, True, f"the filters of {self.layer}") as beside:
            if content:
                beside.write_bytes(content)
            else:
                with beside.open("wb") as file:
                    np.savez_compressed(file, **self._arrays())
        return path

    def _arrays(self) -> dict[str, Any]:
        arrays: dict[str, Any] = {"units": np.array(self.units, np.int64), "facts": as_json(dict(self.facts))}
        if self.kernels is not None:
            arrays["kernels"] = self.kernels.weights
        if self.fields is not None:
            arrays |= {"fields": self.fields.mean, "strength": self.fields.strength}
        return arrays


COLOURED = (
    "in colour: middle grey is zero, red, green and blue are the weights of these channels of the prepared photo, each filter "
    "on a symmetric scale of its own; the mean and deviation of its preparation are not undone"
)
LINES = "a line for each channel, from left to right along the signal, zero in the middle, each filter on a scale of its own"
SEEN = (
    "px: the side of the square with as many pixels as have more than 4.55 % of the greatest gradient, by root mean square "
    "(Luo et al. 2016)"
)
