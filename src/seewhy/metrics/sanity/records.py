"""What came of drawing a network's weights anew: a row for each method and stage."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image

from seewhy.errors import BadParameter
from seewhy.json_text import as_json
from seewhy.maps.heatmap import Heatmap
from seewhy.maps.heatmaps import Failed, Refused
from seewhy.metrics.rows import MethodRows
from seewhy.printable import printable

from .asking import MapKey, SameQuestion, by_key
from .picture import MapStrip, save_strip, strip_picture
from .similarity import NAMES, Averages, similarity

KEPT = 4  # photos whose maps are kept for pictures


@dataclass(frozen=True)
class SanityRow:
    """How alike a method's maps stay at one stage.

    method, layer: of the maps; modules: whose weights were drawn anew at this stage (in a cascade on top of the stages before);
    similarity: to the maps of the trained network: Spearman of signed and of absolute values, SSIM, each over the photos.
    """

    method: str
    layer: str
    modules: tuple[str, ...]
    similarity: Averages

    @property
    def stage(self) -> str:
        """The modules in a few words: the one that is reached first, and how many follow."""
        first, more = self.modules[0] or "the network itself", len(self.modules) - 1
        return first + (f" and {more} more" if more else "")

    @property
    def facts(self) -> dict[str, Any]:
        """All of it, by name, for JSON."""
        return {
            "method": self.method, "layer": self.layer, "stage": self.stage, "modules": list(self.modules),
            **self.similarity.facts,
        }  # fmt: skip


@dataclass(eq=False)
class PicturedMaps:
    """The maps of the first few photos, for pictures, by method and layer: of the trained network, then of each stage."""

    keys: Sequence[MapKey]
    first: Sequence[Heatmap]
    stages: list[Sequence[Heatmap]] = field(default_factory=list)

    @classmethod
    def of(cls, question: SameQuestion) -> "PicturedMaps":
        few = {*question.places[:KEPT]}
        kept = [(key, m) for key, m in zip(question.keys, question.maps, strict=True) if m.place in few]
        return cls([key for key, _ in kept], [m for _, m in kept])

    def add(self, maps: Sequence[Heatmap]) -> None:
        """Keep those of the next stage, of the same few photos."""
        self.stages.append(maps[: len(self.first)])

    def strip(self, photo: int, key: MapKey) -> MapStrip:
        """The maps of one photo, by its number among those that are kept."""
        columns = [by_key(self.keys, maps)[key][photo] for maps in (self.first, *self.stages)]
        return MapStrip(columns[0], columns[1:], [similarity(columns[0].values, m.values) for m in columns[1:]])


@dataclass(frozen=True, eq=False)
class Randomised(MethodRows[SanityRow]):
    """How alike maps stay when weights are drawn anew: a row for each method and, in order, each stage.

    controls: by method and layer, the similarity of the trained network's maps and noise on the same grid: what chance gives.
    model, mode, seed, draws: what was asked.  images: the names of the photos, in the order of all values.
    failed, refused: the photos, and the methods, that `on_error="skip"` left out, with the reasons.
    notes: what has to be known of all numbers.
    """

    rows: tuple[SanityRow, ...]
    controls: Mapping[MapKey, Averages]
    model: str
    mode: str
    seed: int
    draws: int
    images: tuple[str, ...]
    failed: tuple[Failed, ...] = ()
    refused: tuple[Refused, ...] = ()
    notes: tuple[str, ...] = ()
    pictured: PicturedMaps | None = field(default=None, repr=False)

    def of(self, method: str) -> tuple[SanityRow, ...]:
        """The rows of one method, stage by stage.  Raises NoSuchName where it was not asked for."""
        return self.rows_of(method)

    @property
    def facts(self) -> dict[str, Any]:
        """All of it, by name, for JSON."""
        return {
            "model": self.model, "mode": self.mode, "seed": self.seed, "draws": self.draws, "images": list(self.images),
            "rows": [row.facts for row in self.rows],
            "controls": [{"method": key[0], "layer": key[1], **each.facts} for key, each in self.controls.items()],
            "notes": list(self.notes), "failed": [left.facts for left in self.failed],
            "refused": [left.facts for left in self.refused],
        }  # fmt: skip

    def to_json(self) -> str:
        """One JSON object on one line."""
        return as_json(self.facts)

    def to_csv(self) -> str:
        """A row for each method and stage, numbers with all their digits, nothing where there is none."""
        text = io.StringIO()
        ends = ("mean", "low", "high", "undefined")
        head = ["method", "layer", "stage", "modules", *(f"{name}_{end}" for name in NAMES for end in ends)]
        writer = csv.DictWriter(text, head, lineterminator="\n")
        writer.writeheader()
        for row in self.rows:
            facts = row.facts
            writer.writerow({
                **{name: facts[name] for name in ("method", "layer", "stage")}, "modules": " ".join(row.modules),
                **{f"{name}_{end}": facts[name][end] for name in NAMES for end in ends},
            })  # fmt: skip
        return text.getvalue()

    def table(self) -> list[tuple[str, ...]]:
        """A head, then for each method a row for each stage and one of noise, as texts."""
        rows: list[tuple[str, ...]] = [("method", "stage", "Spearman", "of absolute values", "SSIM")]
        for key, noise in self.controls.items():
            its = [row for row in self.rows if (row.method, row.layer) == key]
            rows += [(row.method, row.stage, *map(str, row.similarity)) for row in its]
            rows.append((key[0], "noise in place of the map", *map(str, noise)))
        return rows

    def strip(self, photo: int = 0, side: int = 150) -> Image.Image:
        """The stages as one picture, RGB: a row for each method, with the photo, its map by the trained network, and its map at
        each stage over how alike the two are.

        photo: its number, from 0; the first four can be drawn.  side: pixels of each.

        Raises BadParameter for any other photo.
        """
        kept = 0 if self.pictured is None else min(KEPT, len(self.images))
        if self.pictured is None or not 0 <= photo < kept:
            raise BadParameter(f"photo={photo!r}: pictures can be drawn of the photos 0 to {kept - 1}.")
        keys = [*dict.fromkeys((row.method, row.layer) for row in self.rows)]
        stages = [row.stage for row in self.rows if (row.method, row.layer) == keys[0]]
        strips = {f"{method} at {layer}": self.pictured.strip(photo, (method, layer)) for method, layer in keys}
        return strip_picture(
            strips, stages, f"{printable(self.model, 100)}: weights drawn anew, {self.mode}, seed {self.seed}", side
        )

    def save(self, path: str | Path, photo: int = 0, side: int = 150) -> Path:
        """Write the `strip` as .png.  Raises BadParameter for another suffix, NotWritten where that fails."""
        return save_strip(Path(path), self.strip(photo, side), self.images[photo])

    def __repr__(self) -> str:
        stages = len({row.modules for row in self.rows})
        methods = ", ".join(dict.fromkeys(row.method for row in self.rows))
        asked = f"{self.mode} of {printable(self.model, 100)}"
        return f"<Randomised {asked}: {methods} over {len(self.images)} photos, {stages} stages>"
