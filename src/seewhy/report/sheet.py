"""The page of `seewhy explain`: one file, with the maps in full size beside it, that needs no network and no server.

What strangers may have written (names of files, labels, warnings) goes into it escaped, by a template that escapes all; the
page may run its own script alone, known by its hash, and load nothing but pictures beside it.
"""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment

from seewhy import __version__
from seewhy.atomic import replacing
from seewhy.maps.made_here import PAGE
from seewhy.maps.saving import sheet_png
from seewhy.maps.sheet import SheetCell, SheetRow, columns_of, in_order, shared, titles
from seewhy.maps.sheet_picture import caveats_of, colour_bar, colours_of, drawn_sheet, said, short_names
from seewhy.pictures.grid import ramp
from seewhy.pictures.thumbnails import Thumbnail
from seewhy.printable import printable

SHOWN = 5000  # rows of a page at most
DRAWN, DRAWN_MAPS = 50, 200  # of a picture
WIDE = 200  # pixels of a column of the picture
ORDER_NAMES = {"given": "as given", "name": "name", "confidence": "surest first", "doubt": "least sure first",
               "wrong": "wrong first"}  # fmt: skip
MARKS = {None: "", True: "good", False: "bad"}
WORDS = 300  # characters of what a stranger wrote


@dataclass(frozen=True)
class Sheet:
    """What `seewhy explain` found, photo by photo, to be written as a page and as a picture.

    order: of `seewhy.maps.sheet.ORDERS`; remarks: what is said above the rows, such as how many answers are right; notes: what
    is said below them, each under its name.
    """

    rows: Sequence[SheetRow]
    order: str = "given"
    remarks: Sequence[str] = ()
    notes: Mapping[str, str] = field(default_factory=dict)

    def page(self) -> str:
        """The page as HTML."""
        places = {id(row): place for place, row in enumerate(self.rows)}
        rows = in_order(self.rows, self.order)[:SHOWN]
        columns, names = columns_of(rows), short_names([row.image for row in rows])
        heads = [printable(title, WORDS) for title in titles(columns)]
        script = _read("sheet.js")
        known = any(answer.right is not None for row in rows for answer in row.answers)
        return _template().render(
            signature=PAGE.decode(),
            version=__version__,
            heading=self.heading,
            remarks=self.remarks,
            orders=[(key, words) for key, words in ORDER_NAMES.items() if key != "wrong" or known],
            order=self.order,
            side=max((cell.picture.size[0] for row in rows for cell in row.cells.values() if cell.picture), default=240),
            titles=heads,
            rows=[
                _row(row, places[id(row)], name, [*zip(map(row.cells.get, columns), heads, strict=True)])
                for row, name in zip(rows, names, strict=True)
            ],
            left_out=len(self.rows) - len(rows),
            bars=[_bar(colours) for colours in colours_of(rows)],
            notes=[(printable(name, WORDS), printable(words)) for name, words in {**caveats_of(rows), **self.notes}.items()],
            script=script,
            script_hash="sha256-" + b64encode(sha256(script.encode()).digest()).decode(),
        )  # fmt: skip

    @property
    def heading(self) -> str:
        """What the whole is of: "40 photos: grad-cam, top 1, at layer4, of torchvision/resnet50"."""
        count, what = len({row.image for row in self.rows}), columns_of(self.rows)  # an image may have several rows
        words = f": {shared(what)}" if what and shared(what) else ""
        return printable(f"{count} photo{'s' * (count != 1)}{words}", WORDS)

    def save_page(self, path: Path, over: bool) -> None:
        """Write the page; over: take the place of a file that is there.  Raises NotWritten."""
        page = self.page()
        with replacing(path, over, "the page of all maps") as beside:
            beside.write_text(page, "utf-8", errors="replace")

    def save_picture(self, path: Path, over: bool) -> None:
        """Write the first rows as one picture; over: take the place of a file that is there.  Raises NotWritten."""
        rows = in_order(self.rows, self.order)
        most = max(1, min(DRAWN, DRAWN_MAPS // max(1, len(columns_of(rows)))))
        content = sheet_png(drawn_sheet(rows[:most], WIDE, most, count=len(rows)))
        with replacing(path, over, "the picture of all maps") as beside:
            beside.write_bytes(content)


def _row(row: SheetRow, place: int, name: str, cells: Sequence[tuple[SheetCell | None, str]]) -> dict[str, Any]:
    return {
        "place": place,
        "name": printable(name, WORDS),
        "photo": row.photo,
        "confidence": f"{row.confidence:.6g}",
        "wrong": row.wrong,
        "answers": [
            (f"{printable(answer.model, WORDS)}: {said(answer)}" if len(row.answers) > 1 else said(answer), MARKS[answer.right])
            for answer in row.answers
        ],
        "truth": printable(row.truth, WORDS),
        "facts": [printable(fact, WORDS) for fact in row.facts],
        "failure": printable(row.failure, 2 * WORDS),
        "cells": [cell and _cell(cell, title, name) for cell, title in cells],
    }


def _cell(cell: SheetCell, title: str, name: str) -> dict[str, Any]:
    links = [_link(file) for file in cell.files]
    picture = next((link for file, link in zip(cell.files, links, strict=True) if file.endswith((".png", ".svg"))), "")
    embedded = cell.picture is not None and bool(cell.picture.content)
    return {
        "title": title,
        "address": cell.picture.address if embedded and cell.picture else picture,
        "size": cell.picture.size if cell.picture else None,
        "link": links[0] if links else "",
        "alt": printable(f"{title} {cell.says} on {name}".strip(), WORDS),
        "says": printable(cell.says, WORDS),
        "facts": [printable(fact, WORDS) for fact in cell.facts],
        "warnings": [printable(warning, WORDS) for warning in cell.warnings],
        "more": [(_ending(file), link) for file, link in zip(cell.files[1:], links[1:], strict=True)],
    }


def _link(file: str) -> str:
    """A file in the folder of the page, as an address: never a scheme, whatever its name."""
    return f"./{quote(file, errors='surrogateescape')}"


def _ending(file: str) -> str:
    """How the name of a file ends: "error.png" of cat.top-1.layer4.rise.error.png."""
    return printable(".".join(file.split(".")[-2:]), 40)


def _bar(colours: str) -> dict[str, str]:
    bar = colour_bar(colours, None)
    picture = Thumbnail.of(ramp(bar.look, 180, 12), 180, "png")
    return {"low": bar.low, "high": bar.high, "words": bar.words, "address": picture.address}


def _read(name: str) -> str:
    return files("seewhy.report").joinpath(name).read_text("utf-8")


def _template() -> Any:
    return Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string(_read("sheet.html.j2"))
