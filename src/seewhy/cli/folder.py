"""The folder that a run writes into.  Files of other maps and programs stay there; files of the same map are replaced.

What is imported inside functions is imported when the command runs, so that `--help` is quick.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from errno import EEXIST
from itertools import chain
from math import isclose
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .failures import GONE
from .filenames import joined, others

if TYPE_CHECKING:
    from seewhy.errors import NotWritten
    from seewhy.maps.source import Source

DRAWN = ("png", "svg", "pdf")  # the formats of pictures
FolderWriter = Callable[[Path, bool], Any]  # (path, overwrite?): writes a file
# the facts that the Sources of one map share
SAME = (
    "image_sha256", "image_size", "prepare", "tile", "model", "recipe", "weights", "weights_sha256", "method", "params",
    "layer", "target", "index", "scores", "place", "geometry",
)  # fmt: skip
CLOSE, LEAST = 1e-3, 1e-5  # tolerances, relative and absolute, of one score computed on different machines


class OutFolder:
    """The folder for maps, and what a run did to the files there.  Maps with one name are the same if their Sources are."""

    def __init__(self, out: Path) -> None:
        self.out = out
        self.taken: set[str] = set()
        self.again: list[Path] = []  # written again, over equal files of an earlier run
        self.moved: list[tuple[Path, Path]] = []  # a file that was there, and the one that was written under another name
        self.closed: NotWritten | None = None  # why nothing can be written any more

    def put(self, name: str, source: "Source", writers: Mapping[str, FolderWriter]) -> dict[str, Path]:
        """Write the files of one map under the first free name that begins with `name`.  Gives their paths by their endings.

        Raises NotWritten as the writers do; where the folder takes no more, also for every map that follows.
        """
        from seewhy.errors import NotWritten

        if self.closed is not None:
            raise self.closed
        try:
            return self._put(name, source, writers)
        except NotWritten as error:
            self.closed = error if error.errno in GONE else None
            raise

    def _put(self, name: str, source: "Source", writers: Mapping[str, FolderWriter]) -> dict[str, Path]:
        existing = None
        for candidate in self._names(name, source):
            if candidate.casefold() in self.taken:
                continue
            there, paths = self._tried(candidate, source, writers)
            if paths is None:
                existing = existing or next(iter(there), None)
                continue
            self.taken.add(candidate.casefold())
            self.again += [path for path in paths.values() if path in there]
            self.moved += [(existing, next(iter(paths.values())))] if existing and not there else []
            return paths
        raise AssertionError("names have no end")

    def _tried(
        self, name: str, source: "Source", writers: Mapping[str, FolderWriter]
    ) -> tuple[list[Path], dict[str, Path] | None]:
        """The existing files of a name; and the written files, or None where the existing ones belong to another map."""
        there: list[Path] = []
        for _again in range(2):  # meanwhile another run may write files of this name, even of the same map
            there = self._there(name)
            same = bool(there) and all(_alike(_source(path), source) for path in there)
            if there and not same:
                break
            paths = self._written(name, source, writers, same)
            if paths is not None:
                return there, paths
        return there, None

    def remarks(self) -> Iterator[str]:
        """Remarks on files that were written again or under other names."""
        if self.again:
            yield f"made again, as the same run made them before: {_count(self.again)}, such as {self.again[0]}"
        if self.moved:
            existing, new = self.moved[0]
            yield f"named otherwise, as the name was taken: {_count(self.moved)}, such as {new}; {existing} stays as it was"

    def _names(self, name: str, source: "Source") -> Iterator[str]:
        yield name
        models = {source.model for source in map(_source, self._there(name)) if source}
        yield from others(name, source.model if models - {source.model} else None)

    def _there(self, name: str) -> list[Path]:
        """The existing files of a map with that name.  Links do not count: they are replaced, their targets stay."""
        paths = (self.out / f"{name}{ending}" for ending in _endings())
        return [path for path in paths if os.path.lexists(path) and not path.is_symlink()]

    def _written(self, name: str, source: "Source", writers: Mapping[str, FolderWriter], over: bool) -> dict[str, Path] | None:
        """Write the files; None if another run has meanwhile written one with that name, so that another name is needed."""
        from seewhy.errors import NotWritten

        paths: dict[str, Path] = {}
        for ending, write in writers.items():
            path = self.out / f"{name}{ending}"
            try:
                write(path, over or path.is_symlink())
            except NotWritten as error:
                if over or error.errno != EEXIST:
                    raise
                if not (paths and _alike(_source(path), source)):  # files of the same map by another run are replaced
                    return None
                write(path, True)
            paths[ending] = path
        return paths


def _endings() -> list[str]:
    from seewhy.maps.heatmap import REGIONS
    from seewhy.pictures.canvas import VIEWS
    from seewhy.pictures.render import PICTURES

    kinds = ("", *(f".{kind}" for kind in (*VIEWS, *PICTURES, *REGIONS, "error", "boxes")))
    return [*(f"{kind}.{form}" for form in DRAWN for kind in kinds), ".nii.gz", ".tif", ".npz", ".record.json"]


def _source(path: Path) -> "Source | None":
    from seewhy.errors import SeewhyError
    from seewhy.maps.stored_source import source_of

    with suppress(SeewhyError, OSError):
        return source_of(path) if path.is_file() else None  # reading from a pipe would wait forever
    return None


def _alike(there: "Source | None", source: "Source") -> bool:
    if there is None:
        return False
    source = type(source).from_json(source.to_json())  # as it is stored
    said = [(record.score, record.probability, record.predicted and record.predicted.probability) for record in (there, source)]
    near = all(a == b or _near(a, b) for a, b in zip(*said, strict=True))
    same = all(getattr(there, fact) == getattr(source, fact) for fact in SAME)
    return same and near and not _another_file(there.image, source.image)


def _another_file(there: str, image: str) -> bool:
    """Do these paths lead to two files, which may hold the same photo?"""
    with suppress(OSError, ValueError):
        return there != image and not os.path.samefile(there, image)
    return False


def _near(a: float | None, b: float | None) -> bool:
    return a is not None and b is not None and isclose(a, b, rel_tol=CLOSE, abs_tol=LEAST)


def _count(files: list[Any]) -> str:
    return f"{len(files)} file{'s' * (len(files) != 1)}"


def write_findings(found: Any, out: Path, what: str, classes: Iterable[str]) -> list[Path]:
    """Write what.json and what.csv of a set, and a picture of each of these classes: the paths of these."""
    from seewhy.atomic import replacing

    for name, content in ((f"{what}.json", found.to_json() + "\n"), (f"{what}.csv", found.to_csv())):
        with replacing(out / name) as beside:
            beside.write_text(content, "utf-8")
    pictures = list[Path]()
    for explained in classes:
        path = free_png(out, joined([explained, what, found.method]), pictures)
        pictures.append(found.save_picture(explained, path))
    return pictures


def free_png(out: Path, name: str, taken: Iterable[Path] = ()) -> Path:
    """The first path of that name, such as name.png or name-2.png, where nothing but seewhy's own lies; none of `taken`."""
    from seewhy.maps.made_here import made_here

    paths = (out / f"{candidate}.png" for candidate in chain([name], others(name, None)))
    return next(path for path in paths if path not in [*taken] and (made_here(path) or not path.exists()))


def check_folder(out: Path) -> None:
    """Raises NotWritten if the folder cannot be made, or nothing can be written into it; makes nothing."""
    there = next(path for path in (out, *out.absolute().parents) if os.path.lexists(path))
    if not there.is_dir():
        raise _no_folder(out, f"{there} is no folder")
    if not os.access(there, os.W_OK | os.X_OK):
        raise _no_folder(out, f"nothing may be written into {there}")


def make_folder(out: Path) -> None:
    """Make the folder, and remove temporary files that killed runs left in it.  Raises NotWritten if it cannot be written."""
    from tempfile import TemporaryFile

    from seewhy.atomic import swept

    try:
        out.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=out):
            pass
    except OSError as error:
        raise _no_folder(out, str(error.strerror or error)) from None
    swept(out)


def _no_folder(out: Path, why: str) -> Exception:
    from seewhy.errors import NotWritten

    return NotWritten(
        f"Nothing can be written into the folder {out}: {why}. Name another, as in --out maps, where you may write."
    )
