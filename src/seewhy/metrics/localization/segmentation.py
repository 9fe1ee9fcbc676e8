"""How well label maps segment: mean IoU by one confusion matrix over all photos, void left out; and the best background
threshold of class maps.

Source: Everingham et al. 2010, The Pascal Visual Object Classes challenge; Ahn & Kwak 2018 and its released code (psa).
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seewhy.arrays import Floats, numbers
from seewhy.errors import BadParameter
from seewhy.truth.confusion import VOID, class_iou, confusion

from .choosing import choosing
from .controls import CONTROLS, control
from .grids import on_grid
from .records import LocalizationScore
from .resampling import MAPS, score

BACKGROUND = 0
STEPS = tuple(np.arange(0, 1, 0.01))  # thresholds of the background, as shares of a class map's greatest value
SMALL = 1e-5  # added to that, as in the released code of IRN


def mean_iou(common: Floats, predicted: Floats, true: Floats) -> Any:
    """The mean over classes, (..., classes) -> (...), of intersection over union: of the pixels that are of a class by both, by
    the prediction, and in truth.  A class that is nowhere, neither predicted nor true, is left out of the mean.
    """
    return _of_classes(class_iou(common, predicted, true))


class SegmentationScoring:
    """Scores label maps, one photo after the other; of each photo it keeps three numbers a class.

    classes: their names, the background first, or how many there are.  void: the label of pixels that are not counted.
    matrix: the confusion matrix of all photos, as `confusion` has it.
    """

    def __init__(self, classes: int | Sequence[str], void: int = VOID, seed: int = 0) -> None:
        self.names = [str(at) for at in range(classes)] if isinstance(classes, int) else [*map(str, classes)]
        self.void, self.seed, self.matrix = void, seed, np.zeros((len(self.names), len(self.names) + 1), np.int64)
        self._rows = defaultdict[str, list[NDArray[np.int64]]](list)

    def add(self, predicted: Any, true: Any) -> float:
        """Score one photo's label map (h, w) by the true one; gives the photo's own mean IoU.

        The controls have as many pixels of each class as the prediction, where a control is strongest.
        """
        labels, count = numbers(predicted), len(self.names)
        found = confusion(labels, true, count, self.void)
        self.matrix += found
        self._rows[MAPS].append(_sums(found))
        for name in CONTROLS:
            moved = _moved(labels, control(name, (labels.shape[1], labels.shape[0]), len(self._rows[MAPS]) - 1))
            self._rows[name].append(_sums(confusion(moved, true, count, self.void)))
        return float(mean_iou(*self._rows[MAPS][-1]))

    def scores(self, supervision: str = "as the predictions were made") -> list[LocalizationScore]:
        """The mean IoU, then the IoU of each class that is predicted or true anywhere.

        supervision: what people drew for the predictions, beyond labels of photos.
        """
        if not self._rows.get(MAPS):
            raise BadParameter("There are no photos to score: add() them first.")
        rows = {name: np.stack(some).reshape(len(some), -1) for name, some in self._rows.items()}
        count, found = len(self.names), rows[MAPS].sum(0).reshape(3, -1)
        if not found.any():
            raise BadParameter(f"Every pixel of the true label maps is void ({self.void}): there is nothing to score.")
        measures = {"mIoU": partial(_mean_of, classes=count)}
        measures |= {
            f"IoU, {self.names[at]}": partial(_one_of, at=at, classes=count) for at in range(count) if found[1:, at].any()
        }
        return [score(name, rows, measure, supervision, seed=self.seed) for name, measure in measures.items()]


class ThresholdCurve(NamedTuple):
    """A measure at each threshold, (t,) each."""

    thresholds: NDArray[np.float64]
    values: NDArray[np.float64]


class BackgroundScoring:
    """Scores class maps as label maps under every background threshold at once, one photo after the other.

    A pixel is of the class whose map, in shares of its own greatest value, is greatest there, or background where that is not
    above the threshold.  classes, void: as SegmentationScoring has them.  Of each photo it keeps 300 numbers a class.
    """

    def __init__(
        self, classes: int | Sequence[str], void: int = VOID, thresholds: Sequence[float] = STEPS, seed: int = 0
    ) -> None:  # fmt: skip
        self.classes = classes if isinstance(classes, int) else len(classes)
        self.void, self.seed, self.thresholds = void, seed, np.asarray(thresholds, np.float64)
        self._rows = defaultdict[str, list[NDArray[np.int32]]](list)

    def add(self, maps: Mapping[int, Any], true: Any) -> None:
        """Score the maps of one photo's classes, a Heatmap or an array by the number of its class, 1 or more, by the true label
        map (h, w).
        """
        truth = numbers(true)
        if odd := [at for at in maps if not isinstance(at, int | np.integer) or not 0 < at < self.classes]:
            raise BadParameter(f"There are classes 1 to {self.classes - 1}, and 0 is the background: there is no map of {odd}.")
        height, width = truth.shape
        size, number, indices = (width, height), len(self._rows[MAPS]), np.array([*maps], np.int64)
        values = [np.maximum(on_grid(each, size), 0) for each in maps.values()]
        self._rows[MAPS].append(self._swept([each / (each.max() + SMALL) for each in values], indices, truth))
        for name in CONTROLS:
            drawn = [control(name, size, number + at) for at in range(len(indices))]
            self._rows[name].append(self._swept([each / each.max() for each in drawn], indices, truth))

    def _swept(self, maps: Sequence[Floats], indices: NDArray[np.int64], truth: NDArray[Any]) -> NDArray[np.int32]:
        """(thresholds, 3, classes): pixels of each class by both, by the maps, in truth."""
        counted, steps, classes = truth != self.void, len(self.thresholds), self.classes
        right = truth[counted].astype(np.int64)
        if right.size and not 0 <= right.min() <= right.max() < classes:
            raise BadParameter(f"The true labels go from {right.min()} to {right.max()}: there are classes 0 to {classes - 1}.")
        totals = np.bincount(right, minlength=classes)
        sums = np.zeros((steps, 3, classes), np.int64)
        sums[:, 2] = totals
        sums[:, 0, BACKGROUND], sums[:, 1, BACKGROUND] = totals[BACKGROUND], totals.sum()
        if maps:
            stack = np.stack(maps)[:, counted]
            said, above = indices[stack.argmax(0)], np.searchsorted(self.thresholds, stack.max(0), "left")  # thresholds below
            counts = np.bincount((above * classes + said) * classes + right, minlength=(steps + 1) * classes * classes)
            table = counts.reshape(steps + 1, classes, classes)[::-1].cumsum(0)[::-1][1:]  # above threshold i, said, truly
            sums[:, 0, 1:] = np.einsum("tcc->tc", table)[:, 1:]
            sums[:, 1, 1:] = table.sum(2)[:, 1:]
            sums[:, 1, BACKGROUND] -= table.sum((1, 2))
            sums[:, 0, BACKGROUND] -= table[:, :, BACKGROUND].sum(1)
        return sums.astype(np.int32)

    def scores(self, chosen_on: "float | BackgroundScoring | None" = None) -> list[LocalizationScore]:
        """The mean IoU at the best threshold.

        chosen_on: what that is chosen on: a share of the photos, which are then not scored; other photos; or None: the scored
            photos themselves, as papers on weak supervision report their seeds.
        """
        if not self._rows.get(MAPS):
            raise BadParameter("There are no photos to score: add() them first.")
        rows = self._stacked()
        others = chosen_on._stacked() if isinstance(chosen_on, BackgroundScoring) else chosen_on
        scored, by, words = choosing(rows, others, "masks", self.seed)
        at = {name: int(np.argmax(self._means(some.sum(0, dtype=np.int64)[None]))) for name, some in by.items()}
        measures = {name: partial(self._at, at=at[name]) for name in rows}
        return [
            score(
                "mIoU, best background threshold", {name: some[scored].reshape(len(scored), -1) for name, some in rows.items()},
                measures[MAPS], supervision=words, thresholds=[self.thresholds[at[MAPS]]], seed=self.seed, measures=measures,
            )
        ]  # fmt: skip

    def curves(self) -> dict[str, ThresholdCurve]:
        """The mean IoU at each background threshold, of the maps and of each control."""
        return {
            name: ThresholdCurve(self.thresholds, self._means(some.sum(0, dtype=np.int64)[None])[0])
            for name, some in self._stacked().items()
        }

    def _stacked(self) -> dict[str, NDArray[np.int32]]:
        return {name: np.stack(some) for name, some in self._rows.items()}

    def _means(self, sums: Floats) -> NDArray[np.float64]:
        """(m, thresholds, 3, classes), also flat -> (m, thresholds)."""
        common, predicted, true = np.moveaxis(sums.reshape(len(sums), len(self.thresholds), 3, -1), 2, 0)
        return mean_iou(common, predicted, true)

    def _at(self, sums: Floats, at: int) -> NDArray[np.float64]:
        return self._means(sums)[:, at]


def _sums(matrix: NDArray[np.int64]) -> NDArray[np.int64]:
    """(3, classes): pixels of each class by both, by the prediction, in truth."""
    square = matrix[:, :-1]
    return np.stack([square.diagonal(), square.sum(0), matrix.sum(1)])


def _moved(labels: NDArray[Any], strength: Floats) -> NDArray[Any]:
    """As many pixels of each label, all but the background where `strength` is greatest, in the order of their numbers."""
    order = np.argsort(-strength, axis=None, kind="stable")
    moved = np.full(labels.size, BACKGROUND, labels.dtype)
    foreground = np.sort(labels[labels != BACKGROUND], axis=None)
    moved[order[: len(foreground)]] = foreground
    return moved.reshape(labels.shape)


def _of_classes(shares: Floats) -> Any:
    known = ~np.isnan(shares)
    count = known.sum(-1)
    total = np.where(known, shares, 0).sum(-1)
    return np.divide(total, count, out=np.full(np.shape(total), np.nan), where=count > 0)[()]


def _mean_of(sums: Floats, classes: int) -> Floats:
    return mean_iou(*np.moveaxis(sums.reshape(len(sums), 3, classes), 1, 0))


def _one_of(sums: Floats, at: int, classes: int) -> Floats:
    return class_iou(*np.moveaxis(sums.reshape(len(sums), 3, classes), 1, 0))[:, at]
