"""The share of evidence in a region, class by class and cell by cell of the confusion matrix, beside its share of the area."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seewhy.holm import holm
from seewhy.metrics.localization.resampling import middle, resampled
from seewhy.printable import in_percent
from seewhy.targets.target import Labels
from seewhy.truth.labels import named_classes

from .chance import DRAWS, LEVEL, enough_photos, sign_flips
from .photos import PhotoEvidence

ALL = "all classes"  # the group of all photos


@dataclass(frozen=True)
class RegionShare:
    """How much of the evidence of a group of photos lies in a region.

    explained: the class that the maps explain, or "all classes"; truth, predicted: of a cell of the confusion matrix, what its
        photos show and what they were taken for; empty of a class as a whole.
    share: of the evidence, the mean over photos; low, high: where, with 95 % confidence, it lies among all photos of which
        these were drawn, None of a single one.  area: of what the network saw, the region's part, the mean over photos.
    others: the mean share of the photos whose maps explain another class; None where there are none.
    p: how often chance would put the mean as far from the area, were each photo as likely to lie as far on the other side;
        adjusted: the same, where all groups and regions of the report count as tests (Holm).  None where the photos are too
        few for so many tests.
    """

    within: str
    explained: str
    truth: str
    predicted: str
    photos: int
    share: float
    low: float | None
    high: float | None
    area: float
    others: float | None
    p: float | None = None
    adjusted: float | None = None

    @property
    def who(self) -> str:
        """The group in words: a class, or what its photos show and were taken for."""
        if not self.truth:
            return self.explained
        return f"{self.truth}, right" if self.truth == self.predicted else f"{self.truth} taken for {self.predicted}"

    @property
    def times(self) -> float | None:
        """How many times more evidence lies there than on as much of the frame anywhere: share / area."""
        return self.share / self.area if self.area else None

    @property
    def verdict(self) -> str:
        """more, less (than its area, told from chance), unsure, or few (too few photos to tell)."""
        if self.adjusted is None:
            return "few"
        if self.adjusted > LEVEL:
            return "unsure"
        return "more" if self.share > self.area else "less"

    @property
    def facts(self) -> dict[str, Any]:
        """All of it by name, for a row of CSV or an object of JSON."""
        return {**asdict(self), "times": self.times, "verdict": self.verdict}

    def __str__(self) -> str:
        span = "" if self.low is None or self.high is None else f" ({in_percent(self.low)} to {in_percent(self.high)})"
        count = f"{self.photos} photo{'s' * (self.photos != 1)}"
        sure = "" if self.adjusted is None else f", adjusted p {self.adjusted:.2g}"
        area = f"{in_percent(self.area)} of the area"
        return f"{self.who}: {in_percent(self.share)}{span} of the evidence in {self.within}, {area}, {count}{sure}"


def region_shares(
    photos: Sequence[PhotoEvidence], regions: Sequence[str], labels: Labels, seed: int = 0
) -> tuple[RegionShare, ...]:  # fmt: skip
    """The share in each region of each class that was explained, of all together, and where truth is known of each cell of the
    confusion matrix that is not all there is of its class: all classes first, then those that have more than the area, then
    the others by what they have beyond it, and groups of too few photos last.
    """
    groups = [group for region in regions for group in _groups(photos, region, labels)]
    draws = max(DRAWS, 2 * round(len(groups) / LEVEL))  # so that the least p, of many tests too, can be told from chance
    rows, enough = [_row(group, seed) for group in groups], enough_photos([len(group.values) for group in groups])
    p = [sign_flips(group.values @ (1, -1), draws, seed) for group, some in zip(groups, enough, strict=True) if some]
    for place, own, adjusted in zip(enough.nonzero()[0], p, holm(p), strict=True):
        rows[place] = replace(rows[place], p=own, adjusted=float(adjusted))
    return tuple(sorted(rows, key=lambda row: (regions.index(row.within), _order(row))))


class _Group(NamedTuple):
    within: str
    explained: str
    truth: str
    predicted: str
    values: NDArray[np.float64]  # share and area of each photo: (n, 2)
    others: float | None


def _groups(photos: Sequence[PhotoEvidence], region: str, labels: Labels) -> Iterator[_Group]:
    """The classes, all of them together where they are several, and the cells that are not all of their class, or tell of a
    mistake.
    """
    values = {photo.place: (found.share, found.area) for photo in photos
              if (found := photo.shares.get(region)) is not None and found.share is not None}  # fmt: skip
    known = [photo for photo in photos if photo.place in values]
    members = defaultdict[tuple[str, str, str], list[PhotoEvidence]](list)
    for photo in known:
        members[photo.explained, "", ""].append(photo)
        if photo.truth and photo.predicted is not None:
            members[photo.explained, *_cell(photo.truth, photo.predicted, labels)].append(photo)
    if sum(not truth for _, truth, _ in members) > 1:
        yield _Group(region, ALL, "", "", np.array([values[photo.place] for photo in known], np.float64), None)
    for (explained, truth, predicted), some in members.items():
        if truth == predicted and truth and len(some) == len(members[explained, "", ""]):
            continue
        rest = [values[photo.place][0] for photo in known if photo.explained != explained]
        own = np.array([values[photo.place] for photo in some], np.float64)
        yield _Group(region, explained, truth, predicted, own, float(np.mean(rest)) if rest else None)


def _cell(truth: tuple[int, ...], predicted: int, labels: Labels) -> tuple[str, str]:
    """What a photo shows and what it was taken for, in words; of several true classes, that which the answer was."""
    return named_classes((predicted,) if predicted in truth else truth, labels), named_classes((predicted,), labels)


def _order(row: RegionShare) -> tuple[bool, bool, bool, float]:
    return row.explained != ALL, row.verdict != "more", row.verdict == "few", row.area - row.share


def _row(group: _Group, seed: int) -> RegionShare:
    own, count = group.values, len(group.values)
    share, area = own.mean(0).tolist()
    low, high = middle(resampled(own[:, :1], seed)[:, 0] / count, count) if count > 1 else (None, None)
    return RegionShare(*group[:4], count, share, low, high, area, group.others)
