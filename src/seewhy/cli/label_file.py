"""Where the labels of a run go: a file, a folder, or standard output.

What is imported inside functions is imported when the command runs, so that `--help` is quick.
"""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .failures import GONE
from .folder import check_folder, make_folder
from .printing import printable, say_text

if TYPE_CHECKING:
    from seewhy.errors import NotWritten
    from seewhy.localize.labels.formats import LabelFormat
    from seewhy.localize.labels.labelled import LabelledImage, LabelWriter

NAME = "labels"  # of the file or the folder, where nobody says another
STDOUT = "-"
ENDINGS = (".json", ".xml", ".csv", ".txt", ".png", ".tif", ".tiff", ".nii", ".gz", ".zip")  # of files, not of folders


class FormatOption(click.Option):
    """--format, whose help names the formats that there are, and so loads them where it is read."""

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        from seewhy.localize.labels.formats import FORMATS

        known = "; ".join(f"{name} ({form.holds})" for name, form in FORMATS.items())
        self.help = f"Of the labels: {known}. By default coco; of volumes nifti."
        return super().get_help_record(ctx)


class LabelFile:
    """The labels of a run, in one format.

    form: its name; out: where they go: None for a usual name, "-" for standard output; over: take the place of files there.
    Raises NoSuchName for a format that there is not, NotWritten where something is there, or nothing can be written.
    """

    def __init__(self, form: str, out: str | None, over: bool = False) -> None:
        from seewhy.localize.labels.formats import format_named

        self.form: LabelFormat = format_named(form)
        self.name = form
        self.path = None if out == STDOUT else self._path(out)
        self.over = over
        self.pieces: list[str] = []  # for standard output, which the main thread prints
        self.images = 0
        self._writer: LabelWriter | None = None
        self.failed: NotWritten | None = None  # why the labels could not be brought into their place
        self._closed: NotWritten | None = None  # why nothing can be written any more
        self._check()

    def _path(self, out: str | None) -> Path:
        """The file or the folder; of a file within a folder that is there the usual name."""
        usual = f"{NAME}{self.form.suffix}"
        if out is None:
            return Path(usual)
        within = not self.form.folder and (os.path.isdir(out) or out.endswith(("/", os.sep)))
        return Path(out, usual) if within else Path(out)

    def _check(self) -> None:
        from seewhy.errors import BadParameter, NotWritten

        if self.path is None:
            if self.form.folder:
                raise BadParameter(f"{self.name} is a folder with a file for each image, which cannot go to standard output.")
            return
        if self.form.folder and self.path.suffix.lower() in ENDINGS:
            raise BadParameter(f"{self.name} is a folder with a file for each image: name a folder, not {self.path.name!r}.")
        folder = self.path if self.form.folder else self.path.parent
        check_folder(folder)
        there = os.path.lexists(self.path) if not self.form.folder else folder.is_dir() and any(folder.iterdir())
        if there and not self.over:
            what = "is there, with files in it," if self.form.folder else "is there"
            raise NotWritten(f"{self.path} {what} and stays as it is: name another with --out, or give --overwrite.")

    @property
    def where(self) -> str:
        return STDOUT if self.path is None else str(self.path)

    def open(self, labels: Sequence[str] | None) -> None:
        """Begin to write.  labels: of the model, which give classes their numbers.  Raises NotWritten."""
        from seewhy.localize.labels.formats import open_writer

        if self.path is not None:
            make_folder(self.path if self.form.folder else self.path.parent)
        self._writer = open_writer(self.name, self.pieces.append if self.path is None else self.path, labels, over=self.over)

    def add(self, image: "LabelledImage") -> None:
        """Write what was found on one image.  Raises NotWritten; where the disk takes no more, also for all that follow."""
        from seewhy.errors import NotWritten

        if self._closed is not None:
            raise self._closed
        assert self._writer is not None
        try:
            self._writer.add(image)
        except NotWritten as error:
            self._closed = error if error.errno in GONE else None
            raise
        self.images += 1

    def print(self) -> None:
        """Print what was written for standard output since."""
        pieces, self.pieces[:] = [*self.pieces], []
        say_text("".join(pieces))

    def close(self) -> None:
        """Bring the file into its place, with all that was added; where that cannot be, `failed` says why."""
        from seewhy.errors import NotWritten

        writer, self._writer = self._writer, None
        try:
            if writer is not None:
                writer.close()
        except NotWritten as error:
            self.failed = error
        self.print()

    def words(self) -> Iterator[str]:
        """Where the labels lie, what they hold, and what opens them."""
        if self.failed is None and self.path is not None:
            if self.images:
                opening = printable(self.form.opening(self.path))
                yield f"labels: {printable(self.path)}: {self.form.holds}. To open them: {opening}"
            else:
                yield f"no labels were written, for not one image got through: nothing is changed at {printable(self.path)}"


def usual_format(kind: str) -> str:
    """The format for these images where nobody names one.  kind: as `inputs.kind_of`."""
    return "nifti" if kind == "volumes" else "coco"
