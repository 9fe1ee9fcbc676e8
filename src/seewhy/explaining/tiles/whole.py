"""Large images to be cut into tiles; where their file allows, a part is read only when it is needed."""

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


class Whole(ABC):
    """A large image, to be cut."""

    name: str
    space: Sides  # its size along each axis: (h, w) of a photo
    is_photo = True  # and no prepared array

    @abstractmethod
    def part(self, start: Sides, sides: Sides) -> Any:
        """The part of these sides that begins there: of each axis the first pixel."""

    def together(self, parts: Sequence[Any]) -> Images:
        """The parts as one list of images, or one prepared batch, which `explain` takes."""
        return list(parts)

    def picture(self) -> Any:
        """The whole image as the person gave it; None of a prepared array, and where the image is too large to be shown."""
        return None

    def box(self, view: Spans) -> Extent | Grid:
        """Where in the image that part lies which the network looked at: of each axis the edges (low, high)."""
        (top, bottom), (left, right) = view
        return Extent(left, top, right, bottom)


@dataclass(frozen=True)
class Decoded(Whole):
    """A picture whose file format gives it as a whole only."""

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
class Pixels(Whole):
    """An array (h, w) or (h, w, c) of uint8, maybe a numpy.memmap."""

    array: Any
    name: str

    @property
    def space(self) -> Sides:  # type: ignore[override]
        return tuple(self.array.shape[:2])

    def part(self, start: Sides, sides: Sides) -> Photo:
        return read(np.array(self.array[_cut(start, sides)]), self.name)._replace(notes=())  # a part may well be of one colour

    def picture(self) -> Image.Image | None:
        return read(self.array, self.name).pixels if np.prod(self.space) <= MOST_PIXELS else None


@dataclass(frozen=True, eq=False)
class Array(Whole):
    """A prepared array (c, *space), maybe a numpy.memmap.

    batch: of a volume, a clip or a signal, the batch that the model prepared of it.
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
