"""What fails in a batch: one photo, the whole question, or the folder that is written into."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

import click

from .printing import fault, say

PHOTO = "seewhy.photo"  # what a command that takes one photo works on, which its errors name
TRIED = 3  # photos for which a question has to be misuse until it is the question's fault
GONE = {  # what the next photo's files would meet, too
    getattr(errno, name)
    for name in ("ENOSPC", "EDQUOT", "EROFS", "EACCES", "EPERM", "ENOENT", "ENOTDIR", "EIO", "ENODEV", "ENXIO", "ESTALE")
    if hasattr(errno, name)
}


def about(photo: str | None) -> None:
    """From here on errors are of this photo."""
    click.get_current_context().meta[PHOTO] = photo


def named(file: str | None, error: BaseException) -> str:
    """The words of an error, which name the file."""
    words = fault(error)
    return words if not file or file in words else f"{file}: {words}"


class Failures:
    """What failed of so many photos."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.files: list[str] = []
        self.done = 0  # photos with maps
        self.waiting: list[tuple[str, BaseException]] = []  # of the question, maybe: before any photo had a map
        self.ended = False  # nothing can be written any more

    @contextmanager
    def of(self, file: str) -> Iterator[None]:
        """An error in here is that photo's, and said; a question that the first photos all have no answer to is misuse."""
        from seewhy.errors import MissingExtra, Misuse, NotHere, NotWritten

        try:
            yield
        except (BrokenPipeError, click.exceptions.Exit):
            raise
        except (Exception, SystemExit) as error:  # a stranger's network may ask for the exit
            if click.get_current_context().find_root().params.get("debug"):
                raise
            if isinstance(error, Misuse | MissingExtra) and not isinstance(error, NotHere) and not self.done:
                self.waiting.append((file, error))
                if len(self.waiting) + len(self.files) >= self.count or len(self.waiting) >= TRIED:
                    raise
                return
            self.ended = isinstance(error, NotWritten) and error.errno in GONE
            self.add(file, error)

    def add(self, file: str, error: BaseException) -> None:
        self.files.append(file if file.strip() else repr(file))
        say(f"seewhy: {named(file, error)}", err=True)

    def well(self) -> None:
        """A photo has its maps."""
        self.done += 1
        self._settle()

    def _settle(self) -> None:
        """What failed before was the photos' own fault."""
        waiting, self.waiting = self.waiting, []
        for file, error in waiting:
            self.add(file, error)

    def tell(self) -> None:
        """All that failed, by name."""
        self._settle()
        if not self.files:
            return
        if self.ended and (rest := self.count - self.done - len(self.files)) > 0:
            say(f"seewhy: ended there: {rest} more photos were not looked at.", err=True)
        head = f"seewhy: {len(self.files)} of {self.count} photos failed:"
        line = f"{head} {', '.join(self.files)}"
        if len(line) < 1000:
            say(line, err=True)
            return
        say(head, err=True)
        for file in self.files:
            say(f"  {file}", err=True)
