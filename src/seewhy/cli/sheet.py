"""The sheet of a run of `seewhy explain`: index.html and sheet.png, a row for each photo.

What is imported inside functions is imported when the command runs, so that `--help` is quick.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from .filenames import others
from .printing import printable

if TYPE_CHECKING:
    from seewhy.maps.sheet import SheetRow

    from .truth import TruthAsked
    from .writing import Outputs, PhotoResult

SIDE = 240  # pixels of a picture in the page
EMBEDDED = 3000  # pictures in the page itself, about 10 kB each; of further maps the files are shown
ORDERS = ("given", "name", "confidence", "wrong")  # seewhy.maps.sheet.ORDERS


class SheetRows:
    """Collects the rows of a run, as small as they are shown."""

    def __init__(self, outputs: "Outputs") -> None:
        self.outputs = outputs
        self.rows: dict[str, SheetRow] = {}
        self.embedded = 0

    def row_of(self, result: "PhotoResult", truth: "TruthAsked", model: str = "") -> "SheetRow":
        """The row of a photo, with the files that were written of it, and what is known of it.

        model: what tells it from others, where there are several.
        """
        from seewhy.maps.sheet import SheetColumn
        from seewhy.maps.sheet_rows import free_column, row_of
        from seewhy.truth.labels import named_classes

        known, maps, files, facts = result.known, {}, {}, {}
        for place, (heatmap, paths) in enumerate(result.written):
            column = SheetColumn.of(heatmap.source)
            column = column._replace(model=model or column.model)
            if column.target in known.targets:  # another class of each photo, so one column
                number = known.targets.index(column.target) + 1
                column = column._replace(target="truth" if number == 1 else f"truth {number}")
            column = free_column(column, maps)
            maps[column], files[column] = heatmap, tuple(path.name for path in paths)
            facts[column] = tuple(map(str, result.evidence[place])) if result.evidence else ()
        picture = next(iter(self.outputs.pictures), "overlay")
        row = row_of(result.name, maps, SIDE, "jpeg", picture, self.outputs.look(result.written[0][0]), files)
        right = known.judgement.right if known.judgement else None
        return replace(
            row,
            answers=tuple(
                replace(said, model=model or said.model, predicted=said.predicted or result.predicted, right=right)
                for said in row.answers
            ),
            cells={column: replace(cell, facts=facts[column]) for column, cell in row.cells.items()},
            truth=named_classes(known.classes, truth.labels) if known.classes else "",
        )

    def add(self, file: str, row: "SheetRow") -> None:
        """Keep the row of a file, of several models as one row; once there are many pictures, without its own."""
        self.embedded += len(row.cells) + (row.photo is not None)
        if self.embedded > EMBEDDED:
            cells = {
                column: replace(cell, picture=cell.picture and cell.picture._replace(content=b""))
                for column, cell in row.cells.items()
            }
            row = replace(row, photo=None, cells=cells)
        if (there := self.rows.get(file)) is not None:
            facts = tuple(dict.fromkeys((*there.facts, *row.facts)))
            cells, answers = {**there.cells, **row.cells}, (*there.answers, *row.answers)
            row = replace(there, answers=answers, cells=cells, truth=there.truth or row.truth, facts=facts)
        self.rows[file] = row

    def in_order(self, files: Sequence[str], failed: Mapping[str, str]) -> "list[SheetRow]":
        """The rows in the order of the files, several of a file where that is read better (`stacked`); of those that failed
        with the reason, and no row of those not looked at.
        """
        from seewhy.maps.sheet import SheetRow, aligned
        from seewhy.maps.stacking import stacked

        there = [file for file in dict.fromkeys([*files, *failed]) if file in self.rows or file in failed]
        rows = [replace(self.rows.get(file, SheetRow(file)), failure=failed.get(file, "")) for file in there]
        return [
            replace(row, cells=cells, facts=(*([words] if words else []), *row.facts))
            for row, below in zip(rows, stacked(aligned([row.cells for row in rows])), strict=True)
            for words, cells in below
        ]


def write_sheet(
    out: Path, rows: "Sequence[SheetRow]", order: str, remarks: Sequence[str] = (), notes: Mapping[str, str] | None = None
) -> list[Path]:
    """Write the page and the picture of the rows into the folder; files there that seewhy did not make stay as they are.

    Raises NotWritten.
    """
    from seewhy.report.sheet import Sheet

    sheet, paths = Sheet(rows, order, remarks, notes or {}), []
    for name, save in (("index.html", sheet.save_page), ("sheet.png", sheet.save_picture)):
        path = free_file(out, name)
        save(path, True)
        paths.append(path)
    return paths


def free_file(out: Path, name: str) -> Path:
    """The first name for a file that is free, or the name of such a file of an earlier run."""
    from seewhy.maps.made_here import made_here

    stem, dot, ending = name.partition(".")
    paths = (out / f"{candidate}{dot}{ending}" for candidate in chain([stem], others(stem, None)))
    return next(path for path in paths if not os.path.lexists(path) or path.is_symlink() or made_here(path))


def sheet_words(paths: Sequence[Path]) -> str:
    """Where the sheet lies, in words."""
    return f"all on one sheet: {', '.join(printable(path) for path in paths)}"
