"""The bytes of a photo of a set, wherever it lies."""

import os
import stat

from seewhy.errors import BadImage
from seewhy.printable import printable

from .addresses import is_address, read_address
from .archives import BEFORE, read_member

MOST = 2**29  # bytes of a file
AT_ONCE = getattr(os, "O_NONBLOCK", 0)  # so that nothing waits for what is written into a pipe


def read_bytes(path: str) -> bytes:
    """The bytes of the file at a path, in an archive (zip://cats/1.jpg::/data/photos.zip), or at an address.

    It may be called by several threads at once, and in processes that were split off.
    Raises BadImage, which names the path, where it cannot be read or has more than half a gigabyte.
    """
    read = read_member if path.startswith(BEFORE) else read_address if is_address(path) else _read_file
    return read(path, MOST)


def _read_file(path: str, most: int) -> bytes:
    try:
        with open(path, "rb", opener=lambda name, flags: os.open(name, flags | AT_ONCE)) as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise BadImage(f"{printable(path)} is no file, but a device or a pipe.")
            if status.st_size > most:
                raise BadImage(f"{printable(path)} has {status.st_size:,} bytes, and {most:,} are read at most.")
            return file.read(most)
    except (OSError, ValueError) as error:
        if isinstance(error, BadImage):
            raise
        what = (
            "is not there"
            if isinstance(error, FileNotFoundError)
            else f"cannot be read: {getattr(error, 'strerror', '') or error}"
        )
        raise BadImage(f"{printable(path)} {what}.") from None
