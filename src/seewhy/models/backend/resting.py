"""Does a score rest on a layer, as other values in its place tell?"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seewhy.errors import BadNetwork, NotApplicable
from seewhy.models.model import INPUT


def rests(model: Any, x: NDArray[Any], weights: NDArray[Any], layer: str) -> bool:
    """Does a score of an image x (1, c, *space), the sum of its scores times weights (k,), change when other values stand in
    the layer\'s place?  True also where the framework puts none there.
    """
    answer = model.answer(x)
    with model.scoring(x, answer, inside=layer != INPUT) as scorer:
        try:
            run, a = (scorer, x) if layer == INPUT else ((tail := scorer.tail(x[0], layer)), tail.a[None])
        except NotApplicable:
            return True
        return any(_moved(run, a, change(a), weights) for change in CHANGES)


def _moved(run: Callable[[Any], NDArray[Any]], a: NDArray[Any], other: NDArray[Any], weights: NDArray[Any]) -> bool:
    try:
        before, behind = (np.nan_to_num(run(each.astype(a.dtype)) @ weights) for each in (a, other))
    except BadNetwork:  # values of which it knows nothing
        return False
    return not np.array_equal(before, behind)


def _noisy(a: NDArray[Any]) -> NDArray[Any]:
    return a + np.random.default_rng(0).normal(size=a.shape) * (3 * a.std() + 1)


CHANGES: tuple[Callable[[NDArray[Any]], NDArray[Any]], ...] = (
    np.zeros_like, np.negative, lambda a: np.flip(a, tuple(range(1, a.ndim))), _noisy, lambda a: _noisy(a) * 1000,
)  # fmt: skip
