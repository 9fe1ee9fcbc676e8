"""Files held open, so that what is checked, what is loaded and what the SHA-256 is of are one and the same."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from stat import S_ISREG
from typing import BinaryIO

from seewhy.errors import BadWeights


@contextmanager
def held(path: Path) -> Iterator[BinaryIO]:
    """The file, open for reading: whatever takes its name meanwhile, all that is asked inside the block is asked of it.

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


def named_still(file: BinaryIO, path: Path) -> None:
    """BadWeights where the name now stands for another file; for readers that take names only."""
    try:
        same = os.path.samestat(os.stat(path), os.fstat(file.fileno()))
    except OSError:
        same = False
    if not same:
        raise changed(path)


def digest(*files: BinaryIO) -> str:
    """The start of the SHA-256 of what the files hold, one after the other."""
    found = sha256()
    for file in files:
        file.seek(0)
        while chunk := file.read(1 << 20):
            found.update(chunk)
    return f"sha256:{found.hexdigest()[:16]}"


def changed(path: Path) -> BadWeights:
    return BadWeights(f"{path} was changed while it was read. Load it again when nobody writes to it.")
