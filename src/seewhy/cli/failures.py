"""What fails in a batch: one photo, the command as a whole, or the folder that is written into.

What is imported inside functions is imported when the command runs, so that `--help` is quick.
"""

import errno
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from .inputs import PhotoFiles, find_inputs, kind_of
from .printing import fault, say

if TYPE_CHECKING:
    from pathlib import Path

    from seewhy.maps.heatmaps import Failed, Refused

PHOTO = "seewhy.photo"  # the key under which click's context keeps the photo that errors are to name
TOLD = 3  # photos of a set that could not be read, said by name
TRIED = 3  # after so many photos that fail by misuse, the command is at fault
GONE = {  # errors of the system that the files of the next photo would meet, too
    getattr(errno, name)
    for name in ("ENOSPC", "EDQUOT", "EROFS", "EACCES", "EPERM", "ENOENT", "ENOTDIR", "EIO", "ENODEV", "ENXIO", "ESTALE")
    if hasattr(errno, name)
}


def about(photo: str | None) -> None:
    """Name this photo in the errors that follow."""
    click.get_current_context().meta[PHOTO] = photo


def named(file: str | None, error: BaseException) -> str:
    """The text of an error, with the name of the file in front if the text lacks it."""
    words = fault(error)
    return words if not file or file in words else f"{file}: {words}"


def left_out(failed: "Sequence[Failed]", seen: int) -> None:
    """Say which photos of a set could not be read, the first by name, beside so many that were."""
    for each in failed[:TOLD]:
        say(f"seewhy: {named(each.name, each.error)}", err=True)
    if failed:
        say(f"seewhy: {len(failed)} of {seen + len(failed)} photos could not be read.", err=True)


def inputs_of(arguments: tuple[str, ...], recursive: bool, out: "Path") -> PhotoFiles:
    """What the arguments of a command stand for, as `find_inputs` has it.  Raises why none of them stands for a photo."""
    inputs = find_inputs(arguments, recursive, out)
    if not inputs.files:
        raise nothing_to_explain(inputs)
    return inputs


def nothing_to_explain(inputs: PhotoFiles) -> Exception:
    """Why no argument stands for a photo; of several, all but the last are said."""
    from seewhy.errors import BadParameter

    if not inputs.failed:
        why = "; ".join(inputs.remarks) or "the folder that is written into is empty"
        return BadParameter(f"There is nothing to explain: {why}.")
    *others, (_, last) = inputs.failed.items()
    for argument, error in others:
        say(f"seewhy: {named(argument, error)}", err=True)
    return last


class Failures:
    """Collects the photos that failed.  count: the number of all photos; kind: what they are, "photos" or "volumes"."""

    def __init__(self, count: int, kind: str = "photos") -> None:
        self.count, self.kind = count, kind
        self.files: list[str] = []
        self.reasons: dict[str, str] = {}  # by the photo
        self.done = 0  # photos with maps
        self.tried: set[str] = set()  # photos that were looked at: one may have maps and a failure
        self.waiting: list[tuple[str, BaseException]] = []  # misuse so far: of these photos, or of the command
        self.refused: set[tuple[str, str]] = set()  # methods and targets that were said to be refused
        self.given_up = False  # True where the question cannot be asked of the model at all
        self.ended = False  # True once nothing can be written any more, or nobody gives scores any more

    @classmethod
    def among(cls, inputs: PhotoFiles) -> "Failures":
        """Those among these inputs so far: of what stands for no photo.  What is to be remarked of the inputs is said, too."""
        for remark in inputs.remarks:
            say(f"seewhy: {remark}", err=True)
        failures = cls(len(inputs.files) + len(inputs.failed), kind_of([*inputs.files, *inputs.failed]))
        for argument, error in inputs.failed.items():
            failures.add(argument, error)
        return failures

    @contextmanager
    def of(self, file: str) -> Iterator[None]:
        """Report an error in the block as a failure of that photo.  If the first photos all fail by misuse, raise the error."""
        from seewhy.errors import MissingExtra, Misuse, NoService, NotHere, NotWritten

        self.tried.add(file)
        try:
            yield
        except (BrokenPipeError, click.exceptions.Exit):
            raise
        except (Exception, SystemExit) as error:  # code of the user's network may call sys.exit
            if click.get_current_context().find_root().params.get("debug"):
                raise
            if isinstance(error, Misuse | MissingExtra) and not isinstance(error, NotHere) and not self.done:
                self.waiting.append((file, error))
                if len(self.waiting) + len(self.files) >= self.count or len(self.waiting) >= TRIED:
                    raise
                return
            self.ended = isinstance(error, NoService) or (isinstance(error, NotWritten) and error.errno in GONE)
            self.add(file, error)

    def add(self, file: str, error: BaseException) -> None:
        self.tried.add(file)
        self.files.append(file if file.strip() else repr(file))
        self.reasons[file] = fault(error)
        say(f"seewhy: {named(file, error)}", err=True)

    def refuse(self, refused: "Sequence[Refused]") -> None:
        """Say once what of the question cannot be asked of the model."""
        for method, target, error in refused:
            if (method, target) not in self.refused:
                self.refused.add((method, target))
                what = f"{method}{f' of {target}' if method and target else target}"
                say(f"seewhy: {named(what, error)}", err=True)

    def give_up(self, error: BaseException, model: str) -> None:
        """The command is at fault, as far as this model goes; of several, say so, for others may be asked."""
        self.given_up, self.waiting = True, []
        if model:
            say(f"seewhy: {named(model, error)}", err=True)

    def well(self) -> None:
        """Count a photo as done."""
        self.done += 1
        self.settle()

    def settle(self) -> None:
        """Report the errors that were waiting as failures of their photos, since other photos did not fail."""
        waiting, self.waiting = self.waiting, []
        for file, error in waiting:
            self.add(file, error)

    def tell(self) -> None:
        """Print the names of all photos that failed."""
        self.settle()
        if not self.files:
            return
        if self.ended and (rest := self.count - len(self.tried)) > 0:
            say(f"seewhy: ended there: {rest} more {self.kind} were not looked at.", err=True)
        head = f"seewhy: {len(self.files)} of {self.count} {self.kind} failed:"
        line = f"{head} {', '.join(self.files)}"
        if len(line) < 1000:
            say(line, err=True)
            return
        say(head, err=True)
        for file in self.files:
            say(f"  {file}", err=True)
