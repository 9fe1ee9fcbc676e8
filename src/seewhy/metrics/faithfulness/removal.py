"""Images of which the first places of an order are hidden: what deletion, insertion, ROAD and their like ask for."""

from collections.abc import Sequence
from hashlib import sha256
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seewhy.arrays import Floats, described
from seewhy.errors import BadParameter
from seewhy.metrics.faithfulness.imputation import imputed
from seewhy.metrics.subject import Subject, VariantScores

LINEAR = "linear"  # a fill: noisy linear imputation
NOISE = 0.01  # of it, in standard deviations of the image's values, which are about one where a network takes them normalised


def steps_of(places: int, steps: int) -> NDArray[np.intp]:
    """How many of so many places are changed after 0, 1, ... steps: (steps + 1,), evenly from none to all.

    Raises BadParameter of fewer than one step.
    """
    if not steps >= 1:
        raise BadParameter(f"steps={steps}: give a whole number from 1 on.")
    return np.unique(np.round(np.linspace(0, places, steps + 1)).astype(np.intp))


def hidden(subject: Subject, order: NDArray[np.intp], counts: Sequence[int] | NDArray[np.intp], fill: Any) -> VariantScores:
    """What the network says where the first of the places in `order` are hidden, for each of the counts.

    order: places of the image's grid, counted row by row.  fill: as `Subject.fill` takes it, or "linear": noisy linear
    imputation, which leaves nothing to interpolate from where all is hidden: that is the image's mean.
    The untouched image is not asked for again, nor what another metric asked in the same way; where all is hidden is asked
    for once for all maps of the image.
    """
    places, of = int(np.prod(subject.space)), np.asarray(counts)
    ends = {0: VariantScores(np.array([subject.score]), np.array([subject.probability]))}
    if (of == places).any():
        ends[places] = all_hidden(subject, fill)
    between = of[(of > 0) & (of < places)]
    rank = np.empty(places, np.intp)
    rank[order] = np.arange(places)

    def make(some: range) -> Floats:
        masks = (rank < between[some.start : some.stop, None]).reshape(-1, *subject.space)
        return _filled(subject, masks, fill)

    key = "hidden", sha256(order.tobytes()).hexdigest(), between.tobytes(), key_of(fill)
    inner = subject.asked(len(between), make, key) if len(between) else None
    scores, probabilities = np.empty(len(of)), np.empty(len(of))
    for count, said in ends.items():
        scores[of == count], probabilities[of == count] = said.scores[0], said.probabilities[0]
    if inner is not None:
        scores[(of > 0) & (of < places)], probabilities[(of > 0) & (of < places)] = inner
    return VariantScores(scores, probabilities)


def all_hidden(subject: Subject, fill: Any) -> VariantScores:
    """What the network says of the image that is all fill."""
    base = subject.fill("mean" if _is_linear(fill) else fill)
    return subject.asked(1, lambda _: base[None], ("all hidden", key_of(fill)))


def _filled(subject: Subject, masks: NDArray[np.bool_], fill: Any) -> Floats:
    if _is_linear(fill):
        return np.stack([imputed(subject.x, mask, NOISE * float(subject.x.std()), subject.rng("imputation")) for mask in masks])
    return np.where(masks[:, None], subject.fill(fill), subject.x)


def _is_linear(fill: Any) -> bool:
    return isinstance(fill, str) and fill == LINEAR


def key_of(fill: Any) -> Any:
    """What tells a fill from all others: of arrays and pictures their SHA-256."""
    return described(fill)
