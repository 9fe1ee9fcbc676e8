"""Opening files of pictures: bounds on their size, one error for all that decoders raise, and notes of what decoders warn."""

import logging
import os
import re
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryFile
from threading import RLock
from typing import Any

from PIL import Image, UnidentifiedImageError

from seewhy.errors import BadImage, MissingExtra
from seewhy.printable import printable

from .foreign_pictures import advice

HEADERS = RLock()  # only one thread at a time can catch warnings
NAMED_ALONE = ("EPS", "WMF", "HDF5", "GRIB", "BUFR", "MPEG")  # formats that Pillow only knows by name, or runs programs for
NAMELESS = "The name of the image is empty. Give the path of a file."
MOST_NOTES = 3  # how many lines of a decoder's output become notes
LIBTIFF = re.compile(r"^[\w.]+: |^  ")  # how libtiff begins a line, and goes on in the next
for reader in ("PIL", "tifffile", "rasterio"):  # without a configured log, they would write to stderr
    logging.getLogger(reader).addHandler(logging.NullHandler())


@contextmanager
def guarded(name: str) -> Iterator[None]:
    """Raise as BadImage, with the name of the picture, whatever a decoder raises in the block."""
    try:
        yield
    except BadImage as known:
        raise known if str(known).startswith((name, str(BadImage(name)))) else BadImage(f"{name} {known}") from None
    except UnidentifiedImageError:
        raise BadImage(f"{name} is not an image that Pillow can read.") from None
    except Image.DecompressionBombError as bomb:
        pixels = re.search(r"\((\d+) pixels\)", str(bomb))
        raise oversized(name, printable(bomb), int(pixels[1]) if pixels else None) from None
    except MemoryError:
        raise BadImage(f"{name} cannot be read: there is not enough memory for it. Make it smaller.") from None
    except Exception as broken:  # noqa: BLE001 - decoders raise whatever a stranger's bytes lead them to
        what = printable(broken, 300) or type(broken).__name__
        raise BadImage(f"{name} cannot be read: {what}") from None


def check_size(name: str, size: tuple[int, int], frames: int = 1, most: int = 1) -> None:
    """Raises BadImage where there are no pixels, or more than PIL.Image.MAX_IMAGE_PIXELS (times `most`)."""
    width, height = size
    limit = Image.MAX_IMAGE_PIXELS
    if limit and width * height * frames > limit * most:
        what = f"{frames} frames of {width}x{height} pixels." if frames > 1 else f"{width}x{height} pixels."
        raise oversized(name, what, -(-width * height * frames // most))
    if not width * height:
        raise BadImage(f"{name} holds no pixels: it is {width}x{height}.")


def oversized(name: str, what: str, needed: int | None) -> BadImage:
    number = f"{needed}" if needed else "N"
    return BadImage(
        f"{name} is too large: {what} Make it smaller, or, if you trust it, raise the limit: --max-pixels {number} on the "
        f"command line, PIL.Image.MAX_IMAGE_PIXELS = {number} in Python."
    )


def open_picture(file: Any, name: str) -> Image.Image:
    """The picture in a file, opened but not decoded.  Raises BadImage, which says what to do with files of other kinds."""
    if isinstance(file, Path) and not file.is_file():
        what = "a folder: give the photos in it" if file.is_dir() else "no file" if file.exists() else "not there"
        raise BadImage(f"{name} is {what}.")
    try:
        image = Image.open(file)
    except UnidentifiedImageError:
        raise BadImage(f"{name} is not an image that Pillow can read{advice(file)}") from None
    try:
        if image.format in NAMED_ALONE:
            raise BadImage(f"{name} is not an image that Pillow can read{advice(file)}")
        check_size(name, image.size)
    except BadImage:
        image.close()
        raise
    with suppress(Exception):  # read without, if it is broken
        image.getexif()
    return image


@contextmanager
def listening(tiff: bool = False) -> Iterator[list[str]]:
    """Collect the warnings of Pillow, and for a TIFF what libtiff writes to stderr; the list is filled when the block ends.

    Python's warning filters and stderr belong to the whole process: only one thread at a time collects, and what other threads
    write to stderr meanwhile is written afterwards.
    """
    heard: list[str] = []
    with HEADERS, _stderr(heard) if tiff else nullcontext(), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            yield heard
        finally:
            caught = [w for w in caught if not _idle(w)]
            by_pillow = [w for w in caught if f"{os.sep}PIL{os.sep}" in w.filename]
            heard += [str(w.message) for w in by_pillow]
            others = [w for w in caught if w not in by_pillow]
    for other in others:
        warnings.warn_explicit(other.message, other.category, other.filename, other.lineno, source=other.source)


def _idle(warning: Any) -> bool:
    """Is this one of two needless warnings: Pillow's of a large size, rasterio's of a file without a place on the earth?"""
    return (
        issubclass(warning.category, Image.DecompressionBombWarning) or warning.category.__name__ == "NotGeoreferencedWarning"
    )


@contextmanager
def _stderr(heard: list[str]) -> Iterator[None]:
    """Collect what libtiff writes to stderr in the block; all other output is written to stderr when the block has ended."""
    with suppress(Exception):
        sys.stderr.flush()
    try:
        saved, held = os.dup(2), TemporaryFile()  # noqa: SIM115 - closed below
    except OSError:  # there is no stderr, or no temporary file
        yield
        return
    with held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(saved, 2)
            os.close(saved)
            held.seek(0)
            text = held.read()
            lines = text.decode(errors="replace").splitlines()
            heard += [line for line in lines if LIBTIFF.match(line)]
            if rest := [line for line in lines if not LIBTIFF.match(line)]:
                with suppress(OSError):
                    os.write(2, "".join(f"{line}\n" for line in rest).encode())


def decoder_notes(heard: list[str]) -> tuple[str, ...]:
    """The lines as notes of a photo."""
    lines = dict.fromkeys(printable(" ".join(line.split()), 200) for line in heard if line.strip())
    return tuple(f"of its file: {line}" for line in [*lines][:MOST_NOTES])


def check_name(path: Any) -> None:
    """Raises BadImage for an empty name, which Python would take for the folder that it runs in."""
    if isinstance(path, str) and not path.strip():
        raise BadImage(NAMELESS)


def has_suffix(path: Path, suffixes: Any) -> bool:
    """Does the name of the file end in one of these suffixes?"""
    return path.name.lower().endswith(tuple(suffixes))


def need(package: str) -> Any:
    """Import a package.  Raises MissingExtra where it is not installed."""
    try:
        return import_module(package)
    except ModuleNotFoundError:
        raise MissingExtra(package, "medical") from None
