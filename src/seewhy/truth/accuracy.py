"""How many answers are right, how sure that is, and of which classes they are."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import NamedTuple

from seewhy.printable import in_percent

SURE = 1.959963984540054  # the 97.5th percentile of the normal distribution: intervals that hold in 95 % of cases


@dataclass(frozen=True)
class Judgement:
    """One answer beside the truth.

    classes: those that are right, one or more; answer: the class that the network took the photo for.
    rank: of the likeliest right class among all classes by their scores, 1 the first; None where it is not known, as of answers
        that are right.
    """

    classes: tuple[int, ...]
    answer: int
    rank: int | None = None

    @property
    def right(self) -> bool:
        return self.answer in self.classes


class Portion(NamedTuple):
    """So many of so many."""

    part: int
    of: int

    @property
    def share(self) -> float:
        return self.part / self.of

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's interval: where, with 95 % confidence, the portion lies among all photos of which these were drawn.

        Source: Wilson 1927, Probable inference, the law of succession, and statistical inference.
        """
        n, z = self.of, SURE
        middle = (self.part + z * z / 2) / (n + z * z)
        reach = z / (n + z * z) * sqrt(self.part * (n - self.part) / n + z * z / 4)
        return max(0.0, middle - reach), min(1.0, middle + reach)

    def __str__(self) -> str:
        low, high = self.interval
        return f"{in_percent(self.share)} ({self.part} of {self.of}; 95 % interval {in_percent(low)} to {in_percent(high)})"


def top(judgements: Sequence[Judgement], ranks: int = 1) -> Portion | None:
    """Of how many photos a right class is among the `ranks` first; None where there are none, or their ranks are not known."""
    wrong = [one.rank for one in judgements if not one.right]
    if not judgements or (ranks > 1 and None in wrong):
        return None
    among = sum(rank is not None and rank <= ranks for rank in wrong) if ranks > 1 else 0
    return Portion(len(judgements) - len(wrong) + among, len(judgements))


def by_class(judgements: Iterable[Judgement]) -> dict[int, Portion]:
    """Of each class the portion of its photos that were answered right; a photo of several classes counts for each."""
    right, all_ = Counter[int](), Counter[int]()
    for one in judgements:
        all_.update(one.classes)
        right.update(one.classes if one.right else ())
    return {index: Portion(right[index], all_[index]) for index in sorted(all_)}


def confusions(judgements: Iterable[Judgement]) -> list[tuple[tuple[int, ...], int, int]]:
    """Wrong answers: the right classes, the answer, and how often; the most frequent first."""
    pairs = Counter((one.classes, one.answer) for one in judgements if not one.right)
    return [(classes, answer, count) for (classes, answer), count in pairs.most_common()]
