"""Boxes as a table in CSV, which `--boxes` and spreadsheets read."""

import csv
import io
from collections.abc import Mapping
from typing import Any

from seewhy.errors import NotApplicable
from seewhy.printable import printable

from .growing import GrowingFile, Output
from .labelled import LabelledImage, LabelledObject

EDGES = {2: ("x0", "y0", "x1", "y1"), 3: ("i0", "j0", "k0", "i1", "j1", "k1")}
FACTS = ("model", "weights", "method", "layer", "threshold", "of", "preset", "refine", "seewhy")


class TableWriter:
    """A row for each box: file, edges, label, scores, and what made it.  An image without a box has a row without numbers,
    whose last cell says why.  Edges are in pixels, those of the first being 0 and 1; of a volume in voxels, with sides in mm.
    """

    def __init__(self, output: Output, over: bool = True) -> None:
        self._file, self._axes = GrowingFile(output, over), 0

    def add(self, image: LabelledImage) -> None:
        axes = len(image.size)
        if axes not in EDGES or self._axes not in (0, axes):
            raise NotApplicable(
                f"{printable(image.file, 200)}: a table holds boxes of photos, or of volumes and clips, one kind in one file. "
                "Write this one into a file of its own."
            )
        head = [] if self._axes else [_head(axes)]
        rows = [_row(image, one) for one in image.objects] or [_row(image, None)]
        self._file.add(_text([*head, *rows]))
        self._axes = axes

    def close(self) -> None:
        self._file.close()


def _head(axes: int) -> list[str]:
    return [
        "file",
        *EDGES[axes],
        "label",
        "score",
        "probability",
        "box_score",
        "area",
        "evidence",
        *_sides(axes),
        *FACTS,
        "why",
    ]


def _sides(axes: int) -> list[str]:
    return ["image_width", "image_height"] if axes == 2 else ["image_size", "size_mm"]


def _row(image: LabelledImage, one: LabelledObject | None) -> list[Any]:
    axes = len(image.size)
    if one is None:
        box: list[Any] = [""] * (2 * axes + 6)
    else:
        found = one.found
        scores = (one.score, found.probability, found.score, found.area, found.evidence)
        box = [*found.edges, one.category, *map(_number, scores)]
    size: list[Any] = [*image.size] if axes == 2 else ["x".join(map(str, image.size)), _mm(one)]
    return [image.file, *box, *size, *(_fact(image.made, name) for name in FACTS), "" if image.objects else image.why]


def _mm(one: LabelledObject | None) -> str:
    return "x".join(f"{side:.4g}" for side in (one.found.size_mm or ())) if one else ""


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}"


def _fact(made: Mapping[str, Any], name: str) -> str:
    value = made.get(name)
    return "" if value is None else _number(value) if isinstance(value, float) else str(value)


def _text(rows: list[list[Any]]) -> str:
    file = io.StringIO(newline="")
    csv.writer(file, lineterminator="\n").writerows(rows)
    return file.getvalue()
