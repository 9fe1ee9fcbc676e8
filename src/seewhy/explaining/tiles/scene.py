"""A large TIFF that can be cut into tiles, each of which is read only when it is needed."""

from dataclasses import dataclass
from hashlib import file_digest
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from PIL import Image

from seewhy.errors import BadImage
from seewhy.images.geotiff import opened_scene
from seewhy.images.photo import Photo, rgb
from seewhy.images.tiff import CHOOSE, needed
from seewhy.images.tiff_tags import BLACK_IS_ZERO, COLOURS, Tags, bands, first_tags, notes
from seewhy.printable import printable

from .large_image import MOST_PIXELS, LargeImage, Sides


def scene(path: Path) -> "RasterScene | None":
    """The TIFF, to be read by windows; None if its pixels in a window would not be those that reading the whole file gives.

    Raises BadImage where the file has to be read as a whole and is too large for that.
    """
    tags = first_tags(path) if find_spec("rasterio") is not None else None
    if tags is None:
        return None
    places = bands(tags.roles) if _as_stored(tags) else None
    if places is not None:
        with opened_scene(path) as file:
            if (file.width, file.height, *file.dtypes) == (*tags.size, *["uint8"] * len(tags.roles)):
                return RasterScene(path, str(path), tags.size[::-1], places, notes(tags))
    limit = Image.MAX_IMAGE_PIXELS
    if limit and (number := needed(tags)) > limit:
        raise BadImage(
            f"{path} holds {tags}, which is read as a whole, and is too large for that: {tags.size[0]}x{tags.size[1]} pixels. "
            f"By windows are read 8-bit greys and colours. {CHOOSE} Or raise the limit: --max-pixels {number} on the command "
            f"line, PIL.Image.MAX_IMAGE_PIXELS = {number} in Python."
        )
    return None


def _as_stored(tags: Tags) -> bool:
    """Are the numbers in the file, as they are stored, the colours that a person sees?"""
    upright = tags.orientation == 1 or tags.earth
    return tags.simple and upright and tags.photometric in (BLACK_IS_ZERO, COLOURS) and 1 not in tags.extra


@dataclass(frozen=True)
class RasterScene(LargeImage):
    """A TIFF with 8-bit numbers.  bands: the numbers, from 0, of the bands shown: grey, or red, green, blue; then alpha."""

    path: Path
    name: str
    space: Sides
    bands: tuple[int, ...]
    notes: tuple[str, ...] = ()

    def part(self, start: Sides, sides: Sides) -> Photo:
        window = tuple((at, at + side) for at, side in zip(start, sides, strict=True))
        with opened_scene(self.path) as file:
            try:
                pixels = file.read([band + 1 for band in self.bands], window=window)  # (bands, h, w)
            except Exception as error:
                what = printable(error, 200)
                raise BadImage(f"{self.path} cannot be read at rows and columns {window}: {what}") from error
        shown = pixels[0] if len(pixels) == 1 else np.ascontiguousarray(np.moveaxis(pixels, 0, -1))
        return Photo(rgb(Image.fromarray(shown)), self.name, self.notes)

    def picture(self) -> Image.Image | None:
        return self.part((0, 0), self.space).pixels if np.prod(self.space) <= MOST_PIXELS else None

    def sha256(self) -> str:
        """Of the file, whose pixels are never in memory as a whole."""
        with self.path.open("rb") as file:
            return file_digest(file, "sha256").hexdigest()
