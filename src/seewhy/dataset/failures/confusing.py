"""Which classes are taken for which others: the cells of the confusion matrix that matter."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from seewhy.dataset.photo_rows import PhotoRow
from seewhy.truth.accuracy import Judgement, Portion, by_class, confusions

from .gathering import GatheredRun, cost

CELLS = 12  # that are told


@dataclass(frozen=True)
class ConfusionCell:
    """Photos of one class that were taken for another.

    truth, answer: in words; count: how often; of: the same among the photos of the true class; back: how often photos of the
    answer's class were taken for this one.  photos: those that are kept, the surest mistake first; cost: of them.
    """

    truth: str
    answer: str
    count: int
    of: Portion
    back: int
    cost: float
    photos: tuple[PhotoRow, ...] = field(repr=False)


def confusion_cells(run: GatheredRun, most: int = CELLS) -> list[ConfusionCell]:
    """The confusions that matter: the most frequent first, of equals the most costly."""
    cells, totals = confusions(run.judgements), by_class(run.judgements)
    times = Counter(_pairs(run.judgements))
    kept = defaultdict[tuple[tuple[int, ...], int], list[PhotoRow]](list)
    for photo in run.wrong:
        if photo.predicted is not None:
            kept[photo.truth, photo.predicted.index].append(photo)
    found = [
        ConfusionCell(
            run.named(truth), run.name(answer), count, Portion(count, max(totals[index].of for index in truth)),
            sum(times[answer, index] for index in truth), cost(kept[truth, answer]),
            tuple(sorted(kept[truth, answer], key=lambda photo: (-cost([photo]), photo.item))),
        )
        for truth, answer, count in cells
    ]  # fmt: skip
    return sorted(found, key=lambda cell: (-cell.count, -cell.cost, cell.truth, cell.answer))[:most]


def _pairs(judgements: Sequence[Judgement]) -> list[tuple[int, int]]:
    """The true class and the answer of each mistake; of photos of several classes each counts."""
    return [(index, one.answer) for one in judgements if not one.right for index in one.classes]
