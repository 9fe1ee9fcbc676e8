"""How far a cell of a map sees around its place, and where it lies when the border of the image cuts a part of that off."""

from math import erfc, exp, pi, sqrt
from typing import NamedTuple

import numpy as np

from seewhy.arrays import Floats

FAINT = 1e-200  # the share of a sight, below which nothing of it is in the image


class Sight(NamedTuple):
    """How far a cell sees along one axis, in pixels: what it reads is spread around its centre as a bell curve is."""

    spread: float = 0.0  # the standard deviation; 0: all of it lies at the centre
    reach: float = 0.0  # how far it sees at most, to each side

    def times(self, scale: float) -> "Sight":
        """The same sight in pixels of which there are `scale` for each."""
        return Sight(self.spread * scale, self.reach * scale)

    def shown(self, centres: Floats, size: int) -> Floats:
        """The centres of what an image of `size` pixels shows of sights around `centres`; 0 is the centre of the first pixel.

        Where the border cuts nothing off, the centres are exactly those given.
        """
        return np.array([self._shown(float(centre), size) for centre in centres])

    def _shown(self, centre: float, size: int) -> float:
        low, high = max(-self.reach, -0.5 - centre), min(self.reach, size - 0.5 - centre)  # from the centre
        if self.spread == 0 or (low, high) == (-self.reach, self.reach):
            return centre
        a, b = low / self.spread, high / self.spread
        share = _share(a, b)
        if share < FAINT:
            return min(max(centre, -0.5), size - 0.5)
        return centre + self.spread * (exp(-a * a / 2) - exp(-b * b / 2)) / sqrt(2 * pi) / share


def _share(a: float, b: float) -> float:
    """The share of a normal distribution between a and b, exact in its tails as well."""
    if a >= b:
        return 0.0
    if b <= 0:
        a, b = -b, -a
    if a >= 0:
        return (erfc(a / sqrt(2)) - erfc(b / sqrt(2))) / 2
    return 1 - (erfc(-a / sqrt(2)) + erfc(b / sqrt(2))) / 2
