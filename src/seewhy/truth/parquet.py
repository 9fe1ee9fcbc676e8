"""Tables in Parquet files, as data frames and query engines write them."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

from seewhy.errors import BadParameter, MissingExtra
from seewhy.printable import printable

from .table import TextTable, column

BETWEEN = "|"  # stands between several labels in one cell


def is_parquet(path: Path) -> bool:
    """Does the name of the file say that it is one?"""
    return path.suffix.lower() in (".parquet", ".pq")


def read_parquet(path: Path, known: Collection[str]) -> TextTable:
    """The table in a Parquet file, its cells as text: of a list with | between its members, of true and false 1 and 0, of
    nothing "".

    known: names of columns; where two or more of the table's are among them, the others are not read.
    Raises BadParameter where it cannot be read, has no rows or less than two columns that are text, numbers or lists of these;
    MissingExtra without PyArrow.
    """
    try:
        import pyarrow as pa  # here, for it is an extra and takes long to import
        from pyarrow import parquet, types
    except ModuleNotFoundError:
        raise MissingExtra("PyArrow, which reads Parquet files,", "dataset") from None

    def plain(kind: Any) -> bool:
        inner = kind.value_type if types.is_dictionary(kind) or types.is_list(kind) or types.is_large_list(kind) else kind
        text = types.is_string(inner) or types.is_large_string(inner) or types.is_string_view(inner)
        return text or types.is_integer(inner) or types.is_floating(inner) or types.is_boolean(inner) or types.is_null(inner)

    try:
        with parquet.ParquetFile(path) as file:
            titles = [field.name for field in file.schema_arrow if plain(field.type)]
            wanted = [title for title in titles if column(title) in known]
            titles = wanted if len(wanted) > 1 else titles
            cells = [[_text(cell) for cell in file.read([title])[title].to_pylist()] for title in titles]
    except (OSError, pa.ArrowException) as error:
        raise BadParameter(f"{path} cannot be read as Parquet: {printable(error, 200)}.") from None
    if len(titles) < 2 or not cells[0]:
        what = "has no rows" if len(titles) > 1 else "has less than two columns of text or numbers"
        raise BadParameter(f"{path} {what}: a column file and a column label are read.")
    return TextTable([column(title) for title in titles], [list(row) for row in zip(*cells, strict=True)], titles)


def _text(cell: Any) -> str:
    if isinstance(cell, list):
        return BETWEEN.join(map(_text, cell))
    return "" if cell is None else str(int(cell)) if isinstance(cell, bool) else str(cell).strip()
