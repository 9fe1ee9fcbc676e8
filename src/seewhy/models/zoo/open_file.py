"""Files that stay open, so that the same bytes are checked, loaded and hashed."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from stat import S_ISREG
from typing import BinaryIO

from seewhy.errors import BadWeights


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """The file, open for reading while the block runs: another file that takes its name meanwhile is not the one that is read.

    Raises BadWeights where it cannot be opened, is no plain file, or is written to before the block ends.
    """
    try:
        file = path.open("rb")
    except OSError as error:
        raise BadWeights(f"{path} cannot be opened: {error.strerror or error}.") from None
    with file:
        before = os.fstat(file.fileno())
        if not S_ISREG(before.st_mode):
            raise BadWeights(f"{path} is no plain file.")
        yield file
        after = os.fstat(file.fileno())
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise changed(path)


def check_name(file: BinaryIO, path: Path) -> None:
    """Raise BadWeights where the name now stands for another file: some readers take a name, and no open file."""
    try:
        same = os.path.samestat(os.stat(path), os.fstat(file.fileno()))
    except OSError:
        same = False
    if not same:
        raise changed(path)


def digest(*files: BinaryIO) -> str:
    """The first 16 digits of the SHA-256 of the contents of the files, one after the other."""
    return f"sha256:{whole_digest(*files)[:16]}"


def whole_digest(*files: BinaryIO) -> str:
    """All 64 digits."""
    total = sha256()
    for file in files:
        file.seek(0)
        while chunk := file.read(1 << 20):
            total.update(chunk)
    return total.hexdigest()


def changed(path: Path) -> BadWeights:
    """The error that a file is not what it was when it was opened."""
    return BadWeights(f"{path} was changed while it was read. Load it again when nobody writes to it.")
