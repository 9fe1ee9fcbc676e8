"""What one layer emits for one image: its numbers, maps of its strongest channels, and these on one sheet."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from seewhy.atomic import replacing
from seewhy.errors import BadParameter, NotApplicable
from seewhy.images.inputs import is_clip
from seewhy.images.photo import UnderlayPixels
from seewhy.images.places import Cells, Grid, Where
from seewhy.maps.heatmap import Heatmap
from seewhy.maps.heatmaps import Heatmaps
from seewhy.maps.record import recorded
from seewhy.maps.saving import sheet_png
from seewhy.maps.shrinking import shrunk
from seewhy.maps.source import Source
from seewhy.maps.turning import turned_back
from seewhy.pictures.bars import NamedNumber, bars
from seewhy.pictures.grid import GridBar, GridCell, GridTable, GridText, grid
from seewhy.pictures.render import Look, beyond, clipped
from seewhy.pictures.side_by_side import Panel, side_by_side
from seewhy.pictures.thumbnails import Thumbnail
from seewhy.printable import printable
from seewhy.targets.target import Unit

COLUMNS, SIGNALS = 6, 2  # of the sheet; of signals, whose pictures are wide
PERCENT = 99  # of the absolute values shown, at which the colours of a sheet end
SIDE, WIDE = 150, 520  # pixels of a map on the sheet; of a signal
CAVEAT = (
    "an activation says where a channel answers, not what it stands for, nor whether the score rests on it: see top_units, and "
    "deconvnet for a unit"
)


class EmittedChannel(NamedTuple):
    """A channel of a layer, and what it emits for one image."""

    channel: int
    low: float  # its least activation
    high: float  # its greatest
    contribution: float | None = None  # sum over space of activation times gradient, in units of the score, if that was asked

    @property
    def peak(self) -> float:
        """The activation that is farthest from zero."""
        return self.high if self.high >= -self.low else self.low

    @property
    def words(self) -> str:
        """What it emits: "0 to 3.21", of one number "3.21"; and what that contributes."""
        said = f"{self.low:.3g}" if self.low == self.high else f"{self.low:.3g} to {self.high:.3g}"
        return said if self.contribution is None else f"{said}; {self.contribution:+.3g} of the score"


@dataclass(frozen=True, eq=False)
class LayerActivations:
    """What one layer emits for one image.

    values: (c, *space) of all channels, as the network emitted them, in its own precision; (c,) of a layer without space.
    channels: those that are shown, in the order of the sheet, by `by`: "peak", the strongest first; "contribution", what adds
        most to the score of the target; "given", as they were asked for.
    source: the Source of the layer as a whole; each map has one that also says its channel.
    image, box, cells, place: as of a `Heatmap`.
    """

    values: NDArray[Any]
    channels: tuple[EmittedChannel, ...]
    by: str
    source: Source
    image: UnderlayPixels = field(repr=False)
    box: Where
    cells: Cells | None = field(default=None, repr=False)
    place: int = 0

    @property
    def layer(self) -> str:
        return self.source.layer

    @property
    def flat(self) -> bool:
        """Has the layer no space: one number a channel?"""
        return prod(self.values.shape[1:]) == 1

    @property
    def silent(self) -> int:
        """How many of all channels are zero everywhere in this image."""
        return int((~self.values.reshape(len(self.values), -1).any(1)).sum())

    @cached_property
    def maps(self) -> Heatmaps:
        """One map for each channel that is shown, at its place on the image.  Raises NotApplicable of a layer without space."""
        if self.flat:
            raise NotApplicable(
                f"{self.layer} emits one number a channel, which have no place in the image: read .values or .channels, or "
                "draw them with .picture()."
            )
        return Heatmaps(tuple(self._map(each.channel) for each in self.channels))

    def _map(self, channel: int) -> Heatmap:
        source = replace(
            self.source,
            method=f"activation of channel {channel}",
            params={"channel": channel},
            target=str(Unit(self.layer, channel)),
        )
        values = np.ascontiguousarray(self.values[channel], np.float32)
        return recorded(turned_back(Heatmap(values, self.image, self.box, source, self.place, cells=self.cells)))

    @property
    def scale(self) -> tuple[float, float]:
        """The (low, high) that all maps of the sheet share, zero among them, where nothing else is asked for: colours end at
        the 99th percentile of the absolute values shown, for single cells stand out far.
        """
        return clipped(self._shown, PERCENT)

    @property
    def _shown(self) -> NDArray[Any]:
        return self.values[[each.channel for each in self.channels]]

    @property
    def title(self) -> str:
        """What is shown, in a sentence."""
        count, every = len(self.channels), len(self.values)
        how = {
            "peak": "the strongest by the activation farthest from zero",
            "contribution": f"by what they add to the score of {self.source.target}",
            "given": "as asked for",
        }[self.by]
        some = f"{count} of {every} channels, {how}" if count < every or self.by == "given" else f"all {every} channels, {how}"
        silent = f"; {self.silent} are zero everywhere" if self.silent else ""
        return printable(f"What {self.layer} of {self.source.model} emits for {self.source.image}: {some}{silent}", 400)

    @property
    def facts(self) -> dict[str, Any]:
        """All that is known of it but the numbers of single cells, for JSON."""
        rows = [{**each._asdict(), "peak": each.peak} for each in self.channels]
        return {"shape": self.values.shape, "by": self.by, "silent": self.silent, "shown": rows, "source": self.source.facts}

    def __str__(self) -> str:
        lines = [f"channel {each.channel}: {each.words}" for each in self.channels]
        return "\n".join([self.title, *lines, *(f"! {warning}" for warning in self.source.warnings)])

    def __repr__(self) -> str:
        return f"<LayerActivations {'x'.join(map(str, self.values.shape))}: {self.title}>"

    def picture(self, columns: int | None = None, width: int | None = None, **look: Any) -> Image.Image:
        """The sheet, RGB: the photo, then a map for each channel with its number and its own values, all on one scale, and what
        the colours mean.  Of a layer without space a bar for each number.

        columns: 6, of signals 2; width: pixels of a column, 150, of signals 520; look: as `Heatmap.overlay` takes it: here maps
        hide the image (alpha=1), alpha="value" lets it shine through.  Of a volume the axial slice with the channel's strongest
        value is shown, of a clip such a frame; view= and count= show others.
        """
        if self.flat:
            return self._bars()
        signal = self.values.ndim == 2
        columns = (SIGNALS if signal else COLUMNS) if columns is None else columns
        width = (WIDE if signal else SIDE) if width is None else width
        if not isinstance(columns, int) or not isinstance(width, int) or columns < 1 or not 32 <= width <= 2000:
            raise BadParameter(f"columns={columns!r}, width={width!r}: at least one column, each 32 to 2000 pixels wide.")
        look = {"scale": self.scale, "alpha": 1, **look}
        colours = Look.of(self._shown, 1, look.get("colours"), look["scale"])
        said = beyond(self._shown, PERCENT) if look["scale"] == self.scale else ""
        bar = GridBar(colours, f"{colours.low:.3g}", f"{colours.high:.3g}", f"activation, one scale for all channels{said}")
        cells = [*self._cells(width, look)]
        rows = [cells[start : start + columns] for start in range(0, len(cells), columns)]
        notes = [*(f"! {warning}" for warning in self.source.warnings), f"{self.source.caveat}."]
        filled = [[*row, *[None] * (columns - len(row))] for row in rows]
        return grid(GridTable(self.title, [""] * columns, [bar], notes, width), filled, len(rows))

    def _cells(self, width: int, look: dict[str, Any]) -> Iterator[GridCell]:
        """The photo, and each map over a copy of it as small as it is shown."""
        photo = None
        if isinstance(self.image, Image.Image):
            photo = shrunk(self.maps[0], width).image
            assert isinstance(photo, Image.Image)
            yield GridCell(Thumbnail.of(photo, width, "png"), (GridText("the image"),))
        volume = self.values.ndim == 4 and isinstance(self.box, Grid) and not is_clip(self.image)
        own = {**({"count": 1} if self.values.ndim == 4 else {}), **({"view": "axial"} if volume else {})}
        for heatmap, each in zip(self.maps, self.channels, strict=True):
            drawn = shrunk(heatmap, width, photo).overlay(**{**own, **look})
            yield GridCell(Thumbnail.of(drawn, width, "png"), (GridText(f"channel {each.channel}"), GridText(each.words)))

    def _bars(self) -> Image.Image:
        numbers = [NamedNumber(f"channel {each.channel}", each.high) for each in self.channels]
        panels = [Panel(bars(numbers), f"{len(numbers)} of {len(self.values)} numbers")]
        if isinstance(self.image, Image.Image):
            small = Thumbnail.of(self.image, 240, "png").picture
            panels.insert(0, Panel(small, "the image"))
        return side_by_side(panels, ". ".join([self.title, *self.source.warnings]))

    def save(self, path: str | Path, **look: Any) -> Path:
        """Write the sheet as .png, or all numbers as .npz: values (c, *space), channels (the numbers of those shown), source
        (as JSON).  look: as `picture` takes it.  Raises BadParameter for another ending, NotWritten.
        """
        path = Path(path)
        if path.suffix.lower() not in (".png", ".npz"):
            raise BadParameter(f"Activations are saved as .png, the sheet, or .npz, the numbers; not as {path.name!r}.")
        content = sheet_png(self.picture(**look)) if path.suffix.lower() == ".png" else b""
        with replacing(path, True, f"the activations of {self.source.image}") as beside:
            if content:
                beside.write_bytes(content)
            else:
                shown = np.array([each.channel for each in self.channels], np.int64)
                with beside.open("wb") as file:
                    np.savez_compressed(file, values=self.values, channels=shown, source=self.source.to_json())
        return path
