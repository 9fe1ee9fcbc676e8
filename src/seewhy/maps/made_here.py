"""Which files seewhy wrote, as their headers tell, without decoding any pixels."""

import gzip
import os
import zlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO

CHUNK = "seewhy"  # the PNG text chunk that carries the Source
DRAWN = "seewhy-drawn"  # the PNG text chunk that says how the map was drawn
RECORD = "seewhy-record"  # the PNG text chunk that carries the evidence record
SHEET = "seewhy-sheet"  # the PNG text chunk of a picture of many maps
LABELS = "seewhy-labels"  # the PNG text chunk of a label map that was made of maps
PAGE = b"made by seewhy explain"  # at the beginning of a page of many maps
PNG = b"\x89PNG\r\n\x1a\n"
NIFTI, TIFF, SVG, PDF = b"seewhy {", b'name="SEEWHY"', b'<metadata id="seewhy">', b"(seewhy:"  # before the Source
LABELLED = b"seewhy-labels {", b'name="SEEWHY_LABELS"'  # in label maps, as NIfTI and as TIFF
NEAR = 2**18  # bytes at either end of a volume or a scene in which the Source begins
FIRST = 128  # bytes of a text, in which its name ends
CHUNKS = 1000  # before the pixels, at most


def made_here(path: Path) -> bool:
    """Is it a map, a label map, or a picture or page of many maps, that seewhy saved: a PNG, SVG, PDF, NIfTI, TIFF or HTML that
    says so?

    False for a file that cannot be read.
    """
    name = path.name.lower()
    with suppress(OSError, EOFError, ValueError, zlib.error):
        if not path.is_file():  # nothing waits for a pipe
            return False
        if name.endswith(".png"):
            return not {CHUNK, SHEET, LABELS}.isdisjoint(_names(path))
        if name.endswith(".html"):
            with path.open("rb") as file:
                return PAGE in file.read(FIRST)
        if name.endswith((".nii", ".nii.gz")):
            with gzip.open(path) if name.endswith(".gz") else path.open("rb") as file:
                near = file.read(NEAR)
                return NIFTI in near or LABELLED[0] in near
        if name.endswith((".tif", ".tiff")):
            ends = _ends(path)
            return TIFF in ends or LABELLED[1] in ends
        if name.endswith((".svg", ".pdf")):
            return (SVG if name.endswith(".svg") else PDF) in _ends(path)
    return False


def is_sheet(path: Path) -> bool:
    """Is it a picture or a page of many maps, as `seewhy explain` ends with?  False for a file that cannot be read."""
    with suppress(OSError, ValueError):
        if not path.is_file():
            return False
        if path.name.lower().endswith(".html"):
            with path.open("rb") as file:
                return PAGE in file.read(FIRST)
        return path.name.lower().endswith(".png") and SHEET in _names(path)
    return False


def _names(path: Path) -> Iterator[str]:
    """The names of the international texts that stand before a PNG's pixels."""
    with path.open("rb") as file:
        for length, kind in chunks(file):
            if kind == b"iTXt":
                yield file.read(min(length, FIRST)).partition(b"\0")[0].decode("latin-1")


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


def _ends(path: Path) -> bytes:
    """The first and the last bytes of a file, NEAR of each."""
    with path.open("rb") as file:
        first = file.read(NEAR)
        file.seek(max(0, file.seek(0, os.SEEK_END) - NEAR))
        return first + file.read()
