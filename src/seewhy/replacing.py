"""Files that are written whole or not at all.  Every writer of seewhy goes through here."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from secrets import token_hex

from .errors import NotWritten

ENDINGS = (".nii.gz",)  # of two parts, by which a writer tells the format


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """A new empty file beside `path`, to be written; when the block ends well, it takes the place of `path` in one step.

    Whatever ends the block early (a full disk, a limit of the file's size, Ctrl-C, an error) leaves the file that was there,
    or none.  What was written is on the disk before the name points at it, so a machine that stops leaves the one or the
    other.  A link of that name is replaced, not followed.  The new file's name ends as that of `path`.
    Raises NotWritten, which names the file, where it cannot be written.
    """
    path = Path(path)
    beside = path.parent / f".seewhy-{token_hex(8)}{_ending(path)}"
    try:
        os.close(os.open(beside, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))  # less what the person's umask takes away
        yield beside
        _kept(beside)
        os.replace(beside, path)
    except OSError as error:
        raise NotWritten(f"{path} cannot be written: {error.strerror or error}. {_left(path)}") from error
    finally:
        with suppress(OSError):
            beside.unlink(missing_ok=True)
    with suppress(OSError):  # not every file system lets a folder be synchronised
        _kept(path.parent)


def _ending(path: Path) -> str:
    name = path.name.lower()
    return next((ending for ending in ENDINGS if name.endswith(ending)), path.suffix)


def _kept(path: Path) -> None:
    """What was written of it reaches the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _left(path: Path) -> str:
    if not path.parent.is_dir():
        return f"There is no folder {path.parent}: make it first."
    return "The file that was there is as it was." if os.path.lexists(path) else "No part of it is left."
