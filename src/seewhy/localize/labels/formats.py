"""The formats that labels are written in, by name."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from seewhy.errors import NoSuchName, closest

from .coco import CocoWriter
from .growing import Output
from .labelled import LabelWriter
from .table import TableWriter


class WriterOptions(NamedTuple):
    """What every writer is made with, and looks at as far as its format has a use for it.

    labels: of the model, which give classes their numbers; prefix: what the names of images begin with in the file, in place of
    nothing; over: take the place of files that are there.
    """

    labels: Sequence[str] | None = None
    prefix: str = ""
    over: bool = True


class LabelFormat(NamedTuple):
    """One format.

    open: makes a writer into an output; suffix: of the file, "" of a folder with a file for each image.
    holds: what it holds, in words; takes: the kinds of images, of photo, clip, volume and scene (a GeoTIFF).
    """

    open: Callable[[Output, WriterOptions], LabelWriter]
    suffix: str
    holds: str
    takes: tuple[str, ...] = ("photo", "scene")

    @property
    def folder(self) -> bool:
        return not self.suffix


FORMATS: dict[str, LabelFormat] = {
    "csv": LabelFormat(
        lambda to, how: TableWriter(to, how.over),
        ".csv",
        "boxes with scores and what made them, a row for each",
        ("photo", "scene", "clip", "volume"),
    ),
    "coco": LabelFormat(
        lambda to, how: CocoWriter(to, how.over, how.labels),
        ".json",
        "boxes, masks as polygons, scores",
    ),
    "coco-rle": LabelFormat(
        lambda to, how: CocoWriter(to, how.over, how.labels, rle=True),
        ".json",
        "boxes, masks as run lengths, scores",
    ),
}


def format_named(name: str) -> LabelFormat:
    """The format of that name.  Raises NoSuchName."""
    known = str(name).lower().replace("_", "-")
    if known not in FORMATS:
        raise NoSuchName("format of labels", name, closest(known, [*FORMATS]), f"There are: {', '.join(FORMATS)}.")
    return FORMATS[known]


def open_writer(
    name: str,
    output: str | Path | Callable[[str], object],
    labels: Sequence[str] | None = None,
    prefix: str = "",
    over: bool = True,
) -> LabelWriter:
    """A writer of labels: `add` each image, then `close`, also where the run ended early.

    name: one of `FORMATS`.  output: the file, or the folder that the files of all images go into; or a function that takes the
    text piece by piece, of formats that are one file.
    labels, prefix, over: as `WriterOptions`.  Raises NoSuchName.
    """
    made = format_named(name)
    return made.open(Path(output) if isinstance(output, str) else output, WriterOptions(labels, prefix, over))
