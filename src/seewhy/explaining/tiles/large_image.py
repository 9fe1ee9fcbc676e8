"""Large images that can be cut into tiles; if the file format allows it, each part is read only when it is needed."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from seewhy.arrays import numbers
from seewhy.images.digest import image_sha256, pixels_sha256
from seewhy.images.inputs import Images, PreparedBatch
from seewhy.images.photo import Photo, read
from seewhy.images.places import Extent, Grid, Spans
from seewhy.maps.source import ImageFacts
from seewhy.prepare.batch import Batch

ROWS = 1024  # of a picture that is read in parts, at once
MOST_PIXELS = 2**26  # a larger picture that is read in parts is not read whole to be shown: that would take 200 MB
Sides = tuple[int, ...]


class LargeImage(ABC):
    """A large image that can be cut into tiles."""

    name: str
    space: Sides  # its size along each axis: (h, w) of a photo
    is_photo = True  # False: a prepared array

    @abstractmethod
    def part(self, start: Sides, sides: Sides) -> Any:
        """The part of the image with these sides; start: its first pixel along each axis."""

    def together(self, parts: Sequence[Any]) -> Images:
        """Several parts as images that `explain` takes: a list, or one prepared batch."""
        return list(parts)

    def uncut(self) -> Images:
        """The whole image, as `explain` takes it."""
        return self.together([self.part((0,) * len(self.space), self.space)])

    def picture(self) -> Any:
        """The whole image as it was given; None for a prepared array, and for an image that is too large to be shown."""
        return None

    @abstractmethod
    def sha256(self) -> str:
        """Of the whole image, as `image_sha256` has it."""

    def facts(self) -> dict[str, Any]:
        """What a Source says of the whole image, in place of what it says of a tile."""
        return {"image_sha256": self.sha256(), "image_size": tuple(map(int, self.space[::-1]))}

    def box(self, view: Spans) -> Extent | Grid:
        """The part of the image that the network saw, from its edges (low, high) along each axis."""
        (top, bottom), (left, right) = view
        return Extent(left, top, right, bottom)


@dataclass(frozen=True)
class Decoded(LargeImage):
    """A picture that can only be read as a whole."""

    decoded: Photo

    @property
    def name(self) -> str:  # type: ignore[override]
        return self.decoded.name

    @property
    def space(self) -> Sides:  # type: ignore[override]
        return self.decoded.pixels.size[::-1]

    def part(self, start: Sides, sides: Sides) -> Photo:
        (top, left), (height, width) = start, sides
        return self.decoded._replace(pixels=self.decoded.pixels.crop((left, top, left + width, top + height)))

    def picture(self) -> Image.Image:
        return self.decoded.pixels

    def sha256(self) -> str:
        return image_sha256(self.decoded.pixels)


@dataclass(frozen=True, eq=False)
class PixelArray(LargeImage):
    """An array (h, w) or (h, w, c) of uint8, maybe a numpy.memmap."""

    array: Any
    name: str

    @property
    def space(self) -> Sides:  # type: ignore[override]
        return tuple(self.array.shape[:2])

    def part(self, start: Sides, sides: Sides) -> Photo:
        return read(np.array(self.array[_cut(start, sides)]), self.name)._replace(notes=())  # parts may be plain

    def picture(self) -> Image.Image | None:
        return read(self.array, self.name).pixels if np.prod(self.space) <= MOST_PIXELS else None

    def sha256(self) -> str:
        rows = range(0, self.space[0], ROWS)
        parts = (self.part((row, 0), (min(ROWS, self.space[0] - row), self.space[1])) for row in rows)
        return pixels_sha256("RGB", (self.space[1], self.space[0]), (part.pixels.tobytes() for part in parts))


@dataclass(frozen=True, eq=False)
class PreparedArray(LargeImage):
    """A prepared array (c, *space), maybe a numpy.memmap.

    batch: for a volume, a clip or a signal, the batch that the model prepared from it; read: what is known of that.
    """

    array: Any
    name: str
    batch: Batch | None = None
    read: ImageFacts | None = None
    is_photo = False

    @property
    def space(self) -> Sides:  # type: ignore[override]
        return tuple(self.array.shape[1:])

    def part(self, start: Sides, sides: Sides) -> Any:
        return numbers(self.array[(slice(None), *_cut(start, sides))])

    def together(self, parts: Sequence[Any]) -> PreparedBatch:
        return PreparedBatch(np.stack(parts))

    def uncut(self) -> Images:
        given = self.picture()
        return super().uncut() if given is None or isinstance(given, np.ndarray) else [given]

    def picture(self) -> Any:
        given = self.batch and self.batch.photos[0]
        return given.pixels if given else None

    def sha256(self) -> str:
        return self.read.sha256 if self.read else image_sha256(self.array)

    def facts(self) -> dict[str, Any]:
        if self.read is not None:
            return {"image_sha256": self.read.sha256, "image_size": self.read.size, "prepare": self.read.prepare}
        return super().facts() if len(self.space) == 2 else {**super().facts(), "image_size": tuple(map(int, self.space))}

    def box(self, view: Spans) -> Extent | Grid:
        if self.batch is not None:
            return self.batch.boxes[0]
        return super().box(view) if len(self.space) == 2 else Grid.whole(self.space)


def _cut(start: Sides, sides: Sides) -> tuple[slice, ...]:
    return tuple(slice(at, at + side) for at, side in zip(start, sides, strict=True))
