"""Which files seewhy wrote, as their headers tell, without decoding any pixels."""

import gzip
import os
import zlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO

CHUNK = "seewhy"  # the PNG text chunk that carries the Source
RUN = "seewhy-run"  # the PNG text chunk that tells runs of the command line apart
PNG = b"\x89PNG\r\n\x1a\n"
NIFTI, TIFF = b"seewhy {", b'name="SEEWHY"'  # before the Source
NEAR = 2**18  # bytes at either end of a volume or a scene in which the Source begins
FIRST = 4096  # bytes of a text that are read
CHUNKS = 1000  # before the pixels, at most


def made_here(path: Path) -> bool:
    """Is it a map that seewhy saved: a PNG, NIfTI or TIFF that says so?  False for a file that cannot be read."""
    name = path.name.lower()
    with suppress(OSError, EOFError, ValueError, zlib.error):
        if not path.is_file():  # nothing waits for a pipe
            return False
        if name.endswith(".png"):
            return CHUNK in dict(_texts(path))
        if name.endswith((".nii", ".nii.gz")):
            with gzip.open(path) if name.endswith(".gz") else path.open("rb") as file:
                return NIFTI in file.read(NEAR)
        if name.endswith((".tif", ".tiff")):
            return TIFF in _ends(path)
    return False


def run_of(path: Path) -> str:
    """The name of the run of the command line that drew this PNG; empty for any other file."""
    with suppress(OSError, ValueError):
        return dict(_texts(path)).get(RUN, b"").decode("ascii", "replace") if path.is_file() else ""
    return ""


def _texts(path: Path) -> Iterator[tuple[str, bytes]]:
    """The names and beginnings of the plain international texts that stand before a PNG's pixels."""
    with path.open("rb") as file:
        for length, kind in chunks(file):
            if kind == b"iTXt":
                yield from _text(file.read(min(length, FIRST)))


def chunks(file: IO[bytes]) -> Iterator[tuple[int, bytes]]:
    """The length and the kind of each chunk before a PNG's pixels; while it is looked at, the file stands at its content."""
    if file.read(len(PNG)) != PNG:
        return
    for _ in range(CHUNKS):
        length, kind = int.from_bytes(file.read(4)), file.read(4)
        if kind in (b"IDAT", b"IEND", b""):
            return
        start = file.tell()
        yield length, kind
        file.seek(start + length + 4)


def _text(chunk: bytes) -> Iterator[tuple[str, bytes]]:
    """The name and the text of a chunk; nothing of a compressed text."""
    name, _, rest = chunk.partition(b"\0")
    if rest.startswith(b"\0\0"):  # not compressed; then the language, and the name in it
        yield name.decode("latin-1"), rest[2:].split(b"\0", 2)[-1]


def _ends(path: Path) -> bytes:
    """The first and the last bytes of a file, NEAR of each."""
    with path.open("rb") as file:
        first = file.read(NEAR)
        file.seek(max(0, file.seek(0, os.SEEK_END) - NEAR))
        return first + file.read()
