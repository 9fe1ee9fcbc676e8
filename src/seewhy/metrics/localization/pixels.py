"""How well maps find an object's pixels: PxAP, and IoU over thresholds, pooled over photos.

Source: Choe et al. 2020, Evaluating weakly supervised object localization methods right, section 3, and its released code.
"""

from collections import defaultdict
from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seewhy.arrays import Floats
from seewhy.errors import BadParameter
from seewhy.pictures.stretching import Size
from seewhy.truth.evidence import object_in

from .boxes import GRID
from .choosing import choosing
from .controls import CONTROLS, control
from .grids import grid_size, on_grid, photo_size, shares
from .records import LocalizationScore
from .resampling import MAPS, score


class PixelCurve(NamedTuple):
    """Of the pixels at or above each threshold, from the highest down, (t,) each: precision (NaN where there is none), recall,
    and their IoU with the objects.
    """

    thresholds: NDArray[np.float64]
    precision: NDArray[np.float64]
    recall: NDArray[np.float64]
    iou: NDArray[np.float64]


class PixelScoring:
    """Scores maps by masks, one photo after the other; of each photo it keeps some thirty thousand bytes.

    size: (w, h) of the grid that is counted on, onto which masks come by the nearest pixel, as in the released code; None: each
    photo's own pixels, so that large photos count for more.
    """

    def __init__(self, size: Size | None = (224, 224), thresholds: Sequence[float] = GRID, seed: int = 0) -> None:
        self.size, self.seed, self.thresholds = grid_size(size), seed, shares(thresholds)
        self._rows = defaultdict[str, list[NDArray[np.int32]]](list)

    def add(self, heatmap: Any, mask: Any, ignored: Any = None, photo: Size | None = None) -> None:
        """Score a map by the mask of its object: (h, w) of the photo's size, or a MarkedObject; not zero on the object.

        ignored: True where a pixel counts neither as object nor as anything else; what is marked as object counts all the same.
        Raises BadParameter where the mask does not fit the photo.
        """
        width, height = photo_size(heatmap, photo)
        given = object_in(None, mask, (height, width), True)
        inside, left_out = given.inside >= 0.5, given.ignored if ignored is None else np.asarray(ignored, bool)
        size = self.size or (width, height)
        truth = nearest(inside, size)
        counted = truth | ~nearest(left_out, size) if left_out is not None else np.ones(truth.shape, bool)
        number = len(self._rows[MAPS])
        own = on_grid(heatmap, size, photo)
        for name in (MAPS, *CONTROLS):
            values = own if name == MAPS else control(name, size, number)
            self._rows[name].append(self._counts(stretched(values), truth, counted))

    def _counts(self, values: Floats, truth: NDArray[np.bool_], counted: NDArray[np.bool_]) -> NDArray[np.int32]:
        """(2, bins): pixels of the object, and others, from each threshold to the next; the last bins hold 1 and more."""
        edges = np.append(self.thresholds, [1.0, 2.0, 3.0])
        return np.stack([np.histogram(values[counted & kind], edges)[0] for kind in (truth, ~truth)]).astype(np.int32)

    def scores(self, chosen_on: "float | PixelScoring | None" = 0.5) -> list[LocalizationScore]:
        """PxAP, which needs no threshold, and the pooled IoU at the best one.

        chosen_on: what that is chosen on: a share of the photos, which are then not scored by it; other photos; or None, the
            scored photos themselves.
        Raises BadParameter where nothing was added, or no pixel of any object.
        """
        if not self._rows.get(MAPS):
            raise BadParameter("There are no photos to score: add() them first.")
        rows = self._flat()
        if not rows[MAPS][:, : rows[MAPS].shape[1] // 2].any():
            raise BadParameter("No mask marks a pixel, so there is nothing to find. Are these the masks of the photos?")
        others = chosen_on._flat() if isinstance(chosen_on, PixelScoring) else chosen_on
        scored, by, words = choosing(rows, others, "masks", self.seed)
        at = {name: int(np.nanargmax(_curve(some.sum(0, dtype=np.int64)[None])[2][0])) for name, some in by.items()}
        measures = {name: partial(_iou_at, at=at[name]) for name in rows}
        some = {name: each[scored] for name, each in rows.items()}
        threshold = self._from_the_top()[at[MAPS]]
        return [
            score("PxAP", rows, pixel_average_precision, seed=self.seed),
            score(
                "pixel IoU", some, measures[MAPS], supervision=words, thresholds=[threshold], seed=self.seed, measures=measures
            ),
        ]

    def curves(self) -> dict[str, PixelCurve]:
        """Precision, recall and IoU over thresholds, of the maps and of each control."""
        found = {}
        for name, some in self._flat().items():
            precision, recall, iou = (part[0] for part in _curve(some.sum(0, dtype=np.int64)[None]))
            found[name] = PixelCurve(self._from_the_top(), precision, recall, iou)
        return found

    def _flat(self) -> dict[str, NDArray[np.int32]]:
        return {name: np.stack(some).reshape(len(some), -1) for name, some in self._rows.items()}

    def _from_the_top(self) -> NDArray[np.float64]:
        return np.append(self.thresholds, [1.0, 2.0])[::-1]


def stretched(values: Floats) -> NDArray[np.float64]:
    """A map from its least to its greatest value over 0 to 1; zeros where it is flat."""
    shifted = np.asarray(values, np.float64) - values.min()
    greatest = shifted.max()
    return shifted / greatest if greatest > 0 else np.zeros(shifted.shape)


def nearest(mask: NDArray[np.bool_], size: Size) -> NDArray[np.bool_]:
    """A mask (h, w) on a grid of `size` (w, h): of each new pixel the old one in which its upper left corner lies."""
    rows, columns = (np.arange(new) * old // new for old, new in zip(mask.shape, size[::-1], strict=True))
    return mask[np.ix_(rows, columns)]


def pixel_average_precision(sums: Floats) -> NDArray[np.float64]:
    """The area under precision over recall: (m, 2 * bins) counts of the object and of the rest -> (m,)."""
    precision, recall, _ = _curve(sums)
    steps = np.diff(recall, axis=1, prepend=0)
    return (np.where(np.isnan(precision), 0, precision) * steps).sum(1)


def _curve(sums: Floats) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Precision, recall and IoU from the highest threshold down: (m, bins) each."""
    true, false = np.moveaxis(np.asarray(sums, np.float64).reshape(len(sums), 2, -1)[..., ::-1].cumsum(2), 1, 0)
    whole, found = true[:, -1:], true + false
    precision = np.divide(true, found, out=np.full(true.shape, np.nan), where=found > 0)
    recall = np.divide(true, whole, out=np.full(true.shape, np.nan), where=whole > 0)
    union = whole + false
    return precision, recall, np.divide(true, union, out=np.full(true.shape, np.nan), where=union > 0)


def _iou_at(sums: Floats, at: int) -> NDArray[np.float64]:
    return _curve(sums)[2][:, at]
