"""Intervals by drawing the photos again: what a measure would be on other photos of the same kind."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from math import sqrt
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from seewhy.arrays import Floats
from seewhy.truth.accuracy import SURE, Portion

from .records import NO_THRESHOLD, ControlScore, LocalizationScore

MAPS = "maps"  # the rows that are scored; those of other names are controls
DRAWS, AT_ONCE, BLOCK = 1000, 50, 4096  # resamples; how many of them, and of how many photos, are summed at a time
Measure = Callable[[Floats], Floats]  # sums over photos (m, k) -> the measure of each (m,)


def resampled(rows: NDArray, seed: int = 0, draws: int = DRAWS) -> NDArray[np.float64]:
    """The sums of rows (n, k) over n photos drawn with replacement, `draws` times: (draws, k).

    Rows of as many photos under the same seed are drawn alike, so that differences are of the same photos.
    Source: Efron 1979, Bootstrap methods.
    """
    n, rng = len(rows), np.random.default_rng(seed)
    sums = np.zeros((draws, rows.shape[1]))
    for first in range(0, draws, AT_ONCE):
        some = sums[first : first + AT_ONCE]
        times = np.stack([np.bincount(rng.integers(0, n, n), minlength=n) for _ in some]).astype(np.float64)
        for start in range(0, n, BLOCK):
            some += times[:, start : start + BLOCK] @ rows[start : start + BLOCK].astype(np.float64)
    return sums


def middle(values: Floats, count: int) -> tuple[float, float]:
    """The 95 % interval that resamples of a measure of so many photos give, those that are no numbers left out.

    It is where 95 % of them lie, and more of them the fewer the photos: the share beyond either end is `tail`.  Of fewer than
    five photos it is too narrow all the same, for no resample lies beyond the photos' own numbers.
    """
    beyond = 100 * tail(count)
    low, high = np.nanpercentile(values, (beyond, 100 - beyond))
    return float(low), float(high)


def tail(count: int) -> float:
    """Which share of the resamples of `count` photos lies beyond either end of an interval that holds in 95 % of cases.

    0.025 of many photos; of few less, for resamples spread too little by sqrt((n - 1) / n), and how much photos spread is
    itself a guess: the normal distribution's share beyond sqrt(n / (n - 1)) times Student's quantile of n - 1 degrees of
    freedom.
    Source: Hesterberg 2015, What teachers should know about the bootstrap ("expanded percentile interval"); the quantile by
    its expansion, Abramowitz & Stegun 1964, 26.7.5, which is good to 0.3 % from five photos on.
    """
    if count < 2:
        return 0.0
    z, free = SURE, count - 1
    student = (
        z + (z**3 + z) / (4 * free) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * free**2)
        + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * free**3)
    )  # fmt: skip
    return NormalDist().cdf(-student * sqrt(count / free))


def score(
    name: str,
    rows: Mapping[str, NDArray],
    measure: Measure,
    supervision: str = NO_THRESHOLD,
    thresholds: Sequence[float] = (),
    seed: int = 0,
    measures: Mapping[str, Measure] | None = None,
) -> LocalizationScore:
    """A measure of the rows of the maps, with its bootstrap interval, beside the same of the rows of each control.

    rows: under "maps" and the names of the controls, (n, k): what each photo adds to the sums that the measure is made of.
    measures: of controls that have one of their own, such as one with a threshold of theirs.
    """
    own = {of: (measures or {}).get(of, measure) for of in rows}
    drawn = {of: own[of](resampled(some, seed)) for of, some in rows.items()}
    values = {of: float(own[of](some.sum(0, dtype=np.float64)[None])[0]) for of, some in rows.items()}
    count = len(rows[MAPS])
    controls = tuple(
        ControlScore(of, values[of], middle(drawn[of], count), middle(drawn[MAPS] - drawn[of], count))
        for of in rows
        if of != MAPS
    )
    return LocalizationScore(
        name, values[MAPS], middle(drawn[MAPS], count), count, controls, supervision, tuple(map(float, thresholds))
    )


def portion(
    name: str,
    hits: Mapping[str, NDArray],
    supervision: str = NO_THRESHOLD,
    seed: int = 0,
    thresholds: Sequence[float] = (),
) -> LocalizationScore:
    """The share of photos that were hit, (n,) of True and False each, with Wilson's interval, which holds at 0 and 1, too."""
    return mean(name, hits, supervision, seed, thresholds)


def mean(
    name: str,
    values: Mapping[str, NDArray],
    supervision: str = NO_THRESHOLD,
    seed: int = 0,
    thresholds: Sequence[float] = (),
) -> LocalizationScore:
    """The mean over photos, (n,) each; of values that are all 0 or 1 with Wilson's interval, as `portion`."""
    count = len(values[MAPS])
    rows = {of: np.asarray(some, np.float64)[:, None] for of, some in values.items()}
    found = score(name, rows, lambda sums: sums[:, 0] / count, supervision, thresholds, seed)
    wilson = {of: Portion(int(some.sum()), count).interval for of, some in rows.items() if np.isin(some, (0, 1)).all()}
    controls = tuple(each._replace(interval=wilson.get(each.name, each.interval)) for each in found.controls)
    return replace(found, interval=wilson.get(MAPS, found.interval), controls=controls)
