"""Were two models right on the same photos alike often?  The exact test for pairs."""

from dataclasses import dataclass
from math import exp, lgamma, log

import numpy as np
from numpy.typing import NDArray

from seewhy.metrics.localization.resampling import middle, resampled
from seewhy.truth.accuracy import Portion


@dataclass(frozen=True)
class PairedAnswers:
    """How many of the same photos two models get right.

    both, fixed, broken, neither: right by both; by B alone; by A alone; by neither.
    difference: the share that B gets right less that of A; low, high: its 95 % interval over photos; None of one photo.
    p: how often photos that one of them alone gets right would be parted as unevenly, were either as likely (McNemar, exact).
    """

    both: int
    fixed: int
    broken: int
    neither: int
    low: float | None
    high: float | None
    p: float

    @classmethod
    def of(cls, a: NDArray[np.bool_], b: NDArray[np.bool_], seed: int = 0) -> "PairedAnswers":
        """a, b: which photos each gets right (n,), one at least."""
        gains = b.astype(np.float64) - a
        fixed, broken = int((gains > 0).sum()), int((gains < 0).sum())
        low, high = middle(resampled(gains[:, None], seed)[:, 0] / len(a), len(a)) if len(a) > 1 else (None, None)
        return cls(int((a & b).sum()), fixed, broken, int((~a & ~b).sum()), low, high, mcnemar(fixed, broken))

    @property
    def photos(self) -> int:
        """How many there are."""
        return self.both + self.fixed + self.broken + self.neither

    @property
    def before(self) -> Portion:
        """What A gets right."""
        return Portion(self.both + self.broken, self.photos)

    @property
    def after(self) -> Portion:
        """What B gets right."""
        return Portion(self.both + self.fixed, self.photos)

    @property
    def difference(self) -> float:
        """By how much the share of right answers grew, -1 to 1."""
        return (self.fixed - self.broken) / self.photos


def mcnemar(fixed: int, broken: int) -> float:
    """The two-sided p of so many pairs of either kind, were each kind as likely: by the binomial distribution, exactly.

    Source: McNemar 1947, Note on the sampling error of the difference between correlated proportions or percentages.
    """
    n, least = fixed + broken, min(fixed, broken)
    tail = sum(exp(lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1) - n * log(2)) for k in range(least + 1))
    return min(1.0, 2 * tail)
