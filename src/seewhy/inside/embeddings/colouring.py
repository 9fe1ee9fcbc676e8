"""What the colours of a map of photos mean: classes, right and wrong, or a number, safe for colour-blind eyes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seewhy.errors import NoSuchName, closest
from seewhy.pictures.scatter import CIRCLE, MARKS, PALETTE, TRIANGLE, PointMark

from .photo_table import NONE, EmbeddedPhotos

MOST = len(PALETTE) * len(MARKS)  # classes that have a mark of their own
TITLES = {"truth": "true class", "prediction": "predicted class", "error": "right or wrong",
          "confidence": "probability of the prediction", "true probability": "probability of the true class"}  # fmt: skip
WRONG, RIGHT, UNKNOWN = "wrong", "right", "truth not known"


class ColourClass(NamedTuple):
    """One kind of photo: in words, its mark, and how many there are of it."""

    name: str
    mark: PointMark
    photos: int


@dataclass(frozen=True, eq=False)
class Colouring:
    """What the photos of a map are coloured by.

    name: by which it is asked for; title: in words.
    classes, codes: of kinds of photos, those with a mark of their own, and for each photo its place among them (n,), -1 of any
        other kind; the rarest kinds are drawn last.  others: how many are of other kinds.
    values: of a number, for each photo (n,), NaN where it is not known; low, high: the ends of its colours.
    """

    name: str
    title: str
    classes: tuple[ColourClass, ...] = ()
    codes: NDArray[np.int32] | None = None
    others: int = 0
    values: NDArray[np.float32] | None = None
    low: float = 0.0
    high: float = 1.0


def colourings(photos: EmbeddedPhotos) -> list[Colouring]:
    """All that is known to colour by, the most telling first; one colour for all, where nothing is."""
    right = photos.right
    found = [_by_class(photos, by, photos.kinds(by)) for by in ("truth", "prediction") if (photos.kinds(by) != NONE).any()]
    if (right != NONE).any():
        found.append(_by_error(right))
    numbers = {"confidence": photos.probabilities, "true probability": photos.true_probabilities, **photos.measures}
    for name, values in numbers.items():
        if np.isfinite(values).any():
            found.append(_by_number(name, values))
    plain = ColourClass("photo", PointMark(PALETTE[0], CIRCLE), len(photos))
    return found or [Colouring("none", "all photos", (plain,), np.zeros(len(photos), np.int32))]


def colouring(photos: EmbeddedPhotos, name: str | None = None) -> Colouring:
    """The colouring of that name, or the first.  Raises NoSuchName, which names those that there are."""
    found = {each.name: each for each in colourings(photos)}
    if name is None:
        return next(iter(found.values()))
    key = {"label": "truth", "predicted": "prediction", "errors": "error"}.get(name, name)
    if key not in found:
        raise NoSuchName("colouring", name, closest(str(name), [*found]), f"Of these photos there are {', '.join(found)}.")
    return found[key]


def _by_class(photos: EmbeddedPhotos, by: str, kinds: NDArray[np.int32]) -> Colouring:
    """The most frequent classes have marks of their own, in the order of their numbers of photos."""
    indices, counts = np.unique(kinds[kinds != NONE], return_counts=True)
    order = np.lexsort((indices, -counts))[:MOST]
    classes = [
        ColourClass(photos.name(int(indices[at])), mark_of(place), int(counts[at])) for place, at in enumerate(order.tolist())
    ]
    places = {int(indices[at]): place for place, at in enumerate(order.tolist())}
    codes = np.array([places.get(kind, NONE) for kind in kinds.tolist()], np.int32)
    return Colouring(by, TITLES[by], tuple(classes), codes, int((codes == NONE).sum()))


def mark_of(place: int) -> PointMark:
    """The mark of the kind at that place: a colour, and after all colours another shape."""
    return PointMark(PALETTE[place % len(PALETTE)], MARKS[place // len(PALETTE) % len(MARKS)])


def _by_error(right: NDArray[np.int8]) -> Colouring:
    kinds: Sequence[tuple[str, PointMark, int]] = (
        (RIGHT, PointMark(PALETTE[0], CIRCLE), 1), (WRONG, PointMark(PALETTE[5], TRIANGLE), 0),
    )  # fmt: skip
    there = [(name, mark, value) for name, mark, value in kinds if (right == value).any()]
    codes = np.full(len(right), NONE, np.int32)
    for place, (_, _, value) in enumerate(there):
        codes[right == value] = place
    classes = tuple(ColourClass(name, mark, int((right == value).sum())) for name, mark, value in there)
    return Colouring("error", TITLES["error"], classes, codes, int((right == NONE).sum()))


def _by_number(name: str, values: NDArray[np.float32]) -> Colouring:
    known = values[np.isfinite(values)]
    shares = float(known.min()) >= 0 and float(known.max()) <= 1
    low, high = (0.0, 1.0) if shares else (float(known.min()), float(known.max()))
    return Colouring(
        name, TITLES.get(name, name.replace("_", " ")), values=values, low=low, high=high if high > low else low + 1
    )
