"""Outputs that say which class it is, or where, and not how much speaks for it: class ids, masks, one-hot rows and maps.

Of a dense one a class has a share of a region: 1 in each cell that was decided for it, 0 elsewhere.  A share changes in steps,
so that it has no gradient.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seewhy.arrays import Array, numbers
from seewhy.errors import BadNetwork, BadParameter

from .dense import channel
from .target import Labels

SHARE = "share"  # the kind of score that is read of decisions
WORKS = "occlusion, rise, lime, kernel-shap, sobol and score-cam explain it; or wrap the network without its last step"

DECIDED = "{} gives {} and no scores: the map shows what changes the decision"


class Decisions(NamedTuple):
    """What was decided for one class, in an output (n, k, *where) of the untouched image."""

    what: str  # the output, in words
    of: int | None  # the class; None of a mask that stands for none
    read: Callable[[Array], Array]  # (n, k, *where) -> (n, *where): 1 where it was decided for the class, 0 elsewhere
    present: Sequence[int]  # the classes that were decided for somewhere


def whole_numbers(scores: Array) -> str:
    """The kind of numbers, where it is one that has no gradient, such as "bool" or "int64"; "" of real numbers."""
    return str(scores.dtype).removeprefix("torch.") if numbers(scores[:0]).dtype.kind in "biu" else ""


def as_floats(scores: Array) -> Array:
    """Whole numbers as real ones, which can be averaged; real ones as they are."""
    if not whole_numbers(scores):
        return scores
    return scores.astype(np.float64) if isinstance(scores, np.ndarray) else scores.float()


def why_no_gradient(what: str) -> str:
    """Why the score that is read of such an output has no gradient, and what to do."""
    return f"the network gives {what}: these change in steps and have no gradient; {WORKS}"


def decisions(
    scores: Array, of: Any, labels: Labels, aim: object, at: tuple[int, ...] | None = None
) -> Decisions | None:  # fmt: skip
    """How an output (n, k, *where) of the untouched image is read for a class `of`, where it holds decisions; None of scores.

    True and False, and whole numbers of which one alone is not zero, are masks: in several channels that of each class, in one
    that of what is meant where no class is named.  Other whole numbers in one channel are class ids, and so are real ones that
    are whole, where a class is named that no channel has.  at: a place whose class is meant where none is named.
    Raises BadParameter where class ids are asked for no class.
    """
    values, kind = numbers(scores)[0], whole_numbers(scores)
    if not kind and not _ids_in_floats(values, of):
        return None
    high = values.max()
    two_valued = kind == "bool" or bool(((values == 0) | (values == high)).all())
    if len(values) > 1:
        if not two_valued:
            return None  # scores that were rounded
        index = channel(of, scores, labels, aim)
        there = np.flatnonzero(values.reshape(len(values), -1).any(1))
        return Decisions(
            f"masks of {len(values)} classes ({kind})", index, lambda raw: _true(raw[:, index]), [*map(int, there)]
        )
    one = not labels or len(labels) == 1  # class, and that is the one of which this is the mask
    if two_valued and (of is None or (one and of == 0 and (kind == "bool" or labels))):
        return Decisions(f"a mask ({kind})", of, lambda raw: _true(raw[:, 0]), [0] * bool(high))
    if of is None and at is None:
        some = ", ".join(map(str, np.unique(values)[:6].tolist())) + (", ..." if len(np.unique(values)) > 6 else "")
        raise BadParameter(
            f"{aim}: the output holds the whole numbers {some} ({kind}). If these are classes, name one: Region(class). If "
            "they are amounts, make them real numbers: wrap(output=lambda out: out.float())."
        )
    wanted = int(of) if of is not None else int(values[(0, *(at or ()))])
    present = [int(i) for i in np.unique(values)]
    return Decisions(f"class ids ({kind or values.dtype})", wanted, lambda raw: as_floats(_ids(raw[:, 0]) == wanted), present)


def _ids_in_floats(values: NDArray[Any], of: Any) -> bool:
    """Are these real numbers (k, *where) class ids, as a class is named that no channel has?"""
    if len(values) > 1 or of is None or not np.isfinite(values).all():
        return False
    return bool((values >= 0).all()) and bool((values % 1 == 0).all()) and (values.max() > 1 or of >= 1)


def thresholded(scores: Array) -> bool:
    """Are these real numbers of an untouched image 0 or 1, and both, as behind a threshold or a hard one-hot?

    They are shares as they are, and may have a gradient (straight through).
    """
    values = numbers(scores)
    return bool(((values == 0) | (values == 1)).all()) and bool(values.any()) and not bool(values.all())


def _true(values: Array) -> Array:
    return as_floats(values != 0)


def _ids(values: Array) -> Array:
    """Class ids, of a kind of numbers that can be compared with any class."""
    return values.astype(np.int64) if isinstance(values, np.ndarray) else values.long()


def decided_scores(raw: Array, labels: Labels, name: str) -> tuple[Array, str]:
    """The scores (n, k) that whole numbers (n, k) of n images are, and in words what these are, where they are decisions; of
    class ids (n, 1) the classes are those of the labels.

    Raises BadNetwork, of a model of that name, where these are class ids of nobody knows how many classes.
    """
    kind = whole_numbers(raw)
    if raw.shape[1] == 1 and kind != "bool":
        if labels is None or len(labels) < 2:
            raise BadNetwork(
                f"{name} gives one whole number ({kind}) for each image. Is it a class? Then say how many there are, "
                'labels=[...], or give the part in front of its argmax. Is it an amount? Then say so, task="regression".'
            )
        ids = numbers(raw)
        return _like(ids.astype(np.int64) == np.arange(len(labels)), raw), f"class ids ({kind})"
    values = numbers(raw)
    one_hot = raw.shape[1] > 1 and bool(((values == 0) | (values == 1)).all()) and bool((values.sum(1) == 1).all())
    return as_floats(raw), f"one class for each image ({kind})" if one_hot else f"yes or no ({kind})" if kind == "bool" else ""


def _like(values: NDArray[Any], given: Array) -> Array:
    """Values as floats, as the same kind of array as what was given."""
    return values.astype(np.float64) if isinstance(given, np.ndarray) else given.new_tensor(values).float()
