"""Tables in text files: CSV with whatever delimiter, quotes and encoding spreadsheets write, with a header or without."""

import csv
import io
import re
from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

from seewhy.errors import BadParameter
from seewhy.printable import printable

LARGEST = 2**28  # bytes of a file
DELIMITERS = "\t;,"


class TextTable(NamedTuple):
    """The cells of a file, in rows of equal length."""

    header: list[str]  # the names of the columns in lower case with underscores; empty where the file has no header
    rows: list[list[str]]
    titles: list[str]  # the names of the columns as they are written


def read_table(path: Path, known: Collection[str]) -> TextTable:
    """The table in a text file: commas, semicolons, tabs, or (of a name and a word) spaces between its cells.

    known: names of columns, by which a header is told from a first row.
    Raises BadParameter, which names the file, where it cannot be read as a table.
    """
    lines = text_of(path)
    tables = [_cells(lines, delimiter, path) for delimiter in DELIMITERS]
    tables = [rows for rows in tables if rows and len(rows[0]) > 1]
    if not tables:
        tables = [[line.rsplit(None, 1) for line in lines.splitlines() if line.strip()]]  # as in the lists of Caffe

    def likeness(rows: list[list[str]]) -> tuple[int, bool]:
        """How many names of columns the first row has, and whether all rows are of one length."""
        return sum(column(cell) in known for cell in rows[0]), len({len(row) for row in rows}) == 1

    rows = max(tables, key=likeness)
    if not rows or len(rows[0]) < 2:
        raise BadParameter(f"{path} has a single column: write the file, a comma and what is known of it on each line.")
    for place, row in enumerate(rows):
        if len(row) != len(rows[0]):
            raise BadParameter(
                f"{path}: row {place + 1} has {len(row)} cells and the first {len(rows[0])}: {printable(','.join(row), 120)}. "
                'Put text that holds commas into quotes: "tabby, tabby cat".'
            )
    if likeness(rows)[0]:
        if len(rows) == 1:
            raise BadParameter(f"{path} has a first line of titles, and no other line.")
        return TextTable([column(cell) for cell in rows[0]], rows[1:], rows[0])
    return TextTable([], rows, [])


def column(cell: str) -> str:
    """The name of a column, however it is spelled: file_name of "File Name"."""
    return re.sub(r"[\s_-]+", "_", cell.strip().lower())


def text_of(path: Path) -> str:
    """The text of a file in UTF-8 or, as some spreadsheets write it, UTF-16.

    Raises BadParameter where there is none, or it is too large, or no text.
    """
    try:
        if path.exists() and not path.is_file():
            raise BadParameter(f"{path} is a folder, a device or a pipe, and no file.")
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
    except OSError as error:
        raise BadParameter(f"{path} cannot be read: {error.strerror or error}.") from None
    if len(data) > LARGEST:
        raise BadParameter(f"{path} is larger than {LARGEST >> 20} MB: give only what concerns the photos.")
    try:
        text = data.decode("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    except UnicodeDecodeError:
        raise BadParameter(f"{path} is no text in UTF-8. Save it as 'CSV UTF-8'.") from None
    if not text.strip():
        raise BadParameter(f"{path} is empty.")
    return text


def _cells(text: str, delimiter: str, path: Path) -> list[list[str]]:
    """The rows that hold anything, each cell without spaces around it."""
    try:
        rows = [[cell.strip() for cell in row] for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)]
    except csv.Error as error:
        raise BadParameter(f"{path} cannot be read as a table: {printable(error, 200)}.") from None
    return [row for row in rows if any(row)]
