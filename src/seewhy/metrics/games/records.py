"""What came of a game on grids: a row for each method and layer, chance beside it."""

import csv
import io
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from seewhy.errors import BadParameter
from seewhy.json_text import as_json
from seewhy.maps.heatmaps import Failed, Refused
from seewhy.metrics.localization.resampling import middle, resampled
from seewhy.metrics.rows import MethodRows
from seewhy.metrics.sanity.picture import save_strip
from seewhy.printable import printable

from .picture import PlayedGrid, grid_picture


@dataclass(frozen=True, eq=False)
class GameRow:
    """How much of a method's evidence lies in the right cells.

    values: of each grid and each cell that was asked for, the share of the map's positive evidence that lies in that cell,
        (grids, asked); 0 of a map without positive evidence.
    empty: maps without positive evidence.
    independent: grids that the photos are enough for if each is used once; seed: of the interval.
    """

    method: str
    layer: str
    values: NDArray[np.float64]
    empty: int
    independent: int
    seed: int = 0

    @property
    def by_grid(self) -> NDArray[np.float64]:
        """The mean of each grid, (grids,)."""
        return self.values.mean(1)

    @property
    def mean(self) -> float:
        return float(self.values.mean())

    @cached_property
    def interval(self) -> tuple[float, float] | None:
        """Where, with 95 % confidence, the mean of other photos lies: by drawing the grids again, as though there were only as
        many as the photos make without using one twice; None of fewer than two such.
        """
        count = len(self.values)
        alone = min(count, self.independent)
        if alone < 2:
            return None
        low, high = middle(resampled(self.by_grid[:, None], self.seed)[:, 0] / count, alone)
        wider = np.sqrt(count / alone)
        ends = np.clip([self.mean + (end - self.mean) * wider for end in (low, high)], 0, 1)
        return float(ends[0]), float(ends[1])

    @property
    def facts(self) -> dict[str, Any]:
        """All of it, by name, for JSON."""
        low, high = self.interval or (None, None)
        return {
            "method": self.method, "layer": self.layer, "mean": self.mean, "low": low, "high": high,
            "grids": len(self.values), "empty": self.empty, "values": self.values.tolist(),
        }  # fmt: skip


@dataclass(frozen=True, eq=False)
class GridGame(MethodRows[GameRow]):
    """How well maps do in a game on grids of photos: a row for each method and layer.

    game: its name; chance: what a map has on average that has nothing to do with the photos, 1 / size^2.
    model, size (cells along a side), confidence, seed: what was asked.
    photos: the names of the photos that the network is sure of, out of `given`; grids: which of them stand in each grid,
        (grids, size^2), row by row; classes: what each of them is taken for.
    asked: the cells that were asked for, counted row by row.
    failed, refused: the photos, and the methods, that `on_error="skip"` left out, with the reasons.
    notes: what has to be known of all numbers.
    """

    rows: tuple[GameRow, ...]
    game: str
    model: str
    size: int
    confidence: float
    seed: int
    photos: tuple[str, ...]
    classes: NDArray[np.intp]
    given: int
    grids: NDArray[np.intp]
    asked: tuple[int, ...]
    failed: tuple[Failed, ...] = ()
    refused: tuple[Refused, ...] = ()
    notes: tuple[str, ...] = ()
    played: tuple[PlayedGrid, ...] = field(default=(), repr=False)

    @property
    def chance(self) -> float:
        return 1 / self.size**2

    def of(self, method: str) -> GameRow:
        """The row of a method, of several layers the first.  Raises NoSuchName where it was not asked for."""
        return self.rows_of(method)[0]

    @property
    def facts(self) -> dict[str, Any]:
        """All of it, by name, for JSON."""
        return {
            "game": self.game, "model": self.model, "size": self.size, "chance": self.chance, "confidence": self.confidence,
            "seed": self.seed, "photos": list(self.photos), "classes": self.classes.tolist(), "given": self.given,
            "grids": self.grids.tolist(), "asked": list(self.asked), "rows": [row.facts for row in self.rows],
            "notes": list(self.notes), "failed": [left.facts for left in self.failed],
            "refused": [left.facts for left in self.refused],
        }  # fmt: skip

    def to_json(self) -> str:
        """One JSON object on one line."""
        return as_json(self.facts)

    def to_csv(self) -> str:
        """A row for each method, layer, grid and cell that was asked for, numbers with all their digits."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["game", "method", "layer", "grid", "cell", "photo", "class", "share", "chance"])
        for row in self.rows:
            for grid, values in enumerate(row.values):
                for cell, share in zip(self.asked, values, strict=True):
                    photo = int(self.grids[grid, cell])
                    writer.writerow([
                        self.game, row.method, row.layer, grid, cell, self.photos[photo], int(self.classes[photo]),
                        float(share), self.chance,
                    ])  # fmt: skip
        return text.getvalue()

    def table(self) -> list[tuple[str, ...]]:
        """A head, then a row for each method and layer, and chance, as texts."""
        rows: list[tuple[str, ...]] = [("method", "layer", "in the right cell", "95 % interval", "empty maps")]
        for row in self.rows:
            span = "-" if row.interval is None else f"{row.interval[0]:.3f} to {row.interval[1]:.3f}"
            rows.append((row.method, row.layer, f"{row.mean:.3f}", span, str(row.empty)))
        return [*rows, ("chance", "", f"{self.chance:.3f}", "", "")]

    def picture(self, grid: int = 0, side: int = 220) -> Image.Image:
        """One grid and its maps, RGB: a row for each method and layer, with a map for each cell that was asked for, the cell
        framed, over the share of evidence in it.

        grid: its number, from 0; the first few can be drawn.  side: pixels of each map.
        Raises BadParameter for any other grid.
        """
        if not 0 <= grid < len(self.played):
            raise BadParameter(f"grid={grid!r}: pictures can be drawn of the grids 0 to {len(self.played) - 1}.")
        heading = f"{self.game} of {printable(self.model, 100)}, {self.size} x {self.size}, grid {grid} of seed {self.seed}"
        shares = {(row.method, row.layer): row.values[grid] for row in self.rows}
        return grid_picture(self.played[grid], self.size, self.asked, shares, heading, side)

    def save(self, path: str | Path, grid: int = 0, side: int = 220) -> Path:
        """Write the `picture` as .png.  Raises BadParameter for another suffix, NotWritten where that fails."""
        return save_strip(Path(path), self.picture(grid, side), f"grid {grid}")

    def __repr__(self) -> str:
        said = ", ".join(f"{row.method} {row.mean:.3f}" for row in self.rows)
        return f"<GridGame {self.game} of {printable(self.model, 100)}: {said}; chance {self.chance:.3f}>"
