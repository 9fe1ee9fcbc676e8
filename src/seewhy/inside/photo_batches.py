"""Photos in batches for a model, be they a few in memory or a whole set on disk; a broken file ends nothing."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from seewhy.errors import BadImage
from seewhy.images.inputs import Images
from seewhy.models.model import Model
from seewhy.photo_sets.ahead import ReadPhoto, read_ahead, together
from seewhy.photo_sets.items import Listing, PhotoPlace
from seewhy.photo_sets.listing import list_items
from seewhy.prepare.batch import Batch, joined
from seewhy.prepare.callable_fit import CallableFit
from seewhy.prepare.fit import Fit
from seewhy.printable import printable
from seewhy.truth.labels import Classes

WORKERS, AHEAD = 2, 16  # threads that read and decode beside the network, and how many photos they are ahead of it


class BrokenPhoto(NamedTuple):
    """A photo that could not be read: its place among all, its name, and what went wrong."""

    number: int
    name: str
    error: Exception

    @classmethod
    def odd(cls, number: int, name: str, layer: str) -> "BrokenPhoto":
        """One of which a layer makes NaN or infinity."""
        why = "makes numbers that are not finite (NaN or infinity) of it"
        return cls(number, name, BadImage(f"{printable(name, 200)}: {printable(layer, 200)} {why}."))


class PhotoBatch(NamedTuple):
    """Photos that share a pass, and their places among all."""

    batch: Batch
    numbers: tuple[int, ...]

    def singles(self) -> list["PhotoBatch"]:
        """Each of its photos as a batch of its own."""
        return [PhotoBatch(self.batch.part(i, i + 1), (number,)) for i, number in enumerate(self.numbers)]


@dataclass(frozen=True, eq=False)
class PhotoSet:
    """What a person gives as photos: images, or a set of files of which the names are known before any is read.

    images: as `explain` takes them; listing: of a set of files, in the place of images.
    """

    images: Any
    listing: Listing | None = None

    @property
    def count(self) -> int | None:
        """How many photos there are; None where that is not known before they are read."""
        if self.listing is not None:
            return len(self.listing)
        return len(self.images) if isinstance(self.images, Sequence) or hasattr(self.images, "shape") else None

    def truth(self, number: int) -> Classes:
        """The classes of a photo, where the set says them."""
        return () if self.listing is None else self.listing.classes[number]

    def path(self, number: int) -> str:
        """Where a photo lies; "" of an image in memory."""
        return "" if self.listing is None else self.listing[number].path

    def batches(self, model: Model, whole: bool = False) -> Iterator[PhotoBatch | BrokenPhoto]:
        """The photos in their order, as many at once as the model takes, and the broken ones among them.

        whole: the pass keeps what a gradient needs, so fewer go together.
        Raises BadImage where none can be read, Misuse where the model takes no photos.
        """
        if self.listing is None:
            done = 0
            for batch in model.batches(self.images, whole):
                yield PhotoBatch(batch, tuple(range(done, done + len(batch.x))))
                done += len(batch.x)
            return
        first: Exception | None = None
        good = 0
        for photos in together(model, read_ahead(self.listing, model.prepare, model.name, WORKERS, AHEAD), whole):
            for each in _batches(photos):
                if isinstance(each, BrokenPhoto):
                    first = first or each.error
                else:
                    good += len(each.numbers)
                yield each
        if not good:
            raise BadImage(f"None of the {len(self.listing)} photos could be read. The first: {first}")


def photo_set(
    model: Model, photos: Images | Listing, truth: str | Path | None = None, root: str | Path | None = None
) -> PhotoSet:
    """The photos that a person names.

    photos: images as `explain` takes them; or a set: a folder, also of class folders, a table of paths and labels, COCO's JSON,
        a ZIP archive, a pattern, an address, as for `seewhy.explain_dataset`; or what `list_items` gave.
    truth, root: as `seewhy.explain_dataset` takes them.
    Raises BadParameter, BadImage or MissingExtra where there are no photos.
    """
    if isinstance(photos, Listing):
        return PhotoSet((), photos)
    files = isinstance(model.prepare, Fit | CallableFit)
    if files and isinstance(photos, str | Path):
        return PhotoSet((), list_items(photos, model.labels, truth=truth, root=root))
    names = [os.fspath(each) for each in photos if isinstance(each, str | Path)] if isinstance(photos, list) else []
    if files and names and isinstance(photos, list) and len(names) == len(photos):
        return PhotoSet((), Listing(f"{len(names)} photos", PhotoPlace(), names, [()] * len(names)))
    return PhotoSet(photos)


def _batches(photos: Sequence[ReadPhoto]) -> Iterator[PhotoBatch | BrokenPhoto]:
    """Neighbours as one batch; each alone, where one of them is broken."""
    ready, numbers = [photo.ready for photo in photos if photo.ready is not None], [photo.item.number for photo in photos]
    try:
        if len(ready) == len(photos):
            yield PhotoBatch(joined(ready), tuple(numbers))
            return
    except BadImage as error:  # the numbers of one of them are not finite
        if len(photos) == 1:
            yield BrokenPhoto(numbers[0], photos[0].item.path, error)
            return
    for photo in photos:
        if photo.ready is not None:
            yield from _batches([photo])
        else:
            error = photo.error or BadImage(f"{photo.item.path} cannot be read.")
            yield BrokenPhoto(photo.item.number, photo.item.path, error)
