"""Does a map's evidence lie on the object?  The pointing game, mass and rank accuracy, and evidence inside less area.

Source: Zhang et al. 2018, Top-down neural attention by excitation backprop (the pointing game, 15 pixels of tolerance);
Wang et al. 2020, Score-CAM (its energy-based form, the mass accuracy); Arras et al. 2022, CLEVR-XAI (mass and rank accuracy).
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seewhy.arrays import Floats
from seewhy.errors import BadParameter
from seewhy.images.places import Extent
from seewhy.maps.heatmap import Heatmap
from seewhy.pictures.stretching import Size
from seewhy.printable import quoted
from seewhy.truth.evidence import MarkedObject, evidence_share, object_in, seen

from .controls import CONTROLS, control
from .grids import on_grid, photo_size
from .records import LocalizationScore
from .resampling import MAPS, mean

TOLERANCE = 15.0  # pixels of the photo
NAMES = {
    "pointing": "pointing game, {tolerance:g} px", "strict": "pointing game, no tolerance", "mass": "mass accuracy (energy)",
    "rank": "rank accuracy", "beyond": "evidence inside less area",
}  # fmt: skip


class PlaceScoring:
    """Scores maps by boxes or masks of their objects, on each photo's own pixels, one photo after the other.

    tolerance: pixels by which the strongest place may lie beside the object.
    """

    def __init__(self, tolerance: float = TOLERANCE, seed: int = 0) -> None:
        if isinstance(tolerance, bool) or not isinstance(tolerance, int | float) or not 0 <= tolerance < np.inf:
            raise BadParameter(f"tolerance={quoted(tolerance)}: give a distance in pixels of the photo, 0 or more.")
        self.tolerance, self.seed = tolerance, seed
        self._values = defaultdict[str, defaultdict[str, list[float]]](lambda: defaultdict(list))

    def add(self, heatmap: Any, boxes: Any = None, mask: Any = None, photo: Size | None = None) -> dict[str, float]:
        """Score a map of a class by where its object lies, of which the network saw a part; gives the photo's own values.

        boxes: (x0, y0, x1, y1) in pixels of the photo, one or several; or mask: (h, w), not zero on the object.
        Raises BadParameter where they do not fit the photo, or nothing of the object was seen.
        """
        width, height = size = photo_size(heatmap, photo)
        marked = object_in(boxes, mask, (height, width), True)
        where = heatmap.box if isinstance(heatmap, Heatmap) else Extent(0, 0, width, height)
        part = seen(where, (height, width))
        if not (marked.inside[part] >= 0.5).any():
            raise BadParameter("Nothing of the object lies in what the network saw of the photo, so its map cannot be scored.")
        found = {MAPS: measures(on_grid(heatmap, None, photo), where, marked, self.tolerance)}
        number = len(self._values[MAPS]["mass"])
        found |= {name: measures(control(name, size, number), where, marked, self.tolerance) for name in CONTROLS}
        for name, measured in found.items():
            for key, value in measured.items():
                self._values[name][key].append(value)
        return found[MAPS]

    def part(self, kept: Sequence[int]) -> "PlaceScoring":
        """The scoring of some of the photos alone, by their places in the order in which they were added."""
        part = PlaceScoring(self.tolerance, self.seed)
        for name, of_name in self._values.items():
            for key, values in of_name.items():
                part._values[name][key] = [values[at] for at in kept]
        return part

    def scores(self) -> list[LocalizationScore]:
        """The mean over photos of each measure."""
        if not self._values.get(MAPS):
            raise BadParameter("There are no photos to score: add() them first.")
        return [mean(words.format(tolerance=self.tolerance), self._of(key), seed=self.seed) for key, words in NAMES.items()]

    def _of(self, key: str) -> Mapping[str, NDArray]:
        return {name: np.array(some[key]) for name, some in self._values.items()}


def measures(values: Floats, where: Any, marked: MarkedObject, tolerance: float = TOLERANCE) -> dict[str, float]:
    """All measures of one map (h, w), at the size of its photo; where: what the network saw of that.

    pointing, strict: does the strongest place lie on the object, or within the tolerance of it?  Of several equally strong, the
        share that does.  A map without positive evidence, or one that is the same everywhere, points nowhere: 0.
    mass: the share of the positive evidence that lies on the object, 0 where there is none; beyond: less the area.
    rank: of the strongest pixels, as many as the object has, the share that lies on it; of equally strong ones, all alike.
    Pixels that are marked as ignored count nowhere.
    """
    part = seen(where, values.shape)
    share, inside, own = evidence_share(values, where, marked), marked.inside[part] >= 0.5, values[part]
    counted = np.ones(own.shape, bool) if marked.ignored is None else ~marked.ignored[part]
    mass, inside = share.share or 0.0, inside & counted
    strongest = own[counted].max(initial=0)
    flat = strongest <= 0 or own[counted].min() == strongest
    places = np.argwhere((own == strongest) & counted)
    distances = np.full(1, np.inf) if flat else distance(places, inside)
    return {
        "pointing": float((distances <= tolerance).mean()), "strict": float((distances == 0).mean()), "mass": mass,
        "rank": rank_accuracy(own[counted], inside[counted]), "beyond": mass - share.area,
    }  # fmt: skip


def distance(places: NDArray[np.intp], inside: NDArray[np.bool_]) -> NDArray[np.float64]:
    """From each place, (n, 2) rows and columns, to the centre of the nearest pixel inside: (n,)."""
    if inside[tuple(places.T)].all():
        return np.zeros(len(places))
    edge = np.pad(inside, 1)
    within = edge[:-2, 1:-1] & edge[2:, 1:-1] & edge[1:-1, :-2] & edge[1:-1, 2:]
    rim = np.argwhere(inside & ~within)  # nearest to whatever lies outside
    nearest = [np.sqrt(((rim - place) ** 2).sum(1).min()) for place in places]
    return np.where(inside[tuple(places.T)], 0, nearest)


def rank_accuracy(values: Floats, inside: NDArray[np.bool_]) -> float:
    """Of the strongest of n values, as many as are inside, the share that is: (n,), (n,).

    Where equally strong values do not all belong to these, each counts in part.
    """
    count = int(inside.sum())
    if not count:
        return 0.0
    least = np.partition(values, -count)[-count]
    above, tied = values > least, values == least
    room = count - int(above.sum())
    return float((inside[above].sum() + room * inside[tied].mean()) / count)
