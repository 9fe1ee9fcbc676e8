"""Files that are written whole or not at all.  Every writer of seewhy goes through here."""

import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from errno import EINVAL, ENOSYS, ENOTSUP
from pathlib import Path
from time import time

from .errors import NotWritten

ENDINGS = (".nii.gz",)  # of two parts, by which a writer tells the format
BESIDE = re.compile(r"\.seewhy-[0-9a-f]{16}(\.|$)")  # the names of new files, until they are whole
LONGEST = 20  # bytes of an ending
UNABLE = (EINVAL, ENOSYS, ENOTSUP)  # of file systems that know no such thing
STALE = 3600  # seconds: no file of ours is written that long without a byte more


@contextmanager
def replacing(path: str | Path, over: bool = True, of: str = "") -> Iterator[Path]:
    """A new empty file beside `path`, to be written; when the block ends well, it takes the place of `path` in one step.

    over: take the place of a file that is there; else it is an error, also where another process puts it there meanwhile.
    of: what is written, to be said in an error: "the map of cat.jpg".

    Whatever ends the block early (a full disk, a limit of the file's size, Ctrl-C, an error) leaves the file that was there,
    or none.  What was written is on the disk before the name points at it, so a machine that stops leaves the one or the
    other, too (the name itself follows within seconds).  A link of that name is replaced, not followed; who may read the
    file stays as it was.  The new file's name ends as that of `path`.
    Raises NotWritten, which names the file, where it cannot be written; its `errno` is that of the system.
    """
    path = Path(path)
    beside = path.parent / f".seewhy-{os.urandom(8).hex()}{_ending(path)}"
    try:
        with writing(path, of):
            old = _replaceable(path)
            os.close(os.open(beside, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))  # less what the person's umask takes away
            yield beside
            if old is not None:
                _handed(beside, old)
            _sync(beside)
            (os.replace if over else _placed)(beside, path)
    finally:
        with suppress(OSError, ValueError):
            beside.unlink(missing_ok=True)


@contextmanager
def writing(path: Path, of: str = "") -> Iterator[None]:
    """Raise as NotWritten, as `replacing` does, whatever the system says against writing to `path` in the block."""
    try:
        yield
    except NotWritten:
        raise
    except OSError as error:
        raise _not_written(path, error, of) from error


def swept(folder: Path) -> None:
    """Remove what runs that were killed left in a folder: new files that were never whole."""
    with suppress(OSError), os.scandir(folder) as there:
        for entry in there:
            with suppress(OSError):
                if BESIDE.match(entry.name) and time() - entry.stat(follow_symlinks=False).st_mtime > STALE:
                    os.unlink(entry)


def _ending(path: Path) -> str:
    suffix = next((ending for ending in ENDINGS if path.name.lower().endswith(ending)), path.suffix)
    return suffix if len(os.fsencode(suffix)) <= LONGEST else ""


def _replaceable(path: Path) -> os.stat_result | None:
    """What is known of the file that is there; None of no file, and of a link, which is replaced."""
    try:
        old = os.lstat(path)
    except FileNotFoundError:
        return None
    except ValueError:  # a NUL, half of a surrogate pair
        raise OSError(EINVAL, "no file can have that name") from None
    if stat.S_ISLNK(old.st_mode):
        return None
    if stat.S_ISDIR(old.st_mode):
        raise IsADirectoryError(21, "it is a folder")
    if not stat.S_ISREG(old.st_mode):
        raise FileExistsError(17, "it is a device or a pipe, which a file would take the place of")
    if not os.access(path, os.W_OK):
        raise PermissionError(13, "the file that is there may not be written")
    return old


def _handed(beside: Path, old: os.stat_result) -> None:
    """It is whose the old file was, and for whom that was, as far as the system knows owners and lets us give files away."""
    with suppress(OSError, AttributeError):
        os.chown(beside, old.st_uid, old.st_gid)
    with suppress(OSError):
        os.chmod(beside, stat.S_IMODE(old.st_mode) & 0o777)


def _placed(beside: Path, path: Path) -> None:
    """Give a new file its name, if nothing has it."""
    try:
        os.link(beside, path)
    except FileExistsError:
        raise
    except OSError:  # a file system without second names of a file
        if os.path.lexists(path):
            raise FileExistsError(17, "a file of this name is there") from None
        os.replace(beside, path)


def _sync(path: Path) -> None:
    """Wait until what was written to the file has reached the disk, where the system can do that."""
    descriptor = os.open(path, os.O_RDWR)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in UNABLE:
            raise
    finally:
        os.close(descriptor)


def _not_written(path: Path, error: OSError, of: str) -> NotWritten:
    what = f"{path} cannot be written" + (f" ({of})" if of else "")
    refusal = NotWritten(f"{what}: {error.strerror or error or type(error).__name__}. {_left(path)}")
    refusal.errno = error.errno
    return refusal


def _left(path: Path) -> str:
    if not path.parent.is_dir():
        return f"There is no folder {path.parent}: make it first."
    return "What was there is as it was." if os.path.lexists(path) else "No part of it is left."
