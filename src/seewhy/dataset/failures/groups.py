"""Groups of failures that look alike to the network, what they are called, what they cost, and the right ones next to them."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from seewhy.dataset.photo_rows import PhotoRow
from seewhy.inside.embeddings.vectors import unit

from .gathering import GatheredRun, confidence, cost
from .grouping import FEWEST, OUTSIDE, Grouping, grouping
from .naming import TraitDifference, differences

NEAREST = 4  # photos that were answered right, beside a group
TYPICAL = 3  # confusions of a group that are told


@dataclass(frozen=True)
class FailureGroup:
    """Failures in which the network saw alike.

    number: 1 for the most costly; cost: the sum of the probabilities of their wrong answers, or of what unsure ones lack to 1.
    differs: in what they differ from the photos that were answered right; nothing, where that is not told from chance.
    confusions: (truth, answer, how often), the most frequent.
    photos: the most typical first; nearest: photos that were answered right in which the network saw what is most like it.
    """

    number: int
    cost: float
    differs: tuple[TraitDifference, ...]
    confusions: tuple[tuple[str, str, int], ...]
    photos: tuple[PhotoRow, ...] = field(repr=False)
    nearest: tuple[PhotoRow, ...] = field(repr=False)

    @property
    def name(self) -> str:
        """In words that people know; "" where nothing differs."""
        return ", ".join(one.word for one in self.differs[:3])


@dataclass(frozen=True)
class FailureGroups:
    """What the failures of a run have in common.

    all: in what all of them differ from the photos that were answered right.
    groups: the most costly first.  outside: failures in no group.  why: why there are no groups, in words; "" where there are.
    silhouette, chance: how well the groups are apart, and the best of 19 sets without groups; None where there are none.
    """

    all: tuple[TraitDifference, ...]
    groups: tuple[FailureGroup, ...]
    outside: tuple[PhotoRow, ...] = field(repr=False)
    why: str = ""
    silhouette: float | None = None
    chance: float | None = None


def unsure_groups(run: GatheredRun, seed: int = 0) -> FailureGroups:
    """Of photos without truth: groups among the quarter with the least sure answers, named by what differs from the others.

    An answer costs what its probability lacks to 1.
    """
    least = sorted(run.untold, key=lambda photo: (confidence(photo), photo.item))[: len(run.untold) // 4]
    others = {photo.item for photo in run.untold} - {photo.item for photo in least}
    halves = replace(
        run, wrong=tuple(sorted(least, key=lambda photo: photo.item)),
        right=tuple(photo for photo in run.untold if photo.item in others),
    )  # fmt: skip
    return failure_groups(halves, seed, lacking, "unsure answers")


def lacking(photos: Iterable[PhotoRow]) -> float:
    """What the probabilities of answers lack to 1, in all."""
    return float(sum(1 - confidence(photo) for photo in photos))


def failure_groups(
    run: GatheredRun, seed: int = 0, costs: Callable[[Iterable[PhotoRow]], float] = cost, what: str = "wrong answers"
) -> FailureGroups:
    """Groups among the wrong answers by the map-weighted features, each named by what differs from the right ones.

    costs: of photos; what: their answers are, in words.
    """
    known = [photo for photo in run.wrong if seen(photo) is not None]
    length = Counter(len(_seen(photo)) for photo in known).most_common(1)
    photos = [photo for photo in known if len(_seen(photo)) == length[0][0]]
    found = grouping(np.array([_seen(photo) for photo in photos]), seed) if len(photos) >= FEWEST else None
    members = [] if found is None else _members(photos, found)
    told = differences([run.wrong, *members], run.right)
    same = [_seen(photo) for photo in (*photos, *run.right) if photos and len(_seen(photo)) == length[0][0]]
    usual = unit(np.array(same)).mean(0) if same else np.zeros(0)
    made = [_group(run, some, tuple(differs), usual) for some, differs in zip(members, told[1:], strict=True)]
    groups = [replace(group, cost=costs(group.photos)) for group in made]
    groups = sorted(groups, key=lambda group: (-group.cost, group.photos[0].item))
    grouped = {photo.item for group in groups for photo in group.photos}
    outside = tuple(photo for photo in run.wrong if photo.item not in grouped)
    if found is None:
        return FailureGroups(tuple(told[0]), (), outside, _why(run, photos, what))
    numbered = tuple(replace(group, number=place) for place, group in enumerate(groups, 1))
    return FailureGroups(tuple(told[0]), numbered, outside, "", found.silhouette, found.chance)


def seen(photo: PhotoRow) -> NDArray[np.float32] | None:
    """What the network looked at for its answer (c,), by the first method that tells."""
    return next((one.seen for one in photo.maps if one.target == "top" and one.seen is not None), None)


def _seen(photo: PhotoRow) -> NDArray[np.float32]:
    vector = seen(photo)
    return np.zeros(0, np.float32) if vector is None else vector


def _why(run: GatheredRun, photos: Sequence[PhotoRow], what: str) -> str:
    if not run.wrong and run.judgements:
        return "nothing was answered wrong"
    if len(photos) < FEWEST:
        without = "" if len(photos) == len(run.wrong) else f", of which the run has features of {len(photos)}"
        return f"{len(run.wrong)} {what}{without} are too few to look for groups ({FEWEST} or more)"
    return "what the network saw in them falls into groups no better than chance does"


def _members(photos: Sequence[PhotoRow], found: Grouping) -> list[list[PhotoRow]]:
    labels = [label for label in np.unique(found.labels).tolist() if label != OUTSIDE]
    return [[photo for photo, own in zip(photos, found.labels, strict=True) if own == label] for label in labels]


def _group(
    run: GatheredRun, photos: Sequence[PhotoRow], differs: tuple[TraitDifference, ...], usual: NDArray[np.float64]
) -> FailureGroup:
    vectors = _apart(photos, usual)
    centre = vectors.mean(0)
    typical = [photos[place] for place in np.argsort(-(unit(vectors) @ centre), kind="stable")]
    pairs = Counter((run.named(photo.truth), run.name(photo.predicted.index)) for photo in typical if photo.predicted)
    return FailureGroup(
        0, 0.0, differs, tuple((*pair, count) for pair, count in pairs.most_common(TYPICAL)),
        tuple(typical), tuple(_nearest(run.right, centre, usual)),
    )  # fmt: skip


def _apart(photos: Sequence[PhotoRow], usual: NDArray[np.float64]) -> NDArray[np.float64]:
    """How what the network saw in photos differs from what it usually sees: (photos, c)."""
    return unit(np.array([_seen(photo) for photo in photos])) - usual


def _nearest(right: Sequence[PhotoRow], centre: NDArray[np.float64], usual: NDArray[np.float64]) -> list[PhotoRow]:
    """The photos answered right with the least angle to the middle of a group, both seen from what is usual: else those that
    are like the mean of all photos would be next to every group.
    """
    some = [photo for photo in right if len(_seen(photo)) == len(centre)]
    if not some:
        return []
    near = np.argsort(-(unit(_apart(some, usual)) @ centre), kind="stable")
    return [some[place] for place in near[:NEAREST]]
