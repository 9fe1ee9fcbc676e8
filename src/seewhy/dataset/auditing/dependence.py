"""Do facts of photos tell their class?  Ranks, and what chance gives where the classes are given to other photos."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seewhy.arrays import Floats
from seewhy.metrics.regional.chance import LEVEL
from seewhy.metrics.regional.search import FEWEST
from seewhy.printable import in_percent

from .facts import BACKGROUND, words_of_fact

DRAWS = 1999  # exchanges of the classes
TELLS = 0.75  # of pairs, one photo of the class and one of another, that the fact puts in one order: less is of no use


@dataclass(frozen=True)
class FactDependence:
    """How well a fact of photos tells those of a class from those of all others.

    own, others: its median over the class's photos and over all others; of a size or a format, the share that have it.
    told: of all pairs of a photo of the class and one of another, how many have the greater value in the class (ties count
        half): 0.5 where the fact says nothing, 1 and 0 where it tells them apart.
    p: how often the greatest of all classes and facts would stand out as far, were the classes given to other photos: it is
        adjusted for all of them.
    """

    explained: str
    fact: str
    photos: int
    own: float
    others: float
    told: float
    p: float

    @property
    def background(self) -> bool:
        """Is it a fact of the photo's rim, and not of its file?"""
        return self.fact in BACKGROUND

    @property
    def tells(self) -> bool:
        """Does the fact tell the class, well enough to be of use?"""
        return self.p <= LEVEL and abs(self.told - 0.5) >= TELLS - 0.5

    @property
    def facts(self) -> dict[str, Any]:
        """All of it by name, for JSON."""
        return asdict(self)

    def __str__(self) -> str:
        share = self.fact.startswith(("size ", "format "))
        own, others = (in_percent(value, 0) if share else f"{value:.4g}" for value in (self.own, self.others))
        middle = "" if share else "median "
        return (
            f"{words_of_fact(self.fact)}: {middle}{own} on {self.photos} photos, {others} on those of other classes; it tells "
            f"{in_percent(max(self.told, 1 - self.told), 0)} of pairs apart, adjusted p {self.p:.2g}"
        )


def dependences(
    table: Mapping[str, Floats], groups: Sequence[str], seed: int = 0, draws: int = DRAWS
) -> tuple[FactDependence, ...]:  # fmt: skip
    """Each class of 5 photos or more, beside as many others, and each fact, those that stand out most first.

    table: of each fact a number for each photo (n,), NaN where it is not known; groups: the class of each photo (n,).
    The statistic is the rank sum of the class in its standard errors; unknown values get the mean rank.
    Sources: Wilcoxon 1945, Individual comparisons by ranking methods; Westfall & Young 1993, Resampling-based multiple testing.
    """
    names, of = np.unique(np.asarray(groups), return_inverse=True)
    counts = np.bincount(of)
    asked = np.flatnonzero((counts >= FEWEST) & (len(of) - counts >= FEWEST))
    if not len(asked) or not table:
        return ()
    ranks = np.stack([_ranks(values) for values in table.values()], 1)  # (n, facts), of mean 0 and variance 1
    scale = _scale(counts, len(of))
    z = _sums(of, ranks, len(names)) / scale
    rng, beyond = np.random.default_rng(seed), np.zeros_like(z)
    for _ in range(draws):
        drawn = _sums(rng.permutation(of), ranks, len(names)) / scale
        beyond += abs(drawn[asked]).max() >= abs(z) - 1e-9
    p = (1 + beyond) / (1 + draws)
    found = list[tuple[float, FactDependence]]()
    for place in asked:
        own = of == place
        for column, (fact, values) in enumerate(table.items()):
            some, rest = (part[~np.isnan(part)] for part in (values[own], values[~own]))
            if len(some) and len(rest):
                middle = np.mean if fact.startswith(("size ", "format ")) else np.median
                told = FactDependence(
                    str(names[place]), fact, int(counts[place]), float(middle(some)), float(middle(rest)),
                    pairs_told(some, rest), float(p[place, column]),
                )  # fmt: skip
                found.append((-abs(z[place, column]), told))
    return tuple(each for _, each in sorted(found, key=lambda pair: pair[0]))


def pairs_told(some: Floats, rest: Floats) -> float:
    """Of all pairs, how many have the greater value in the first group; ties count half (Mann & Whitney 1947)."""
    ordered = np.sort(rest)
    below, upto = np.searchsorted(ordered, some, "left"), np.searchsorted(ordered, some, "right")
    return float((below + upto).mean() / (2 * len(rest)))


def _ranks(values: Floats) -> NDArray[np.float64]:
    """The ranks of values (n,), equal ones sharing theirs, scaled to a mean of 0 and a variance of 1; 0 for NaN."""
    known = ~np.isnan(values)
    _, inverse, counts = np.unique(values[known], return_inverse=True, return_counts=True)
    last = counts.cumsum()
    shared = ((last - counts + 1 + last) / 2)[inverse]
    ranks = np.zeros(len(values))
    ranks[known] = shared - shared.mean()
    return ranks / max(ranks.std(), 1e-12)


def _scale(counts: NDArray[np.intp], n: int) -> NDArray[np.float64]:
    """The standard deviation of the sum of ranks of variance 1 over groups drawn without replacement: (groups, 1)."""
    return np.sqrt(np.maximum(counts * (n - counts) / (n - 1), 1e-12))[:, None]


def _sums(of: NDArray[np.intp], ranks: Floats, groups: int) -> NDArray[np.float64]:
    """The sums over each group: (groups, facts)."""
    return np.stack([np.bincount(of, column, groups) for column in ranks.T], 1).astype(np.float64)
