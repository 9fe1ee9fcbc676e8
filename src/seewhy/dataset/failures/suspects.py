"""Labels that are suspected to be wrong, by confident learning; its formula is cleanlab's, and is not written again."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from seewhy.dataset.photo_rows import PhotoRow

FEWEST = 5  # photos of a class, so that its mean confidence says something
MISSING = "cleanlab, which suspects labels, is not installed: `pip install cleanlab`, and make the report again"


@dataclass(frozen=True)
class SuspectedLabels:
    """Photos whose label is suspected, the surest first; why there are none to be told of, in words, "" where it was looked.

    asked: how many photos were looked at.
    """

    photos: tuple[PhotoRow, ...] = field(default=(), repr=False)
    asked: int = 0
    why: str = ""


def suspected_labels(photos: Sequence[PhotoRow]) -> SuspectedLabels:
    """Which labels are suspected, of photos with one true class, among classes with 5 photos or more.

    Source: Northcutt, Jiang & Chuang 2021, Confident learning: estimating uncertainty in dataset labels; as cleanlab has it
    (filter by "prune_by_noise_rate", ranked by self-confidence).  A run keeps the probabilities of the five likeliest classes
    and of the true one; what is left of 1 is spread evenly over the others.
    """
    sizes = Counter(photo.truth[0] for photo in photos if len(photo.truth) == 1)
    classes = sorted(index for index, count in sizes.items() if count >= FEWEST)
    asked = [photo for photo in photos if len(photo.truth) == 1 and sizes[photo.truth[0]] >= FEWEST]
    if len(classes) < 2:
        return SuspectedLabels(why=f"fewer than two classes have {FEWEST} photos or more, by which labels could be suspected")
    try:
        # here, for it is optional
        from cleanlab.filter import find_label_issues  # pyright: ignore[reportMissingImports]
    except ModuleNotFoundError:
        return SuspectedLabels(why=MISSING)
    labels = np.array([classes.index(photo.truth[0]) for photo in asked])
    found = find_label_issues(labels, class_probabilities(asked, classes), return_indices_ranked_by="self_confidence", n_jobs=1)
    return SuspectedLabels(tuple(asked[int(place)] for place in found), len(asked))


def class_probabilities(photos: Sequence[PhotoRow], classes: Sequence[int]) -> NDArray[np.float64]:
    """The probabilities of these classes, as far as a run keeps them, each row summing to 1: (photos, classes)."""
    rows = np.empty((len(photos), len(classes)))
    for row, photo in zip(rows, photos, strict=True):
        known = {one.index: one.probability for one in photo.top}
        if photo.true_probability is not None and len(photo.truth) == 1:
            known[photo.truth[0]] = photo.true_probability
        unknown = [index for index in classes if index not in known]
        left = max(0.0, 1 - sum(known.values())) / max(1, len(unknown))
        row[:] = [known.get(index, left) for index in classes]
        row[:] = row / row.sum() if row.sum() > 0 else 1 / len(classes)
    return rows
