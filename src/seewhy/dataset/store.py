"""The parts of a run: Parquet files, each with the rows of some photos, written whole or not at all.

    rows/part-00000012.parquet      the rows of chunk 12: of the photos from 12 * chunk on
    rows/part-00000012.1.parquet    of those of them that were missing, as the work had been stopped in the middle

Whoever makes a part again, as after a killed process, makes it of the same photos under the same name.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seewhy.atomic import replacing, writing
from seewhy.errors import BadRecord
from seewhy.photo_sets.items import Item
from seewhy.printable import printable
from seewhy.truth.given import GroundTruth

from .schema import VERSION, arrow, schema

if TYPE_CHECKING:
    import pyarrow

ROWS = "rows"  # the folder of the parts, in that of the run
NAME = re.compile(r"part-(\d{8,})(?:\.(\d+))?\.parquet")


class RunPart(NamedTuple):
    """One file of rows."""

    chunk: int
    piece: int  # 0, or which of those that were written later
    path: Path


class Gap(NamedTuple):
    """Photos of one chunk of which there are no rows yet, and the part in which their rows belong."""

    path: Path
    items: tuple[int, ...]


class PartWork(NamedTuple):
    """Photos that are to be explained, and the file that their rows belong in.

    marks: the boxes and masks that are known of them; error: why they cannot be explained, which is all that their rows say.
    """

    path: Path
    items: Sequence[Item]
    marks: GroundTruth = GroundTruth()
    error: str = ""


def parts(folder: Path) -> list[RunPart]:
    """The parts of the run in a folder, in the order of their photos."""
    rows = folder / ROWS
    named = [part_at(path) for path in (rows.iterdir() if rows.is_dir() else ())]
    return sorted(part for part in named if part is not None)


def part_at(path: Path) -> RunPart | None:
    """The part that a file is, by its name; None where it is none."""
    match = NAME.fullmatch(path.name)
    return RunPart(int(match[1]), int(match[2] or 0), path) if match else None


def further_part(path: Path, beyond: int = 0) -> RunPart:
    """A part of the same chunk as that at a path, which has no file yet; its piece is larger than `beyond`."""
    folder, part = path.parent.parent, part_at(path)
    if part is None:
        raise ValueError(f"{path} is no part of a run")
    there = [other.piece for other in parts(folder) if other.chunk == part.chunk]
    piece = max(part.piece, beyond, *there) + 1
    return RunPart(part.chunk, piece, part_path(folder, part.chunk, piece))


def part_path(folder: Path, chunk: int, piece: int = 0) -> Path:
    """Where the rows of a chunk belong."""
    return folder / ROWS / f"part-{chunk:08d}{f'.{piece}' if piece else ''}.parquet"


def write_part(path: Path, table: "pyarrow.Table") -> None:
    """Write the rows of some photos, whole or not at all.  Raises NotWritten."""
    arrow()
    from pyarrow import parquet  # here, for it comes with an extra

    with writing(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path, of="a part of a run") as beside:
        parquet.write_table(table, beside, compression="zstd")


def rows_table(rows: Iterable[dict[str, Any]]) -> "pyarrow.Table":
    """Rows as a table of the run's columns; what a row does not have is null."""
    return arrow().Table.from_pylist([*rows], schema())


def read_part(path: Path, columns: Sequence[str] | None = None, where: Any = None) -> "pyarrow.Table":
    """The rows of a part, or some of their columns.  where: an expression of pyarrow.compute that rows have to fulfil.

    Raises BadRecord where it is damaged, or of a later version.
    """
    pa = arrow()
    from pyarrow import parquet  # here, for it comes with an extra

    try:
        found = parquet.ParquetFile(path)
        said = (found.schema_arrow.metadata or {}).get(b"seewhy", b"").decode("utf-8", "replace")
        if said != VERSION:
            raise BadRecord(f"{printable(path)} has rows of {printable(said) or 'something else'}, and not of {VERSION}.")
        if where is None:
            return found.read(columns)
        return parquet.read_table(path, columns=columns, filters=where)
    except (OSError, pa.ArrowInvalid) as error:
        raise BadRecord(
            f"{printable(path)} is damaged: {printable(error, 200)}. Delete it, and give the command of the run again: its "
            "photos are then explained anew."
        ) from None


def forget_failed(folder: Path) -> None:
    """Take the rows of photos that failed out of a run, so that these are missing, as if they had never been tried.

    Each part is written again, whole or not at all, with the rows of all other photos; one that has none is deleted.
    Raises BadRecord where a part is damaged, NotWritten.
    """
    for part in parts(folder):
        errors = read_part(part.path, ["error"])["error"]
        if errors.null_count == len(errors):
            continue
        good = read_part(part.path).filter(errors.is_null())
        if good.num_rows:
            write_part(part.path, good)
        else:
            with writing(part.path):
                part.path.unlink()


def done(folder: Path, count: int) -> NDArray[np.bool_]:
    """Of which of `count` photos there are rows: (count,).  Raises BadRecord where a part is damaged."""
    there = np.zeros(count, np.bool_)
    for part in parts(folder):
        items = read_part(part.path, ["item"])["item"].to_numpy()
        if len(items) and not 0 <= items.min() <= items.max() < count:
            raise BadRecord(f"{printable(part.path)} has rows of photos that the run does not have.")
        there[items] = True
    return there


def gaps(folder: Path, count: int, chunk: int) -> Iterator[Gap]:
    """What is still to be done, in the order of the photos."""
    there, pieces = done(folder, count), dict[int, int]()
    for part in parts(folder):
        pieces[part.chunk] = max(pieces.get(part.chunk, -1), part.piece)
    for k in range(-(-count // chunk)):
        missing = np.flatnonzero(~there[k * chunk : (k + 1) * chunk]) + k * chunk
        if len(missing):
            yield Gap(part_path(folder, k, pieces.get(k, -1) + 1), tuple(missing.tolist()))
