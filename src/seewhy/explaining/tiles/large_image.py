"""Large images that can be cut into tiles; if the file format allows it, each part is read only when it is needed."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from seewhy.arrays import numbers
from seewhy.images.inputs import Images, PreparedBatch
from seewhy.images.photo import Photo, read
from seewhy.images.places import Extent, Grid, Spans
from seewhy.prepare.batch import Batch

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

    def picture(self) -> Any:
        """The whole image as it was given; None for a prepared array, and for an image that is too large to be shown."""
        return None

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


@dataclass(frozen=True, eq=False)
class PreparedArray(LargeImage):
    """A prepared array (c, *space), maybe a numpy.memmap.

    batch: for a volume, a clip or a signal, the batch that the model prepared from it.
    """

    array: Any
    name: str
    batch: Batch | None = None
    is_photo = False

    @property
    def space(self) -> Sides:  # type: ignore[override]
        return tuple(self.array.shape[1:])

    def part(self, start: Sides, sides: Sides) -> Any:
        return numbers(self.array[(slice(None), *_cut(start, sides))])

    def together(self, parts: Sequence[Any]) -> PreparedBatch:
        return PreparedBatch(np.stack(parts))

    def picture(self) -> Any:
        given = self.batch and self.batch.photos[0]
        return given.pixels if given else None

    def box(self, view: Spans) -> Extent | Grid:
        if self.batch is not None:
            return self.batch.boxes[0]
        return super().box(view) if len(self.space) == 2 else Grid.whole(self.space)


def _cut(start: Sides, sides: Sides) -> tuple[slice, ...]:
    return tuple(slice(at, at + side) for at, side in zip(start, sides, strict=True))
