"""The photos of a run as other tools take them: names of files, answers, maps over the whole photo."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seewhy.dataset.dataset_run import DatasetRun
from seewhy.dataset.photo_grid import on_photo_grid
from seewhy.dataset.photo_rows import MapRow, PhotoRow
from seewhy.progress import shown

SIDE = 64  # places along the longer side of a photo, of a map that is handed on
KINDS = ("top", "true")


@dataclass(frozen=True, eq=False)
class SharedMap:
    """A map over the whole photo.

    name: "top" (what it saw for its answer) or "true" (for the right one), with the method where the run has several.
    values: (h, w), from 0 to 1: the evidence by the greatest of it.
    """

    name: str
    label: str
    values: NDArray[np.float32] = field(repr=False)


@dataclass(frozen=True, eq=False)
class SharedPhoto:
    """A photo of a run, and its maps by name; none of one that failed."""

    row: PhotoRow
    maps: tuple[SharedMap, ...]

    @property
    def facts(self) -> dict[str, Any]:
        """What is known of it, by plain names, for tables of other tools."""
        row, said = self.row, self.row.predicted
        return {
            "item": row.item, "path": row.path, "truth": label_of(row.truth_labels, row.truth),
            "predicted": None if said is None else said.label or str(said.index),
            "probability": None if said is None else said.probability, "right": row.right,
            "true_probability": row.true_probability, "error": row.error,
        }  # fmt: skip


def label_of(labels: tuple[str, ...], indices: tuple[int, ...]) -> str | None:
    """The true classes on one line; None where none is known."""
    names = [label or str(index) for label, index in zip(labels or map(str, indices), indices, strict=True)]
    return "; ".join(names) or None


def shared_photos(run: DatasetRun, most: int | None = None) -> Iterator[SharedPhoto]:
    """The photos of a run in their order, the first `most` of them, read as they are asked for."""
    several = len(run.info.method_names) > 1
    total = len(run) if most is None else min(most, len(run))
    for row in shown(islice(run.photos(), total), total, "sharing"):
        yield SharedPhoto(row, tuple(_maps(row, several)))


def _maps(row: PhotoRow, several: bool) -> Iterator[SharedMap]:
    for one in row.maps:
        values = None if row.size is None else _whole(one, row.size)
        if values is not None:
            name = f"{one.target}_{one.method}" if several else one.target
            yield SharedMap(name.replace("-", "_"), one.label or str(one.index), values)


def _whole(one: MapRow, size: tuple[int, int]) -> NDArray[np.float32] | None:
    """The positive part of a map by its greatest value."""
    found = on_photo_grid(one, size, SIDE)
    if found is None:
        return None
    evidence: NDArray[np.float32] = np.maximum(found[0], np.float32(0))
    most = float(evidence.max())
    return (evidence / most).astype(np.float32) if most > 0 else evidence
