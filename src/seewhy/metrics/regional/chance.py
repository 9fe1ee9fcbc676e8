"""What chance gives: one group of photos against the area of a region, and what several tests at once are worth."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from seewhy.arrays import Floats

DRAWS, ROOM = 9999, 2**21  # draws of signs at least; signs at once
EXACT = 13  # photos of which all signs are tried: 2^13 are fewer than the draws
LEVEL = 0.05  # of adjusted p values, below which something is told from chance
TIE = 1e-9  # of the largest sum: sums that differ by less are equal


def sign_flips(differences: Floats, draws: int = DRAWS, seed: int = 0) -> float:
    """How often the mean of differences (n,) would lie as far from 0 if each were as likely to have the other sign: p, of both
    sides; of all signs for n up to 13, else of so many that are drawn.

    Source: Fisher 1935, The design of experiments, sec. 21.
    """
    values = np.asarray(differences, np.float64)
    n, sums = len(values), abs(values).sum()
    least = abs(values.sum()) - TIE * sums
    if n <= EXACT:
        signs = 1 - 2.0 * (np.arange(2**n)[:, None] >> np.arange(n) & 1)
        return float((abs(signs @ values) >= least).mean())
    rng, beyond, size = np.random.default_rng(seed), 1, max(1, ROOM // n)  # 1: the signs as they are
    for first in range(0, draws, size):
        signs = 1 - 2.0 * rng.integers(0, 2, (min(size, draws - first), n), dtype=np.int8)
        beyond += int((abs(signs @ values) >= least).sum())
    return beyond / (draws + 1)


def enough_photos(counts: Sequence[int]) -> NDArray[np.bool_]:
    """Which of several groups of so many photos are enough for `sign_flips` to tell them from chance among all that are: (m,).

    Of n photos no p is less than 2 / 2^n; a group whose p could not fall below 0.05 over the number of tests is none of them.
    Which these are depends on the numbers of photos alone, so that it takes nothing from `holm`.
    Source: Tarone 1990, A modified Bonferroni method for discrete data.
    """
    least = 2.0 ** (1 - np.asarray(counts, np.float64))
    for tests in range(1, len(counts) + 1):
        enough = least <= LEVEL / tests
        if enough.sum() <= tests:
            return enough
    return np.zeros(len(counts), np.bool_)
