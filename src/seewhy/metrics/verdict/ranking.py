"""Methods ranked by one criterion: means over photos, and whether a difference on the same photos is more than chance."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import ceil, isfinite, log2
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seewhy.holm import holm
from seewhy.metrics.localization.resampling import DRAWS, middle, resampled
from seewhy.metrics.regional.chance import LEVEL, sign_flips
from seewhy.truth.accuracy import Portion

CONTROLS = ("random-map", "centre")  # methods that know nothing of the network: what all others have to be ahead of
FEASIBLE = 100_000  # photos: more than that nobody shows a network to settle a tie
NONE = 1e-4  # of the largest of a criterion's values: smaller differences are rounding, and count as none
Values = Mapping[str, NDArray[np.float64]]  # by the method, (photos,), NaN where a number is not defined


@dataclass(frozen=True)
class PairedDifference:
    """How far one method lies ahead of another on the same photos, in the criterion's own units (positive: it is better).

    low, high: the 95 % interval by the bootstrap over photos; p: of sign flips, both sides, adjusted for all comparisons of the
    criterion (Holm); photos: on which both have a number; further: how many more photos would settle it if they were like
    these, None where it is settled or no feasible number would.
    """

    mean: float
    low: float
    high: float
    p: float
    photos: int
    further: int | None = None

    @property
    def settled(self) -> bool:
        """Is it more than chance?"""
        return self.p <= LEVEL and not self.low <= 0 <= self.high


@dataclass(frozen=True)
class MethodRank:
    """One method by one criterion.

    mean: over its photos, with its 95 % interval; first: is it the best that is no control?
    to_best, to_random, to_centre: how far it is ahead of the best (never by much), of the random map, and of the middle of the
    photo; None of those themselves, and where no photo has both.
    """

    method: str
    mean: float
    low: float
    high: float
    photos: int
    first: bool
    to_best: PairedDifference | None
    to_random: PairedDifference | None
    to_centre: PairedDifference | None = None

    @property
    def control(self) -> bool:
        return self.method in CONTROLS

    @property
    def tied(self) -> bool:
        """Is it not the best, and yet not told from it?"""
        return not self.first and self.to_best is not None and not self.to_best.settled

    @property
    def facts(self) -> dict[str, Any]:
        """All of it, by name, for JSON."""
        return {**asdict(self), "tied": self.tied, "control": self.control}


def ranked(values: Values, better: str, seed: int = 0) -> tuple[MethodRank, ...]:
    """The methods that have any number by this criterion, the best first; ties are told by `MethodRank.tied`.

    Source: Efron 1979 (bootstrap), Fisher 1935 (sign flips), Holm 1979.
    """
    sign = 1.0 if better == "higher" else -1.0
    known = {method: each for method, each in values.items() if np.isfinite(each).any()}
    means = {method: float(np.nanmean(each)) for method, each in known.items()}
    order = sorted(known, key=lambda method: -sign * means[method])
    best = next((method for method in order if method not in CONTROLS), None)
    to_best = differences({m: known[m] for m in known if m != best}, known.get(best or ""), sign, seed)
    own = {method: each for method, each in known.items() if method not in CONTROLS}
    to_random, to_centre = (differences(own, known.get(control), sign, seed) for control in CONTROLS)
    return tuple(
        MethodRank(
            method, means[method], *_mean_interval(known[method], seed), int(np.isfinite(known[method]).sum()), method == best,
            to_best.get(method), to_random.get(method), to_centre.get(method),
        )
        for method in order
    )  # fmt: skip


def _mean_interval(values: NDArray[np.float64], seed: int) -> tuple[float, float]:
    """That of the mean; of hits and misses, 1 and 0, Wilson's, which holds also where all are hits."""
    own = values[np.isfinite(values)]
    return Portion(int(own.sum()), len(own)).interval if np.isin(own, (0, 1)).all() else interval(own, seed)


def interval(values: NDArray[np.float64], seed: int = 0) -> tuple[float, float]:
    """The 95 % interval of the mean of the numbers that are defined, by the bootstrap over photos."""
    own = values[np.isfinite(values)]
    return middle(resampled(own[:, None], seed)[:, 0] / len(own), len(own))


def differences(
    values: Values, other: NDArray[np.float64] | None, sign: float = 1.0, seed: int = 0
) -> dict[str, PairedDifference]:
    """How far each method lies ahead of another on the same photos, their p adjusted together; those that share no photo with
    it are left out.
    """
    if other is None:
        return {}
    scale = max((float(np.nanmax(np.abs(each))) for each in (*values.values(), other)), default=0.0)
    pairs = {method: sign * (each - other) for method, each in values.items()}
    pairs = {method: np.where(np.abs(each) <= NONE * scale, 0, each)[np.isfinite(each)] for method, each in pairs.items()}
    pairs = {method: each for method, each in pairs.items() if len(each)}
    adjusted = holm([sign_flips(each, seed=seed) for each in pairs.values()]) if pairs else []
    found = dict[str, PairedDifference]()
    for (method, each), p in zip(pairs.items(), adjusted, strict=True):
        low, high = interval(each, seed)
        settled = PairedDifference(float(each.mean()), low, high, float(p), len(each))
        needed = None if settled.settled else further(each, len(pairs), NONE * scale)
        found[method] = PairedDifference(float(each.mean()), low, high, float(p), len(each), needed)
    return found


def further(pairs: NDArray[np.float64], tests: int = 1, least: float = 0.0) -> int | None:
    """How many more photos would settle a difference if its mean d and its deviation s stayed as they are: (z s / d)^2 in all.

    z: 1.96, for several tests the stricter one of Holm's first step.  At least 1, and as many as sign flips need to tell
    anything.  None where d is `least` or smaller, where a single photo tells no deviation, or where it would take more than
    `FEASIBLE`.
    """
    if len(pairs) < 2 or abs(pairs.mean()) <= least:
        return None
    z = NormalDist().inv_cdf(1 - LEVEL / 2 / tests)
    total = (z * pairs.std(ddof=1) / pairs.mean()) ** 2
    flips = 1 + ceil(log2(tests / LEVEL))  # of fewer photos no p is small enough
    return max(1, max(ceil(total), flips) - len(pairs)) if isfinite(total) and total <= FEASIBLE else None


def first_share(values: Values, better: str, among: tuple[str, ...], seed: int = 0) -> float | None:
    """In which share of resampled sets of photos one of `among` has the best mean of all these methods: how sure that is.

    On the photos on which all of them have a number; None where there is none.  Where several are best alike, one that is among
    them is enough.
    """
    sign = 1.0 if better == "higher" else -1.0
    table = np.stack([sign * each for each in values.values()], 1)
    table = table[np.isfinite(table).all(1)]
    if not len(table):
        return None
    sums = resampled(table, seed, DRAWS)
    own = sums[:, [method in among for method in values]].max(1)
    return float((own >= sums.max(1)).mean())
