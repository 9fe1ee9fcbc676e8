"""What failures have in common that a person can see: dark, blurred, small object; only what differs from the right ones."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seewhy.dataset.photo_rows import PhotoRow
from seewhy.errors import MissingExtra
from seewhy.holm import holm
from seewhy.metrics.regional.chance import LEVEL

FEWEST = 3  # photos of which a trait is known, on either side of a comparison
SEEN = 0.14  # how far `among` lies from 0.5 at least: a medium effect, half a standard deviation, which a person can see


@dataclass(frozen=True)
class Trait:
    """What can be measured of a photo, and the words for little and for much of it."""

    name: str
    little: str
    much: str
    unit: str  # "share", 0 to 1, or that of the numbers
    of: Callable[[PhotoRow], float | None]


@dataclass(frozen=True)
class TraitDifference:
    """A trait in which some photos differ from those that were answered right.

    word: what to call them by it; mean, right: the means of both; among: how likely one of these photos has more of it than one
    that was answered right, 0.5 where nothing differs; photos: of how many it is known; p: of both sides; adjusted: for all
    traits of all groups (Holm).
    """

    trait: str
    word: str
    unit: str
    mean: float
    right: float
    among: float
    photos: int
    p: float
    adjusted: float

    @property
    def told(self) -> bool:
        """Is it told from chance, and large enough to be seen?"""
        return self.adjusted <= LEVEL and abs(self.among - 0.5) >= SEEN


def _looks(name: str) -> Callable[[PhotoRow], float | None]:
    return lambda photo: photo.photo.get(name)


def _evidence(name: str) -> Callable[[PhotoRow], float | None]:
    """Of the map of the photo's answer."""

    def of(photo: PhotoRow) -> float | None:
        found = photo.map()
        return None if found is None else found.evidence.get(name)

    return of


TRAITS = (
    Trait("brightness", "dark", "bright", "share", _looks("brightness")),
    Trait("contrast", "low contrast", "high contrast", "share", _looks("contrast")),
    Trait("sharpness", "blurred", "full of fine detail", "share", _looks("sharpness")),
    Trait("saturation", "grey", "colourful", "share", _looks("saturation")),
    Trait("JPEG quality", "low JPEG quality", "high JPEG quality", "", _looks("jpeg_quality")),
    Trait("size of the photo", "few pixels", "many pixels", "pixels", lambda photo: photo.size and float(min(photo.size))),
    Trait("area of the object", "small object", "large object", "share", _evidence("object_area")),
    Trait("evidence on the object", "looks off the object", "looks at the object", "share", _evidence("on_object")),
    Trait("evidence at the border", "looks away from the border", "looks at the border", "share", _evidence("border")),
    Trait(
        "evidence in the strongest tenth",
        "looks at much of the photo",
        "looks at one spot",
        "share",
        _evidence("concentration"),
    ),
)


def differences(
    groups: Sequence[Sequence[PhotoRow]], right: Sequence[PhotoRow], traits: Sequence[Trait] = TRAITS
) -> list[list[TraitDifference]]:
    """Of each group of photos the traits in which it differs from the right ones, by the Mann-Whitney test; the surest first.

    A word is told where the difference is told from chance, and no smaller than a medium effect.

    All comparisons count as tests.  A trait that is known of fewer than 3 photos on either side, or is the same of all, is not
    compared.
    Sources: Mann & Whitney 1947, On a test of whether one of two random variables is stochastically larger than the other;
    McGraw & Wong 1992, A common language effect size statistic (`among`); Holm 1979.
    """
    reference = [_known(right, trait) for trait in traits]
    found = list[tuple[int, TraitDifference]]()
    for place, group in enumerate(groups):
        for trait, there in zip(traits, reference, strict=True):
            here = _known(group, trait)
            if min(len(here), len(there)) >= FEWEST and np.ptp(np.concatenate([here, there])) > 0:
                found.append((place, _compared(trait, here, there)))
    adjusted = holm([one.p for _, one in found]) if found else []
    told: list[list[TraitDifference]] = [[] for _ in groups]
    for (place, one), p in zip(found, adjusted, strict=True):
        told[place].append(TraitDifference(**{**vars(one), "adjusted": float(p)}))
    return [sorted((one for one in some if one.told), key=lambda one: (one.p, -abs(one.among - 0.5))) for some in told]


def _known(photos: Sequence[PhotoRow], trait: Trait) -> NDArray[np.float64]:
    values = [value for photo in photos if (value := trait.of(photo)) is not None]
    return np.array([value for value in values if np.isfinite(value)], np.float64)


def tests() -> Any:
    """SciPy's tests.  Raises MissingExtra where it is not installed."""
    try:
        from scipy import stats  # here, for it comes with an extra and takes long to import
    except ModuleNotFoundError:
        raise MissingExtra("SciPy, which tells differences from chance,", "dataset") from None
    return stats


def _compared(trait: Trait, here: NDArray[np.float64], there: NDArray[np.float64]) -> TraitDifference:
    statistic, p = tests().mannwhitneyu(here, there, alternative="two-sided")
    among = float(statistic) / (len(here) * len(there))
    word = trait.much if among > 0.5 else trait.little
    return TraitDifference(
        trait.name, word, trait.unit, float(here.mean()), float(there.mean()), among, len(here), float(p), float(p)
    )
