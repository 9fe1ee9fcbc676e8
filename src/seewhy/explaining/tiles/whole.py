"""Images of which parts are read as they are needed."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from seewhy.explaining.case import numbers
from seewhy.images.photo import Extent, Images, Photo, Prepared, is_clip, read
from seewhy.images.volume import Grid, Volume
from seewhy.images.volumes import holds_volume
from seewhy.prepare.batch import Batch

from .seam import Spans

KEPT = 2**26  # pixels: a larger picture that was read in parts is not read whole for the heatmap's sake (it would take 200 MB)
Sides = tuple[int, ...]


class Whole(ABC):
    """A large image, to be cut."""

    name: str
    space: Sides  # its size along each axis: (h, w) of a photo
    photo = True  # it is no prepared array

    @abstractmethod
    def part(self, start: Sides, sides: Sides) -> Any:
        """The part that begins there."""

    def together(self, parts: Sequence[Any]) -> Images:
        """Parts as `explain` takes them."""
        return list(parts)

    def picture(self) -> Any:
        """All of it as a person gave it; None where that is too large, or a prepared array."""
        return None

    def box(self, seen: Spans) -> Extent | Grid:
        """Where in it lies what the network saw: of each axis (low, high)."""
        (top, bottom), (left, right) = seen
        return Extent(left, top, right, bottom)


def wholes(images: Prepared | list[Any], model: Any, first: int = 0) -> Iterator[Whole]:
    """What `image.sort_out` gave, one image after the other, from place `first` on; volumes and clips as the model prepares
    them.
    """
    if isinstance(images, Prepared):
        for place, x in enumerate(images.x, first):
            signal = x.ndim == 2
            yield _ready(model, Prepared(x[None]), f"image {place}") if signal else Array(x, f"image {place}")
        return
    for place, image in enumerate(images, first):
        other = isinstance(image, Volume) or is_clip(image) or holds_volume(image)
        yield _ready(model, [image]) if other else _photo(image, f"image {place}")


def _ready(model: Any, image: Images, name: str = "") -> "Array":
    batch: Batch = next(iter(model.batches(image)))
    return Array(batch.x[0], name or batch.names[0], batch)


def _photo(image: Any, name: str) -> Whole:
    if isinstance(image, np.ndarray) and image.dtype == np.uint8 and image.ndim in (2, 3):
        return Pixels(image, name)
    if isinstance(image, str | Path) and Path(image).suffix.lower() in (".tif", ".tiff"):
        from seewhy.images.geotiff import scene

        found = scene(Path(image))
        if found is not None:
            return found
    named = isinstance(image, str | Path | Photo) or getattr(image, "filename", "")
    return Decoded(read(image) if named else read(image, name))


@dataclass(frozen=True)
class Decoded(Whole):
    """A picture that its file format gives as a whole only."""

    own: Photo

    @property
    def name(self) -> str:  # type: ignore[override]
        return self.own.name

    @property
    def space(self) -> Sides:  # type: ignore[override]
        return self.own.pixels.size[::-1]

    def part(self, start: Sides, sides: Sides) -> Photo:
        (top, left), (height, width) = start, sides
        return self.own._replace(pixels=self.own.pixels.crop((left, top, left + width, top + height)))

    def picture(self) -> Image.Image:
        return self.own.pixels


@dataclass(frozen=True, eq=False)
class Pixels(Whole):
    """An array (h, w) or (h, w, c) of uint8, maybe a numpy.memmap."""

    own: Any
    name: str

    @property
    def space(self) -> Sides:  # type: ignore[override]
        return tuple(self.own.shape[:2])

    def part(self, start: Sides, sides: Sides) -> Photo:
        return read(np.array(self.own[_cut(start, sides)]), self.name)._replace(notes=())  # a part may well be of one colour

    def picture(self) -> Image.Image | None:
        return read(self.own, self.name).pixels if np.prod(self.space) <= KEPT else None


@dataclass(frozen=True, eq=False)
class Array(Whole):
    """A prepared array (c, *space), maybe a numpy.memmap.  batch: what it was made of, of a volume, a clip or a signal."""

    own: Any
    name: str
    batch: Batch | None = None
    photo = False

    @property
    def space(self) -> Sides:  # type: ignore[override]
        return tuple(self.own.shape[1:])

    def part(self, start: Sides, sides: Sides) -> Any:
        return numbers(self.own[(slice(None), *_cut(start, sides))])

    def together(self, parts: Sequence[Any]) -> Prepared:
        return Prepared(np.stack(parts))

    def picture(self) -> Any:
        given = self.batch and self.batch.photos[0]
        return given.pixels if given else None

    def box(self, seen: Spans) -> Extent | Grid:
        if self.batch is not None:
            return self.batch.boxes[0]
        return super().box(seen) if len(self.space) == 2 else Grid.whole(self.space)


def _cut(start: Sides, sides: Sides) -> tuple[slice, ...]:
    return tuple(slice(at, at + side) for at, side in zip(start, sides, strict=True))
