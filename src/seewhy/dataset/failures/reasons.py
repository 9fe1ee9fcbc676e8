"""Right answers whose evidence lies where it should not: off the object, or piled up at one place of the frame."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seewhy.dataset.photo_rows import MapRow, PhotoRow
from seewhy.images.places import Extent
from seewhy.metrics.regional.frames import FRAME, SIDE, cell_shares
from seewhy.metrics.regional.photos import PhotoEvidence
from seewhy.metrics.regional.search import FEWEST, EvidencePile, piles, searchable
from seewhy.pictures.stretching import stretch
from seewhy.truth.accuracy import Portion

PILED = 8  # photos of a place that are told
SEARCHED, CLASSES = 1500, 50  # photos, and their most frequent classes, that are searched: more take minutes


@dataclass(frozen=True)
class PiledPlace:
    """A place of the frame where the evidence of a class piles up, and the photos with the most evidence there."""

    pile: EvidencePile
    photos: tuple[PhotoRow, ...] = field(repr=False)


@dataclass(frozen=True)
class WrongReasons:
    """Right answers that may be right for the wrong reason.

    off: of the right answers on whose object it is known how much of the evidence lies, those with less than the object's share
        of the area, which a map that knows nothing has; None where no boxes or masks are known.
    photos: these, the greatest shortfall first.
    places: where the search finds evidence of a class; searched: of how many classes it could; why: why it could of none.
    """

    off: Portion | None
    photos: tuple[PhotoRow, ...] = field(repr=False)
    places: tuple[PiledPlace, ...]
    searched: int
    why: str = ""


def wrong_reasons(right: Sequence[PhotoRow], every: Sequence[PhotoRow], seed: int = 0) -> WrongReasons:
    """What is suspicious about right answers; every: all photos, of whose maps of their answers places are searched."""
    short = [(photo, gap) for photo in right if (gap := shortfall(photo)) is not None]
    off = sorted(((photo, gap) for photo, gap in short if gap > 0), key=lambda one: (-one[1], one[0].item))
    found = to_search([one for place, photo in enumerate(every) if (one := photo_evidence(place, photo)) is not None], seed)
    classes = len(searchable(found))
    places = tuple(_placed(pile, found, every) for pile in (piles(found, seed) if classes else ()))
    why = "" if classes else f"no class is the answer to {FEWEST} photos or more, beside {FEWEST} of others"
    portion = Portion(len(off), len(short)) if short else None
    return WrongReasons(portion, tuple(photo for photo, _ in off), places, classes, why)


def to_search(evidence: Sequence[PhotoEvidence], seed: int = 0) -> list[PhotoEvidence]:
    """Of many photos some, drawn by chance; those of classes beyond the most frequent are others to these, each for itself."""
    drawn = np.random.default_rng(seed).permutation(len(evidence))[:SEARCHED]
    some = [evidence[place] for place in np.sort(drawn).tolist()]
    frequent = {name for name, _ in Counter(one.explained for one in some).most_common(CLASSES)}
    return [one if one.explained in frequent else replace(one, explained=f"photo {one.place}") for one in some]


def shortfall(photo: PhotoRow) -> float | None:
    """How much less of the evidence lies on the object than the object has of the area; None where that is not known."""
    shown = photo.map()
    if shown is None or (on := shown.evidence.get("on_object")) is None or (area := shown.evidence.get("object_area")) is None:
        return None
    return area - on


def frame(shown: MapRow) -> NDArray[np.float32] | None:
    """The evidence on what the network saw: (SIDE, SIDE); None of a map of which it is not known where it lies."""
    if not isinstance(shown.box, Extent):
        return None
    return np.maximum(stretch(shown.positive, FRAME, (SIDE, SIDE), shown.cells), 0)


def photo_evidence(place: int, photo: PhotoRow) -> PhotoEvidence | None:
    """Where the evidence of a photo's answer lies, as the search of places takes it."""
    shown = photo.map()
    if shown is None or photo.predicted is None or (found := frame(shown)) is None:
        return None
    explained = shown.label or f"class {photo.predicted.index}"
    return PhotoEvidence(photo.path, place, explained, photo.predicted.index, photo.truth, {}, cell_shares(found))


def _placed(pile: EvidencePile, evidence: Sequence[PhotoEvidence], every: Sequence[PhotoRow]) -> PiledPlace:
    def share(one: PhotoEvidence) -> float:
        cells: Any = one.cells
        return pile.share_of(cells)

    own = [one for one in evidence if one.explained == pile.explained and one.cells is not None]
    strongest = sorted(own, key=lambda one: (-share(one), one.place))
    return PiledPlace(pile, tuple(every[one.place] for one in strongest[:PILED]))
