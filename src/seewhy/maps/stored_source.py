"""The Source that a saved file carries.  The file may come from anybody: no more of it is read than a Source may be long."""

import gzip
import io
import json
import math
import os
import struct
import zlib
from pathlib import Path
from typing import IO

import numpy as np

from seewhy.errors import BadImage
from seewhy.images.files import has_suffix
from seewhy.images.volume_kinds import NIFTI
from seewhy.json_text import json_of

from .made_here import CHUNK, DRAWN, RECORD, SHEET, chunks
from .nifti import MARK
from .source import Source

LONGEST = 2**24  # bytes of a Source
NPY_HEADER = 2**17  # bytes at the beginning of an array in which its header ends
# By the length of the header, of NIfTI-1 and of NIfTI-2: type and place of the number that says where the voxels begin
NIFTI_HEADERS = {348: ("f", 108), 540: ("q", 168)}


def source_of(path: Path) -> Source:
    """The Source that a saved .png, .svg, .pdf, .npz, NIfTI or GeoTIFF file, or an evidence record (.json), carries.

    Raises BadImage where there is none.
    """
    from zipfile import BadZipFile  # here, for importing it takes as long as much of seewhy does

    if not path.is_file():
        raise BadImage(f"{path} cannot be read: {why_no_file(path)}.")
    others = {".npz": _of_npz, ".svg": _of_svg, ".pdf": _of_pdf, ".json": _of_json}
    read = _of_nifti if has_suffix(path, NIFTI) else others.get(path.suffix.lower(), _of_png)
    try:
        if has_suffix(path, (".tif", ".tiff")):
            from .georeference import source_text  # here, for the reader of TIFF's tags takes a while to import

            text = source_text(path)
        else:
            with path.open("rb") as file:
                text = read(file)
    except BadImage:
        raise
    except (OSError, ValueError, EOFError, IndexError, RuntimeError, struct.error, zlib.error, BadZipFile) as error:
        raise BadImage(f"{path} cannot be read as .png, .svg, .pdf, .npz or NIfTI: {error or type(error).__name__}") from None
    except KeyError:
        raise BadImage(f"{path} carries no Source: it was not saved by seewhy, or was saved again since.") from None
    try:
        return Source.from_json(text)
    except ValueError as error:
        raise BadImage(f"{path} carries no Source as seewhy writes it: {error}.") from None


def why_no_file(path: Path) -> str:
    """Why nothing can be read from a path that is no file, in words; of a folder with what to give in its place."""
    if path.is_dir():
        return "it is no file, but a folder: give the files in it"
    return "it is no file" if path.exists() else "it is not there"


def drawing_of(path: Path) -> str:
    """How a PNG was drawn of its map, as `saving.drawing_text` says it; "" where the file does not say it."""
    try:
        with path.open("rb") as file:
            return _of_png(file, DRAWN)
    except (OSError, ValueError, KeyError, IndexError, zlib.error):
        return ""


def record_in(path: Path) -> str:
    """The evidence record that a PNG carries, as text; "" where it carries none.  Raises BadImage where it is damaged."""
    try:
        with path.open("rb") as file:
            return _of_png(file, RECORD)
    except KeyError:
        return ""
    except (OSError, ValueError, IndexError, struct.error, zlib.error) as error:
        raise BadImage(f"{path}: its record cannot be read: {error or type(error).__name__}") from None


def _of_png(file: IO[bytes], name: str = CHUNK) -> str:
    """The text of seewhy's chunk, which stands before the pixels; the pixels are not read.  Raises KeyError without it."""
    for length, kind in chunks(file):
        if kind != b"iTXt" or length > LONGEST:
            continue
        content, crc = file.read(length), file.read(4)
        keyword, _, rest = content.partition(b"\0")
        if keyword == name.encode():
            if struct.unpack(">I", crc)[0] != zlib.crc32(kind + content):
                raise ValueError("its text is damaged")
            text = rest[2:].split(b"\0", 2)[2]  # behind the language, and the keyword in it
            return (zlib.decompressobj().decompress(text, LONGEST) if rest[:1] == b"\1" else text).decode()
        if keyword == SHEET.encode():
            raise ValueError("it shows many maps: ask the files of single maps for their Source")
    raise KeyError(name)


def _of_json(file: IO[bytes]) -> str:
    """The Source in an evidence record, whatever else that says.  Raises KeyError without it."""
    content = json_of(file.read(LONGEST), LONGEST)
    if not isinstance(content, dict):
        raise KeyError("source")
    return json.dumps(content["source"])


def _of_svg(file: IO[bytes]) -> str:
    """The text of the element that stands before the pixels.  Raises KeyError without it."""
    from .vector import source_in_svg  # here, for importing it takes a while

    return source_in_svg(file.read(LONGEST))


def _of_pdf(file: IO[bytes]) -> str:
    """The text among the facts on the document, which stand behind the pixels.  Raises KeyError without it."""
    file.seek(max(0, file.seek(0, os.SEEK_END) - 2 * LONGEST))
    from .vector import source_in_pdf  # here, for importing it takes a while

    return source_in_pdf(file.read())


def _of_npz(file: IO[bytes]) -> str:
    """The text of the array `source`.  Raises ValueError where its header does not fit the number of bytes that follow."""
    from zipfile import ZipFile  # here, as above

    with ZipFile(file) as archive, archive.open("source.npy") as member:
        start = io.BytesIO(member.read(NPY_HEADER))
        version = np.lib.format.read_magic(start)
        header = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}.get(version)
        if header is None:
            raise ValueError(f"its array is of version {version}")
        shape, _, kind = header(start)
        length = archive.getinfo("source.npy").file_size - start.tell()
        if kind.kind != "U" or math.prod(shape) != 1 or not kind.itemsize == length <= 4 * LONGEST:
            raise ValueError("its source is no text")
        return np.frombuffer(start.read() + member.read(), kind)[0]


def _of_nifti(file: IO[bytes]) -> str:
    """The text of the header's comment.  Raises KeyError without it."""
    packed = file.read(2) == b"\x1f\x8b"
    file.seek(0)
    with gzip.open(file) if packed else file as plain:
        content = plain.read(LONGEST)
    for order in "<>":
        size = struct.unpack(f"{order}i", content[:4])[0]
        if size in NIFTI_HEADERS:
            kind, at = NIFTI_HEADERS[size]
            end = struct.unpack_from(f"{order}{kind}", content, at)[0]
            return _comment(content[size + 4 : int(end) if 0 <= end < LONGEST else 0], order)
    raise ValueError("it has no NIfTI header")


def _comment(extensions: bytes, order: str) -> str:
    """The text of the first comment that seewhy wrote.  Raises KeyError without it."""
    at = 0
    while at + 8 <= len(extensions):
        size = struct.unpack_from(f"{order}i", extensions, at)[0]
        content = extensions[at + 8 : at + size]
        if size < 16:
            break
        if content.startswith(MARK):
            return content[len(MARK) :].rstrip(b"\0").decode()
        at += size
    raise KeyError(CHUNK)
