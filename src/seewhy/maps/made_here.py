"""Which files seewhy made itself, told from their heads alone, without decoding them."""

import os
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
    """Is it a map that seewhy saved: a PNG, NIfTI or TIFF that says so?  What cannot be read is none."""
    from gzip import open as unpacked
    from zlib import error

    name = path.name.lower()
    with suppress(OSError, EOFError, ValueError, error):
        if not path.is_file():  # nothing waits for a pipe
            return False
        if name.endswith(".png"):
            return CHUNK in dict(_texts(path))
        if name.endswith((".nii", ".nii.gz")):
            with unpacked(path) if name.endswith(".gz") else path.open("rb") as file:
                return NIFTI in file.read(NEAR)
        if name.endswith((".tif", ".tiff")):
            return TIFF in _ends(path)
    return False


def run_of(path: Path) -> str:
    """Which run of the command line drew this PNG; nothing of others."""
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
    """How long the chunks before a PNG's pixels are, and their kinds; the file stands where the content of each begins."""
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
    name, _, rest = chunk.partition(b"\0")
    if rest.startswith(b"\0\0"):  # not compressed; then the language, and the name in it
        yield name.decode("latin-1"), rest[2:].split(b"\0", 2)[-1]


def _ends(path: Path) -> bytes:
    with path.open("rb") as file:
        first = file.read(NEAR)
        file.seek(max(0, file.seek(0, os.SEEK_END) - NEAR))
        return first + file.read()
