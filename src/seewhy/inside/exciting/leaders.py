"""The first of a ranking, kept while the ranked come by in batches: memory does not grow with their number."""

import numpy as np
from numpy.typing import NDArray


class Leaders:
    """For each of `targets` rankings the `count` greatest values so far, and what is to be known of all values.

    Of equal values the one with the greater tie-breaker ranks first, then the one that came first.  Values that are not finite
    rank nowhere.
    """

    def __init__(self, targets: int, count: int) -> None:
        self.values = np.full((targets, count), -np.inf)
        self.breakers = np.zeros((targets, count))
        self.numbers = np.full((targets, count), -1, np.intp)  # of the ranked; -1: there are not as many
        self.seen = np.zeros(targets, np.intp)
        self.sums = np.zeros(targets)
        self.least = np.full(targets, np.inf)

    def meet(self, values: NDArray[np.float64], breakers: NDArray[np.float64], numbers: NDArray[np.intp]) -> NDArray[np.intp]:
        """Rank further values (targets, n), with their tie-breakers, of those with these numbers (n,), which rise from call to
        call.

        Returns the pairs (target, place in the batch) that are among the greatest now: (pairs, 2).
        """
        finite, count = np.isfinite(values), self.values.shape[1]
        self.seen += finite.sum(1)
        self.sums += np.where(finite, values, 0).sum(1)
        self.least = np.minimum(self.least, np.where(finite, values, np.inf).min(1))
        ranked = np.concatenate([self.values, np.where(finite, values, -np.inf)], 1)
        ties = np.concatenate([self.breakers, np.where(finite, breakers, 0)], 1)
        known = np.concatenate([self.numbers, np.where(finite, numbers, -1)], 1)
        order = np.lexsort((-ties, -ranked), axis=1)[:, :count]
        self.values, self.breakers, self.numbers = (np.take_along_axis(each, order, 1) for each in (ranked, ties, known))
        targets, ranks = np.nonzero((order >= count) & (self.numbers >= 0))
        return np.stack([targets, order[targets, ranks] - count], 1)

    def mean(self, target: int) -> float:
        """The mean of all finite values; NaN of none."""
        return float(self.sums[target] / self.seen[target]) if self.seen[target] else float("nan")
