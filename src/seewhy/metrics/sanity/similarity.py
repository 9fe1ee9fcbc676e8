"""How alike two maps of one grid are, and the mean of that over photos with its interval."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from seewhy.arrays import Floats
from seewhy.comparison.measures import flat, spearman
from seewhy.errors import MissingExtra
from seewhy.maps.heatmap import Heatmap
from seewhy.metrics.localization.resampling import middle, resampled
from seewhy.objects.scikit import skimage

WINDOW = 7  # cells along a side of SSIM's windows at most, as scikit-image has it
NAMES = ("spearman", "absolute", "ssim")
NO_SSIM = "no SSIM: it is scikit-image's; pip install 'seewhy[localize]'"


class Similarity(NamedTuple):
    """How alike two maps are; None where a number is not defined.

    spearman: the rank correlation of the signed values, -1 to 1; absolute: that of their absolute values; both None where a map
        is the same everywhere, for then it has no order.
    ssim: the structural similarity of the maps, each divided by its largest absolute value, -1 to 1; None also without
        scikit-image, and of grids that are less than three cells wide.
    Source: Adebayo et al. 2018, Sanity checks for saliency maps, sec. 4; SSIM: Wang et al. 2004, Image quality assessment.
    """

    spearman: float | None
    absolute: float | None
    ssim: float | None


def similarity(a: Floats, b: Floats) -> Similarity:
    """How alike two maps of the same shape (*space) are, on their own grid."""
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    return Similarity(spearman(a, b), spearman(np.abs(a), np.abs(b)), ssim(a, b))


def ssim(a: Floats, b: Floats) -> float | None:
    """The mean structural similarity over windows of 7 cells a side, or as many as the shorter side has (an odd number).

    Each map is divided by its largest absolute value first, so values lie between -1 and 1.
    """
    side = min(WINDOW, *a.shape)
    side -= 1 - side % 2
    if side < 3 or flat(a) or flat(b):
        return None
    try:
        structural = skimage("metrics").structural_similarity
    except MissingExtra:
        return None
    a, b = (values / np.abs(values).max() for values in (a, b))
    return float(structural(a, b, win_size=side, data_range=2.0))


def against_noise(maps: Sequence[Heatmap], seed: int) -> list[Similarity]:
    """The similarity of each map and one of normal noise on its grid: what chance gives."""
    return [similarity(m.values, np.random.default_rng([seed, m.place]).standard_normal(m.values.shape)) for m in maps]


@dataclass(frozen=True)
class Average:
    """A number over photos: each one's value (None where it is not defined), and their mean with its interval.

    interval: where, with 95 % confidence, the mean of other photos of the same kind lies, by the bootstrap over photos; None of
        fewer than two values.  Source: Efron 1979, Bootstrap methods.
    """

    values: tuple[float | None, ...]
    mean: float | None
    interval: tuple[float, float] | None

    @classmethod
    def of(cls, values: Sequence[float | None], seed: int = 0) -> "Average":
        """The average of the values that are defined; the interval rests on draws of that seed."""
        known = np.array([value for value in values if value is not None], np.float64)
        several = len(known) > 1
        interval = middle(resampled(known[:, None], seed)[:, 0] / len(known), len(known)) if several else None
        return cls(tuple(values), float(known.mean()) if len(known) else None, interval)

    @property
    def undefined(self) -> int:
        """How many photos have no value."""
        return sum(value is None for value in self.values)

    @property
    def facts(self) -> dict[str, Any]:
        low, high = self.interval or (None, None)
        return {"mean": self.mean, "low": low, "high": high, "undefined": self.undefined, "values": list(self.values)}

    def __str__(self) -> str:
        if self.mean is None:
            return "-"
        return f"{self.mean:.3f}" + ("" if self.interval is None else f" ({self.interval[0]:.2f} to {self.interval[1]:.2f})")


class Averages(NamedTuple):
    """The three similarities over photos."""

    spearman: Average
    absolute: Average
    ssim: Average

    @classmethod
    def of(cls, found: Sequence[Sequence[Similarity]], seed: int = 0) -> "Averages":
        """Of similarities by draw and photo: each photo has the mean over the draws that are defined; of a single photo the
        draws themselves are averaged, so that its interval is over the draws.
        """
        columns = []
        for name in NAMES:
            table = [[getattr(each, name) for each in of_draw] for of_draw in found]
            values = [mean_of(column) for column in zip(*table, strict=True)]
            columns.append(Average.of([row[0] for row in table] if len(values) == 1 else values, seed))
        return cls(*columns)

    @property
    def facts(self) -> dict[str, Any]:
        return {name: each.facts for name, each in self._asdict().items()}


def mean_of(values: Sequence[float | None]) -> float | None:
    """The mean of those that are defined; None where none is."""
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None
