"""The rows of a run, photo by photo, as reports read them."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seewhy.images.places import Cells, Extent, Turned
from seewhy.maps.source import Predicted

from .placing import HALF, places
from .restoring import values_of

TOP, TRUE = "top", "true"


@dataclass(frozen=True, eq=False)
class MapRow:
    """One map of a photo, as the store has it.

    values: (h, w) float32, coarse where `coarse`; of the columns `index`, `label`, `score`, `probability`, `warnings`.
    evidence: shares of the positive evidence by name, as the column `evidence` has them; None where they are not known.
    seen: what the network looked at (c,), or None.
    box, cells: where it lies in the photo, as in a Heatmap.  nothing: the value that is no evidence, 0 but of mean scores.
    """

    method: str
    target: str
    index: int | None
    label: str | None
    score: float | None
    probability: float | None
    values: NDArray[np.float32] = field(repr=False)
    coarse: bool
    evidence: Mapping[str, float | None] = field(repr=False)
    seen: NDArray[np.float32] | None = field(repr=False)
    warnings: tuple[str, ...]
    box: Extent | Turned | None = None
    cells: Cells | None = field(default=None, repr=False)
    nothing: float = 0.0

    @property
    def positive(self) -> NDArray[np.float32]:
        """The evidence: how far each value lies above what says nothing, (h, w)."""
        return np.maximum(self.values - np.float32(self.nothing), 0)


@dataclass(frozen=True, eq=False)
class PhotoRow:
    """One photo of a run, with its maps in the order method, target; of one that failed, with none and its `error`.

    size: (w, h) of the upright photo; photo: how it looks, by name; embedding: (c,), or None.
    """

    item: int
    path: str
    sha256: str | None
    size: tuple[int, int] | None
    format: str | None
    file_bytes: int | None
    truth: tuple[int, ...]
    truth_labels: tuple[str, ...]
    predicted: Predicted | None
    top: tuple[Predicted, ...]
    right: bool | None
    true_rank: int | None
    true_probability: float | None
    photo: Mapping[str, float | None] = field(repr=False)
    embedding: NDArray[np.float32] | None = field(repr=False)
    maps: tuple[MapRow, ...] = field(repr=False)
    error: str | None

    def map(self, target: str = TOP, method: str | None = None) -> MapRow | None:
        """The map of a target, by the given or the first method; None where there is none.  Of a photo that was taken for what
        it shows, the map of "true" is that of "top".
        """
        target = TOP if target == TRUE and self.right else target
        return next((m for m in self.maps if m.target == target and method in (None, m.method)), None)


def photo_rows(rows: Iterable[Mapping[str, Any]]) -> Iterator[PhotoRow]:
    """The photos of rows that stand in their order."""
    for _, of_photo in groupby(rows, lambda row: row["item"]):
        yield _photo_row([*of_photo])


def _photo_row(rows: list[Mapping[str, Any]]) -> PhotoRow:
    row = rows[0]
    chance = row["predicted_probability"]
    predicted = None if row["predicted"] is None else Predicted(row["predicted"], row["predicted_label"], chance)
    return PhotoRow(
        row["item"], row["path"], row["sha256"], None if row["width"] is None else (row["width"], row["height"]),
        row["format"], row["file_bytes"], tuple(row["truth"] or ()), tuple(row["truth_labels"] or ()), predicted,
        tuple(Predicted(**each) for each in row["top"] or ()), row["right"], row["true_rank"], row["true_probability"],
        row["photo"] or {}, _numbers(row["embedding"]), tuple(_map_row(each) for each in rows if each["map"] is not None),
        row["error"],
    )  # fmt: skip


def _map_row(row: Mapping[str, Any]) -> MapRow:
    values, (box, cells) = values_of(row), (None, None) if row["map_box"] is None else places(row["map_box"], row["map_cells"])
    said = json.loads(row["source"] or "{}")
    nothing = float(values.min()) if "mean_score" in (said.get("measured") or {}) else 0.0
    return MapRow(
        row["method"], row["target"], row["index"], row["label"], row["score"], row["probability"], values,
        row["map_coarse"], row["evidence"] or {}, _numbers(row["seen"]), tuple(row["warnings"] or ()), box, cells, nothing,
    )  # fmt: skip


def _numbers(content: bytes | None) -> NDArray[np.float32] | None:
    return None if content is None else np.frombuffer(content, HALF).astype(np.float32)
