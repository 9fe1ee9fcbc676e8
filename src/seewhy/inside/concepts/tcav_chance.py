"""What a concept has to be held against: concepts of random examples, which went through all that it went through."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .tcav_classifiers import Runs, Slopes, separations, slopes


class RandomConcepts(NamedTuple):
    """What TCAV says of concepts whose examples are random ones, each number the mean over a concept's runs: (count,) each."""

    score: NDArray[np.float64]
    alignment: NDArray[np.float64]

    @property
    def usual_scores(self) -> tuple[float, float]:
        """Between these the scores of 95 % of them lie."""
        return _usual(self.score)

    @property
    def usual_alignments(self) -> tuple[float, float]:
        """Between these the alignments of 95 % of them lie."""
        return _usual(self.alignment)

    def p(self, alignment: float) -> float:
        """How often one of them is aligned as far to that side, doubled for there are two: 2 / (count + 1) at least.

        Where the concept's examples are random ones, too, it is one of count + 1 of a kind, so that its p is 0.05 or less one
        time in twenty at most, whatever the network.  Runs are no draws of a concept, for they share its examples: a test over
        runs, as the paper's, is false far more often (docs/tcav.md).
        Source: Phipson & Smyth 2010, Permutation p-values should never be zero.
        """
        beyond = min(int((self.alignment >= alignment).sum()), int((self.alignment <= alignment).sum()))
        return min(1.0, 2 * (1 + beyond) / (len(self.alignment) + 1))

    def effect(self, alignment: float) -> float:
        """How far it lies from their mean, in their standard deviations."""
        spread = float(self.alignment.std(ddof=1))
        return (alignment - float(self.alignment.mean())) / spread if spread > 0 else 0.0


def _usual(values: NDArray[np.float64]) -> tuple[float, float]:
    low, high = np.quantile(values, [0.025, 0.975])
    return float(low), float(high)


def drawn(pool: NDArray[np.intp], n: int, runs: int, seed: int) -> Runs:
    """The random examples that each run holds a concept against: (runs, n) of the pool, no two of a run the same."""
    rng = np.random.default_rng([seed, n, 0])
    return np.stack([rng.choice(pool, n, replace=False) for _ in range(runs)])


def chance_concepts(
    gram: NDArray[np.float64], products: NDArray[np.float64], sizes: NDArray[np.float64], pool: NDArray[np.intp], n: int,
    runs: int, count: int, ridge: float, seed: int,
) -> RandomConcepts:  # fmt: skip
    """So many concepts of n examples of the pool, each held `runs` times against n of the others.

    gram, products, sizes, ridge: as `separations` and `slopes` take them.  The pool has at least 2 n.
    """
    rng = np.random.default_rng([seed, n, 1])
    orders = np.stack([rng.permutation(pool) for _ in range(count)])
    concepts = np.repeat(orders[:, :n], runs, axis=0)
    rest = np.repeat(orders[:, n:], runs, axis=0)
    others = rng.permuted(rest, axis=1)[:, :n]
    found: Slopes = slopes(separations(gram, concepts, others, ridge), products, sizes)
    return RandomConcepts(*(each.reshape(count, runs).mean(1) for each in (found.score, found.alignment)))
