"""Whether a network is right as often as it says: the expected calibration error, and what it is made of."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seewhy.arrays import Floats
from seewhy.metrics.localization.resampling import resampled
from seewhy.truth.accuracy import Portion

BINS = 10  # of equal width
FEWEST = 20  # answers, below which nothing is said of calibration
DRAWS, ROOM = 1000, 2 * 10**7  # draws at most; answers that are drawn in all


@dataclass(frozen=True)
class CalibrationBin:
    """The answers with a probability above `low` and up to `high`: how sure the network was on average, and how often right."""

    low: float
    high: float
    confidence: float
    right: Portion


@dataclass(frozen=True)
class Calibration:
    """How well probabilities tell how often answers are right.

    ece: the expected calibration error, sum over bins of n_bin / n * abs(accuracy - confidence), 0 to 1; low, high: its 95 %
        interval (basic bootstrap over photos).
    confidence, accuracy: the means over all answers; over: the first less the second, above 0 of a network that is too sure.
    expected: the mean ECE of a network that is perfectly calibrated, on as many answers of these probabilities: no set of
        finitely many photos shows 0; p: how often such a one would show as large an ECE.
    bins: those that are not empty.

    Sources: Naeini, Cooper & Hauskrecht 2015, Obtaining well calibrated probabilities using Bayesian binning (the ECE); Guo et
    al. 2017, On calibration of modern neural networks (the same of a network's answer, and the reliability diagram); Bröcker &
    Smith 2007, Increasing the reliability of reliability diagrams (what a calibrated one would show).
    """

    ece: float
    low: float
    high: float
    confidence: float
    accuracy: float
    expected: float
    p: float
    bins: tuple[CalibrationBin, ...]

    @property
    def over(self) -> float:
        """Mean confidence less accuracy."""
        return self.confidence - self.accuracy


def calibration(probabilities: Floats, right: Sequence[bool] | NDArray[np.bool_], seed: int = 0) -> Calibration | None:
    """The calibration of answers given with these probabilities (n,), of which some were right (n,); None of fewer than 20."""
    chances, hits = np.asarray(probabilities, np.float64), np.asarray(right, np.bool_)
    n = len(chances)
    if n < FEWEST:
        return None
    place = np.clip(np.ceil(chances * BINS).astype(int) - 1, 0, BINS - 1)
    rows = np.zeros((n, BINS))
    rows[np.arange(n), place] = hits - chances  # n_bin * (accuracy - confidence) is the sum of these
    ece = float(abs(rows.sum(0)).sum() / n)
    draws = int(np.clip(ROOM // n, 100, DRAWS))
    again = abs(resampled(rows, seed, draws)).sum(1) / n
    low, high = 2 * ece - np.percentile(again, (97.5, 2.5))
    calibrated = _calibrated(chances, place, draws, seed)
    counts = np.bincount(place, minlength=BINS)
    sure, hit = np.bincount(place, chances, BINS), np.bincount(place, hits, BINS)
    bins = tuple(
        CalibrationBin(k / BINS, (k + 1) / BINS, float(sure[k] / counts[k]), Portion(int(hit[k]), int(counts[k])))
        for k in np.flatnonzero(counts).tolist()
    )
    p = (1 + int((calibrated >= ece - 1e-12).sum())) / (1 + draws)
    return Calibration(
        ece, max(0.0, float(low)), min(1.0, float(high)), float(chances.mean()), float(hits.mean()), float(calibrated.mean()),
        p, bins,
    )  # fmt: skip


def _calibrated(chances: Floats, place: NDArray[np.intp], draws: int, seed: int) -> NDArray[np.float64]:
    """The ECE of networks that are right as often as they say: (draws,)."""
    rng, n, found = np.random.default_rng([seed, 1]), len(chances), np.empty(draws)
    for draw in range(draws):
        gaps = (rng.random(n) < chances) - chances
        found[draw] = abs(np.bincount(place, gaps, BINS)).sum() / n
    return found
