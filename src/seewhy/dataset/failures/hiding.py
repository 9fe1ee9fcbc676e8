"""Hide it: does the answer change?  The evidence of an answer blurred away, and beside it as much at a random place."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from seewhy.dataset.photo_rows import PhotoRow
from seewhy.errors import SeewhyError
from seewhy.images.photo import read
from seewhy.images.places import Extent
from seewhy.maps.source import Predicted
from seewhy.metrics.regional.frames import SIDE
from seewhy.photo_sets.reading import read_bytes
from seewhy.pictures.stretching import stretch

from .gathering import confidence
from .naming import tests
from .reasons import PiledPlace, WrongReasons, frame

HIDDEN = 0.2  # of what the network saw, the places with the strongest evidence
BLUR = 8  # the radius of the blur is this part of the shorter side
MOST = 200  # photos that are checked


@dataclass(frozen=True)
class HiddenEvidence:
    """What the network answers without its evidence, and without as much of the photo at a random place.

    what: "evidence", the strongest fifth, or "place", where the evidence of its class piles up.
    area: of what the network saw, that was hidden.
    """

    item: int
    what: str
    area: float
    before: Predicted
    without: Predicted
    random: Predicted
    right: bool  # is the answer without it a true one?

    @property
    def changed(self) -> bool:
        return self.without.index != self.before.index

    @property
    def changed_by_chance(self) -> bool:
        return self.random.index != self.before.index


@dataclass(frozen=True)
class HiddenChecks:
    """What came of hiding.  done: was it asked for, with the model?  failed: photos that could not be asked again, and why."""

    done: bool = False
    found: tuple[HiddenEvidence, ...] = ()
    failed: tuple[tuple[PhotoRow, str], ...] = field(default=(), repr=False)

    def of(self, item: int) -> HiddenEvidence | None:
        """What came of hiding a photo's evidence."""
        return next((one for one in self.found if one.item == item), None)

    @staticmethod
    def p(found: Sequence[HiddenEvidence]) -> float:
        """How likely so unequal a split between answers that changed by one alone and by the other alone would be by chance.

        Source: McNemar 1947, Note on the sampling error of the difference between correlated proportions, its exact form.
        """
        one = sum(each.changed and not each.changed_by_chance for each in found)
        other = sum(each.changed_by_chance and not each.changed for each in found)
        if not one + other:
            return 1.0
        return float(tests().binomtest(one, one + other).pvalue)


def to_check(wrong: Sequence[PhotoRow], reasons: WrongReasons) -> list[PhotoRow]:
    """The photos that are asked again: right ones with their evidence off the object or at a place, and the surest mistakes."""
    placed = [photo for place in reasons.places for photo in place.photos]
    sure = sorted(wrong, key=lambda photo: (-confidence(photo), photo.item))
    few = [*dict.fromkeys([*placed, *reasons.photos])][: MOST // 2]
    return [*dict.fromkeys([*few, *sure])][:MOST]


def hidden_checks(model: Any, photos: Sequence[PhotoRow], places: Sequence[PiledPlace] = (), seed: int = 0) -> Iterator[Any]:
    """Ask the model about each photo again: gives a HiddenEvidence, or (photo, why it could not be asked), one by one."""
    for photo in photos:
        try:
            yield _hidden(model, photo, places, np.random.default_rng([seed, photo.item]))
        except SeewhyError as error:
            yield photo, str(error)


def blurred(image: Image.Image, hidden: NDArray[np.bool_]) -> Image.Image:
    """The photo, blurred beyond recognition where `hidden` (h, w) says so."""
    colours = image.convert("RGB")
    soft = colours.filter(ImageFilter.GaussianBlur(min(image.size) / BLUR))
    return Image.composite(soft, colours, Image.fromarray((hidden * 255).astype(np.uint8)))


def strongest(evidence: NDArray[np.float32], share: float = HIDDEN) -> NDArray[np.bool_]:
    """The places with the strongest evidence of a frame (SIDE, SIDE), that share of them; fewer, where fewer have any."""
    count = round(share * evidence.size)
    order = np.argsort(-evidence, axis=None, kind="stable")[:count]
    chosen = np.zeros(evidence.size, np.bool_)
    chosen[order] = True
    return chosen.reshape(evidence.shape) & (evidence > 0)


def moved(hidden: NDArray[np.bool_], rng: np.random.Generator) -> NDArray[np.bool_]:
    """The same shape at a random place of the frame; what leaves it at one side comes back at the other."""
    down, across = (int(rng.integers(side // 4, side - side // 4 + 1)) for side in hidden.shape)
    return np.roll(hidden, (down, across), (0, 1))


def _hidden(model: Any, photo: PhotoRow, places: Sequence[PiledPlace], rng: np.random.Generator) -> HiddenEvidence:
    shown, image = photo.map(), read(read_bytes(photo.path), photo.path).pixels
    evidence = None if shown is None else frame(shown)
    if shown is None or evidence is None or photo.predicted is None or not isinstance(shown.box, Extent):
        raise SeewhyError("it has no map of a photo")
    place = next((place for place in places if photo in place.photos), None)
    chosen = strongest(evidence) if place is None else _boxes(place)
    masks = [on_pixels(mask, shown.box, image.size) for mask in (chosen, moved(chosen, rng))]
    before, without, random = answers(model, [image, *(blurred(image, mask) for mask in masks)])
    if before.index != photo.predicted.index:
        raise SeewhyError(f"the model now takes it for {before.label or before.index}: the photo or the model is another one")
    what = "evidence" if place is None else "place"
    return HiddenEvidence(photo.item, what, float(chosen.mean()), before, without, random, without.index in photo.truth)


def _boxes(place: PiledPlace) -> NDArray[np.bool_]:
    chosen = np.zeros((SIDE, SIDE), np.bool_)
    for box in place.pile.boxes:
        left, top, right, bottom = (round(edge * SIDE) for edge in box)
        chosen[top:bottom, left:right] = True
    return chosen


def on_pixels(mask: NDArray[np.bool_], box: Extent, size: tuple[int, int]) -> NDArray[np.bool_]:
    """Places of the frame as pixels of the photo of size (w, h), of which the network saw the part at `box`: (h, w)."""
    return stretch(mask.astype(np.float32), box, size) > 0.5


def answers(model: Any, images: Sequence[Image.Image]) -> list[Predicted]:
    """What the model takes images for.  Raises SeewhyError where it gives no classes."""
    found = list[Predicted]()
    for batch in model.batches([*images]):
        chances = model.answer(batch.x).probabilities
        said = [] if chances is None else [Predicted.of(np.asarray(row), model.labels) for row in chances]
        found += [one for one in said if one is not None]
    if len(found) < len(images):
        raise SeewhyError("the model gives no classes")
    return found
