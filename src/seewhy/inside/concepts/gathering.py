"""What is read of photos before concepts are looked for: what a layer emits, also of their crops; what they are taken for."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from seewhy.arrays import Floats, numbers
from seewhy.errors import BadParameter, NotApplicable, NotFinite
from seewhy.explaining.case import Case
from seewhy.images.photo import Photo
from seewhy.images.places import Cells, Extent, Turned
from seewhy.inside.photo_batches import BrokenPhoto, PhotoBatch, PhotoSet, photo_set
from seewhy.maps.source import Predicted
from seewhy.models.model import Answer, Differentiable
from seewhy.photo_sets.items import Listing
from seewhy.pictures.thumbnails import Thumbnail
from seewhy.prepare.batch import Batch
from seewhy.printable import printable
from seewhy.progress import shown, stop_asked
from seewhy.targets.target import Top

from .asked_classes import AskedClass, taken_for
from .crops import CropPlace, crop_places, cropped

FEWEST = 5  # photos of which a class can be told
ROOM = 2**31  # bytes of images and activations that are held
VIEW = 320  # pixels of the longer side of the view of a photo that is kept


@dataclass(frozen=True, eq=False)
class GatheredPhoto:
    """A photo, and what was read of it.

    number: its place among those given; view: the part of it that the network saw, of a photo; x: the prepared image
    (c, *space); a: what the layer emits (c, *grid); cells: where that lies; crops: the mean of what the layer emits over each
    crop (m, c), without crops nothing.
    """

    number: int
    name: str
    taken: int
    predicted: Predicted | None
    view: Thumbnail | None
    x: Floats
    a: Floats
    cells: Cells | None
    crops: Floats | None


@dataclass(frozen=True, eq=False)
class GatheredPhotos:
    """The photos that concepts are looked for in.

    layer: its name, as it is read; seen: how many photos were looked at; broken: of these, what could not be read.
    places: of the crops of each photo; notes: why there are not more, and what is odd about the layer.
    """

    photos: list[GatheredPhoto]
    layer: str
    seen: int
    broken: tuple[BrokenPhoto, ...]
    places: list[CropPlace]
    notes: tuple[str, ...]


@dataclass
class Gathering:
    """How photos are gathered: of which layer, for which classes, how many, with which crops."""

    model: Differentiable
    layer: str | None
    asked: Sequence[AskedClass]
    crops: float | None
    most: int
    seed: int

    def gathered(self, photos: Any) -> GatheredPhotos:
        """What is read of the photos, until there are enough.  Raises NotApplicable where too few are taken for the classes."""
        given, order = self._drawn(photo_set(self.model, photos))
        found, broken, notes = list[GatheredPhoto](), list[BrokenPhoto](), dict[str, None]()
        seen = place = held = 0
        of_batch = lambda each: 1 if isinstance(each, BrokenPhoto) else len(each.numbers)  # noqa: E731
        for each in shown(given.batches(self.model), given.count or 0, "reading photos", size=of_batch):
            seen += of_batch(each)
            if isinstance(each, BrokenPhoto):
                broken.append(each._replace(number=order(each.number)))
            else:
                for photo in self._read(each, place, order, notes):
                    if isinstance(photo, BrokenPhoto):
                        broken.append(photo)
                        continue
                    found.append(photo)
                    held += photo.x.nbytes + photo.a.nbytes
            place += of_batch(each)
            if ended := self._ended(found, held, seen, given.count):
                notes[ended] = None
                break
        found = found[: self.most]
        self._enough(found, seen - len(broken))
        axes = found[0].x.ndim - 1
        places = crop_places(self.crops, axes) if self.crops else []
        return GatheredPhotos(found, self.layer or "", seen, tuple(broken), places, tuple(notes))

    def _drawn(self, given: PhotoSet) -> tuple[PhotoSet, Callable[[int], int]]:
        """The photos of a set in a drawn order, where more are listed than are wanted; and which of the set each is."""
        listing = given.listing
        if listing is None or len(listing) <= self.most:
            return given, lambda number: number
        order = np.random.default_rng(self.seed).permutation(len(listing))
        drawn: Listing = replace(listing, names=[listing.names[i] for i in order], classes=[listing.classes[i] for i in order])
        return PhotoSet((), drawn), lambda number: int(order[number])

    def _ended(self, found: Sequence[GatheredPhoto], held: int, seen: int, count: int | None) -> str:
        """Why no more photos are read, in words; "" where they are."""
        of = f"{seen:,} of {count:,}" if count else f"{seen:,}"
        if stop_asked():
            return f"stopped early: {of} photos were looked at"
        if len(found) > self.most or (len(found) == self.most and seen != count):
            return f"{of} photos were looked at, until there were {self.most}; most= (--most) takes more"
        if held > ROOM:
            return f"{of} photos were looked at: what the layer emits of them fills {ROOM / 2**30:.0f} GiB"
        return ""

    def _enough(self, found: Sequence[GatheredPhoto], seen: int) -> None:
        if len(found) >= FEWEST:
            return
        if not self.asked[0].classes or len(found) == seen:
            raise NotApplicable(f"There are {len(found)} photos, and concepts take {FEWEST} at least: give more.")
        classes = ", ".join(each.words for each in self.asked)
        are = f"{len(found)} of {seen} photos {'is' if len(found) == 1 else 'are'} taken for {classes}"
        raise NotApplicable(
            f"{are}, and concepts take {FEWEST} at least: give more photos of it, a group of classes (AnyOf('dog')), or "
            "every=True for all photos, whatever they are taken for.",
            typed=f"{are}, and concepts take {FEWEST} at least: give more photos of it, a group of classes (-t any:dog), or "
            "--every for all photos, whatever they are taken for.",
        )

    def _read(
        self, each: PhotoBatch, place: int, order: Callable[[int], int], notes: dict[str, None]
    ) -> Iterator[GatheredPhoto | BrokenPhoto]:
        """Those of a batch that are taken for the classes; broken are those of which the layer makes no numbers."""
        batch, model = each.batch, self.model.beside(place, len(each.batch.x))
        answer = model.answer(batch.x)
        taken, known = taken_for(answer), np.all(answer.scores < np.inf, axis=1)  # of NaN it is False, too
        for i in np.flatnonzero(~known).tolist():
            error = NotFinite(f"{printable(batch.names[i], 200)}: its scores hold NaN or infinity.")
            yield BrokenPhoto(order(each.numbers[i]), batch.names[i], error)
        kept = [i for i in range(len(taken)) if known[i] and any(asked.tells(int(taken[i])) for asked in self.asked)]
        if not kept:
            return
        if self.layer is None:
            default = model.default(batch.x)
            if default is None:
                raise BadParameter(f"{model.name} has no layer that still has space; name one: layer=...")
            self.layer = default[0]
        emitted, said = model.activations(batch.x, [self.layer])
        self.layer = [*emitted][-1]  # of several calls the last
        notes.update(dict.fromkeys(said.get(self.layer, ())))
        a, x = numbers(emitted[self.layer]), numbers(batch.x)
        case = Case(model, batch.x, [Top()], [self.layer], shared=())
        cells = case.cells(self.layer, a.shape[2:])
        for i in kept:
            crops = self._crops(x[i], place + i) if self.crops else None
            if not np.isfinite(a[i]).all() or (crops is not None and not np.isfinite(crops).all()):
                yield BrokenPhoto.odd(order(each.numbers[i]), batch.names[i], self.layer)
                continue
            yield GatheredPhoto(
                order(each.numbers[i]), batch.names[i], int(taken[i]), _predicted(answer, i, model.labels), _view(batch, i),
                x[i].copy(), a[i].copy(), cells, crops,
            )  # fmt: skip

    def _crops(self, x: Floats, place: int) -> Floats:
        """The mean over space of what the layer emits for each crop of the image at a place: (m, c)."""
        places, means = crop_places(self.crops or 1.0, x.ndim - 1), list[Floats]()
        model = self.model.beside(place, 1)
        together = model.at_once(x.shape[1:]) if model is self.model else 1  # other inputs of this image are for one at a time
        for start in range(0, len(places), together):
            crops = np.stack([cropped(x, place) for place in places[start : start + together]])
            a = numbers(model.activations(crops, [str(self.layer)])[0][str(self.layer)])
            means.append(a.reshape(*a.shape[:2], -1).mean(2))
        return np.concatenate(means)


def _predicted(answer: Answer, i: int, labels: Any) -> Predicted | None:
    return None if answer.probabilities is None else Predicted.of(answer.probabilities[i], labels)


def _view(batch: Batch, i: int) -> Thumbnail | None:
    """The part of a photo that the network saw, of more pixels than it saw; None of what is no photo."""
    photo, box = batch.photos[i], batch.known_box(i)
    if not isinstance(photo, Photo) or not isinstance(box, Extent | Turned):
        return None
    return Thumbnail.of(box.cut(photo.pixels), VIEW)
