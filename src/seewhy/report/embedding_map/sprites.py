"""The thumbnails of many photos as a few pictures, each of hundreds, so that a page has few of them to load."""

import io
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from seewhy.errors import SeewhyError
from seewhy.images.photo import read
from seewhy.photo_sets.reading import read_bytes
from seewhy.pictures.thumbnails import within
from seewhy.progress import shown

SHEET = 2048  # pixels of a sheet's side, at most
QUALITY = 62  # of its WebP
SIDES = ((600, 160), (1000, 128), (2000, 96), (4000, 64))  # up to so many photos in the page itself, and pixels of each
BESIDE = 96  # pixels of each, where the sheets lie in a folder beside the page
WORKERS = 2  # threads that read and decode


class SpriteSheets(NamedTuple):
    """Thumbnails in rows: photo i is at place i % (columns * columns) of sheet i // (columns * columns), row by row.

    side: pixels of a place; sheets: WebP; sizes: (n, 2) of each thumbnail, at the upper left of its place; 0 of a photo that
    could not be read.
    """

    side: int
    columns: int
    sheets: tuple[bytes, ...]
    sizes: NDArray[np.uint8]


def side_for(count: int) -> int | None:
    """The pixels of each of so many thumbnails that a page can hold; None where there are too many."""
    return next((side for most, side in SIDES if count <= most), None)


def sprite_sheets(paths: Sequence[str], side: int) -> SpriteSheets:
    """The thumbnails of the photos at these paths, which are read one after the other."""
    columns = SHEET // side
    sizes, sheets = np.zeros((len(paths), 2), np.uint8), list[bytes]()
    with ThreadPoolExecutor(WORKERS, "seewhy thumbnails") as pool:
        pictures = shown(_pictures(pool, paths, side), len(paths), "reading photos for the page")
        for first in range(0, len(paths), columns * columns):
            count = min(columns * columns, len(paths) - first)
            across = min(columns, count)
            sheet = Image.new("RGB", (across * side, -(-count // columns) * side), (128, 128, 128))
            for place in range(count):
                picture = next(pictures)
                if picture is not None:
                    sheet.paste(picture, (place % columns * side, place // columns * side))
                    sizes[first + place] = picture.size
            file = io.BytesIO()
            sheet.save(file, "webp", quality=QUALITY, method=4)
            sheets.append(file.getvalue())
    return SpriteSheets(side, columns, tuple(sheets), sizes)


def _pictures(pool: ThreadPoolExecutor, paths: Sequence[str], side: int) -> Iterator[Image.Image | None]:
    """The thumbnails in their order, a few read ahead."""
    step = 8 * WORKERS
    for first in range(0, len(paths), step):
        yield from pool.map(lambda path: _thumbnail(path, side), paths[first : first + step])


def _thumbnail(path: str, side: int) -> Image.Image | None:
    try:
        pixels = read(read_bytes(path), path).pixels.convert("RGB")
    except (SeewhyError, MemoryError):
        return None
    return (
        pixels.resize(within(pixels.size, side), Image.Resampling.BOX, reducing_gap=3.0) if max(pixels.size) > side else pixels
    )
