"""One pass over a run's photos: what is counted over all of them, and what is kept of them to be looked at."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from seewhy.dataset.photo_rows import PhotoRow
from seewhy.truth.accuracy import Judgement

MOST = 2000  # photos that are kept of the wrong, of the right, and of those without truth; of more these are drawn
NO_CLASS = "the network took it for no class: it is a regression, or its scores are no numbers"


@dataclass(frozen=True, eq=False)
class Failure:
    """A photo of which there is no map: why."""

    item: int
    path: str
    error: str


class Drawn:
    """Of a stream of photos MOST at most, each with the same chance to be among them; in their order.

    Source: Vitter 1985, Random sampling with a reservoir (algorithm R).
    """

    def __init__(self, most: int, seed: int) -> None:
        self.count, self._most, self._rng = 0, most, np.random.default_rng(seed)
        self._kept: list[PhotoRow] = []

    def add(self, photo: PhotoRow) -> None:
        """Take note of a photo."""
        self.count += 1
        if len(self._kept) < self._most:
            self._kept.append(photo)
        elif (place := int(self._rng.integers(self.count))) < self._most:
            self._kept[place] = photo

    @property
    def photos(self) -> tuple[PhotoRow, ...]:
        """Those that are kept, in the order of the run."""
        return tuple(sorted(self._kept, key=lambda photo: photo.item))


@dataclass(frozen=True, eq=False)
class GatheredRun:
    """A run's answers.

    count: photos with rows; judgements: of all photos whose truth is known; probabilities: of their answers (n,).
    unjudged: the probabilities of the answers to photos whose truth is not known (m,).
    wrong, right, untold: photos that are kept, without their embeddings; untold: those whose truth is not known.
    wrong_count: of all wrong answers, of which `wrong` are drawn.
    names: the labels of classes that occur, by index.
    copies: photos whose file is the very same as that of one before; contradicted: those of them that are said to show
        something else than it.
    """

    count: int
    judgements: tuple[Judgement, ...] = field(repr=False)
    probabilities: NDArray[np.float64] = field(repr=False)
    unjudged: NDArray[np.float64] = field(repr=False)
    wrong: tuple[PhotoRow, ...] = field(repr=False)
    right: tuple[PhotoRow, ...] = field(repr=False)
    untold: tuple[PhotoRow, ...] = field(repr=False)
    wrong_count: int
    failed: tuple[Failure, ...] = field(repr=False)
    names: dict[int, str] = field(repr=False)
    copies: int = 0
    contradicted: int = 0

    def name(self, index: int) -> str:
        """The label of a class, or its number where it has none."""
        return self.names.get(index) or f"class {index}"

    def named(self, classes: Iterable[int]) -> str:
        """The labels of the classes that a photo truly shows."""
        return " or ".join(self.name(index) for index in classes)


def gathered(photos: Iterable[PhotoRow], seed: int = 0, most: int = MOST) -> GatheredRun:
    """What a report needs of a run's photos."""
    kept = {name: Drawn(most, seed) for name in ("wrong", "right", "untold")}
    judgements, chances, unjudged = list[Judgement](), list[float](), list[float]()
    failed, names, count = list[Failure](), dict[int, str](), 0
    first, copies, contradicted = dict[str, tuple[int, ...]](), 0, 0  # the truth of each file
    for photo in photos:
        count += 1
        if photo.error is not None or photo.predicted is None:
            failed.append(Failure(photo.item, photo.path, photo.error or NO_CLASS))
            continue
        said = photo.predicted
        if photo.sha256 is not None:
            copies += photo.sha256 in first
            contradicted += {*first.setdefault(photo.sha256, photo.truth)} != {*photo.truth}
        names |= {one.index: one.label for one in (said, *photo.top) if one.label}
        names |= {index: label for index, label in zip(photo.truth, photo.truth_labels, strict=False) if label}
        if not photo.truth:
            unjudged.append(said.probability)
        else:
            judgements.append(Judgement(photo.truth, said.index, photo.true_rank))
            chances.append(said.probability)
        kind = "untold" if not photo.truth else "right" if judgements[-1].right else "wrong"
        kept[kind].add(replace(photo, embedding=None))
    return GatheredRun(
        count, tuple(judgements), np.array(chances, np.float64), np.array(unjudged, np.float64),
        kept["wrong"].photos, kept["right"].photos, kept["untold"].photos, kept["wrong"].count, tuple(failed), names,
        copies, contradicted,
    )  # fmt: skip


def confidence(photo: PhotoRow) -> float:
    """The probability that the network gave to its answer."""
    return 0.0 if photo.predicted is None else photo.predicted.probability


def cost(photos: Iterable[PhotoRow]) -> float:
    """What wrong answers cost: the sum of the probabilities with which they were given; a mistake at 90 % counts 0.9."""
    return float(sum(map(confidence, photos)))
