"""How much of the evidence of one map lies elsewhere on another of the same shape."""

import numpy as np

from seewhy.arrays import Floats

PARTED = 0.48
"""The share of Grad-CAM's evidence that lies elsewhere on HiResCAM's map, from which on Grad-CAM is to be doubted.

Learned from the demo's `flat` network (`benchmarks/disagreement.py`): below it, HiResCAM is as good as never nearer to what
occlusion finds, above it in a third of all maps.
"""


def energy_shift(a: Floats, b: Floats) -> float:
    """The share of the positive evidence that lies elsewhere, from 0 (all where it was) to 1 (none of it).

    Half the sum of |p - q|, where p and q are the positive parts of the maps, each divided by its sum: the total-variation
    distance of the two, which is the least share of p that has to be carried elsewhere to make q of it.  The size of the
    values plays no part.  Where neither map has positive evidence nothing moved: 0; where one of them has, all of it: 1.
    Source: Levin, Peres & Wilmer 2017, Markov chains and mixing times, prop. 4.2.
    """
    p, q = (np.maximum(np.asarray(values, np.float64), 0) for values in (a, b))
    sums = p.sum(), q.sum()
    if not all(sums):
        return float(any(sums))
    return float(np.clip(np.abs(p / sums[0] - q / sums[1]).sum() / 2, 0, 1))
