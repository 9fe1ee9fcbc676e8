"""A stored run, opened: its table, its photos, its maps.  No network is loaded."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from PIL import Image

from seewhy.errors import BadImage, BadParameter, BadRecord, NoSuchName, closest
from seewhy.images.digest import image_sha256
from seewhy.images.photo import read
from seewhy.maps.heatmap import Heatmap
from seewhy.photo_sets.reading import read_bytes
from seewhy.printable import printable, quoted

from .full_maps import full_map
from .info import RunInfo, read_info
from .photo_rows import TOP, TRUE, PhotoRow, photo_rows
from .restoring import heatmap_of
from .schema import NAMES, arrow, schema
from .store import done, parts, read_part

if TYPE_CHECKING:
    import pyarrow


class RunError(NamedTuple):
    """A photo of which there is no map."""

    item: int
    path: str
    error: str

    def __str__(self) -> str:
        """The reason, which names the photo once."""
        words = self.error.removeprefix("BadImage: ")
        return words if self.path in words else f"{self.path}: {words}"


def open_run(path: str | Path) -> "DatasetRun":
    """Open a run that `seewhy run` or `seewhy.explain_dataset` stored.

    Raises BadParameter where there is none, BadRecord where it is damaged, MissingExtra without PyArrow.
    """
    arrow()
    return DatasetRun(Path(path), read_info(Path(path)))


@dataclass(frozen=True, repr=False)
class DatasetRun:
    """A stored run: `run.table()` has its rows, `run.heatmap(item)` gives a map back.

    folder: where it lies; info: what it is.
    """

    folder: Path
    info: RunInfo

    def __repr__(self) -> str:
        methods = ", ".join(self.info.method_names)
        return f"<DatasetRun {printable(self.folder)}: {self.info.count} photos, {printable(self.info.model)}, {methods}>"

    def __len__(self) -> int:
        """How many photos have rows so far."""
        return int(self._done.sum())

    @property
    def missing(self) -> list[int]:
        """The photos without rows, as the run was stopped before: the same command as before goes on with it."""
        return np.flatnonzero(~self._done).tolist()

    @property
    def _done(self) -> Any:
        return done(self.folder, self.info.count)

    def table(self, columns: str | Sequence[str] | None = None, where: Any = None) -> "pyarrow.Table":
        """The rows in the order item, method, target.

        columns: names of some; docs/run.md tells of all.  where: a condition on rows, an expression of pyarrow.compute:
        `where=~pc.field("right")`.  Raises NoSuchName for an unknown column, BadParameter where the condition is none.
        """
        from pyarrow.compute import Expression  # here, for it comes with an extra

        if where is not None and not isinstance(where, Expression):
            raise BadParameter(f'where={quoted(where)}: give an expression of pyarrow.compute, such as ~pc.field("right").')
        wanted = list(NAMES if columns is None else [columns] if isinstance(columns, str) else columns)
        for name in wanted:
            if name not in NAMES:
                raise NoSuchName("column", name, closest(str(name), [*NAMES]), "docs/run.md tells of all.")
        found = [rows.select(wanted) for rows in self._chunks(wanted, where)]
        empty = schema().empty_table().select(wanted)
        return arrow().concat_tables(found).replace_schema_metadata(empty.schema.metadata) if found else empty

    def _chunks(self, columns: Sequence[str] | None, where: Any = None) -> "Iterator[pyarrow.Table]":
        """The rows of each chunk, in their order."""
        pa, names = arrow(), None if columns is None else [*dict.fromkeys((*columns, "item"))]
        by_chunk: dict[int, list[Path]] = {}
        for part in parts(self.folder):
            by_chunk.setdefault(part.chunk, []).append(part.path)
        for paths in by_chunk.values():
            rows = pa.concat_tables([read_part(path, names, where) for path in paths])
            yield rows.sort_by("item") if len(paths) > 1 else rows  # which is stable: methods and targets stay in their order

    def photos(self) -> Iterator[PhotoRow]:
        """The photos in their order, one after the other, so that a run of any size can be read."""
        for rows in self._chunks(None):
            yield from photo_rows(rows.to_pylist())

    def photo(self, item: int) -> PhotoRow:
        """One photo.  Raises BadParameter where there are no rows of it."""
        return next(photo_rows(self._rows(item)))

    def errors(self) -> list[RunError]:
        """The photos of which there is no map, each with the reason."""
        from pyarrow import compute  # here, for it comes with an extra

        rows = self.table(["item", "path", "error"], where=compute.field("error").is_valid())
        return [RunError(**row) for row in rows.to_pylist()]

    def heatmap(self, item: int, target: str = TOP, method: str | None = None, image: Any = None) -> Heatmap:
        """One map, over its photo, where it was when it was made; its values are equal to the rounding of float16, and exactly
        where the run has maps of full size and the row's is coarse.

        target: "top", what the network saw for its answer, or "true", for the right one; where these are one class, both are
            the one map there is.  method: one of the run's, by default the first.
        image: the photo, by default what lies at its path.
        Raises BadParameter where there is no such map, BadImage where the photo is not there any more, or is another one.
        """
        row = self._row(item, target, method)
        photo = self._photo(row, image)
        try:
            full = self.info.full_maps and row["map_coarse"]
            values = full_map(self.folder, int(item), row["method"], row["target"]) if full else None
            heatmap = heatmap_of(row, photo, values)
        except (ValueError, TypeError) as error:
            raise BadRecord(f"{printable(self.folder)}: the row of photo {item} is damaged: {error}.") from None
        if heatmap.source.image_sha256 not in ("", image_sha256(photo)):
            raise BadImage(f"{printable(row['path'])} is another photo than the run explained: it was changed since.")
        return heatmap

    def _rows(self, item: int) -> list[dict[str, Any]]:
        """The rows of a photo."""
        from pyarrow import compute  # here, for it comes with an extra

        if not isinstance(item, int | np.integer) or not 0 <= item < self.info.count:
            raise BadParameter(f"item={quoted(item)}: the run has the photos 0 to {self.info.count - 1}.")
        paths = [part.path for part in parts(self.folder) if part.chunk == item // self.info.chunk]
        where = compute.field("item") == int(item)
        rows = [row for path in paths for row in read_part(path, where=where).to_pylist()]
        if not rows:
            raise BadParameter(f"There are no rows of photo {item} yet: give the command of the run again, and it goes on.")
        return rows

    def _row(self, item: int, target: str, method: str | None) -> dict[str, Any]:
        """The row of one map."""
        if target not in (TOP, TRUE):
            raise BadParameter(f"target={quoted(target)} is neither 'top' nor 'true'.")
        if method is not None and str(method) not in self.info.method_names:
            raise BadParameter(f"method={quoted(method)}: the run has maps by {', '.join(self.info.method_names)}.")
        rows = self._rows(item)
        if rows[0]["error"] is not None:
            raise BadParameter(f"There is no map of photo {item}: {rows[0]['error']}")
        sought = TOP if target == TRUE and rows[0]["right"] else target
        found = [row for row in rows if row["target"] == sought and method in (None, row["method"])]
        if not found:
            why = (
                "its true class is not known" if not rows[0]["truth"] else f"the run has maps of {', '.join(self.info.targets)}"
            )
            raise BadParameter(f"There is no map of photo {item} for {target!r}: {why}.")
        return found[0]

    def _photo(self, row: dict[str, Any], image: Any) -> Image.Image:
        try:
            return (read(read_bytes(row["path"]), row["path"]) if image is None else read(image)).pixels
        except BadImage as error:
            advice = "Give image=, the photo or its path now." if image is None else ""
            raise BadImage(f"{error} {advice}".rstrip()) from error
