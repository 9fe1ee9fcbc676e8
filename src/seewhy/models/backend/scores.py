"""From what a network gives, in numpy, to the scores that are explained, and back: their derivatives."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seewhy.arrays import softmax
from seewhy.models.model import GIVEN
from seewhy.targets.group import are_summed, slopes

Groups = Sequence[Sequence[int]]
TINY = np.finfo(float).tiny


def chances(raw: NDArray[Any], normalised: bool, task: str | None) -> NDArray[Any] | None:
    """The probabilities (n, k) of raw scores; None of a regression.

    normalised: they are probabilities already; task: one of "single-label", "multi-label", "regression", or None where the
    person has not said, which is a single label.
    """
    if task == "regression":
        return None
    if normalised:
        return raw
    return 1 / (1 + np.exp(-raw)) if task == "multi-label" else softmax(raw)


def scored(raw: NDArray[Any], explains: str, normalised: bool, task: str | None) -> NDArray[Any]:
    """The raw scores (n, k) as scores of the kind that is explained."""
    if explains not in ("probability", "log-probability"):
        return raw
    p = chances(raw, normalised, task)
    if p is None:
        return raw
    return p if explains == "probability" else np.log(np.maximum(p, TINY))


def cotangents(
    raw: NDArray[Any], weights: NDArray[Any], explains: str, normalised: bool, task: str | None, groups: Groups = ()
) -> NDArray[Any]:
    """The derivatives (t, n, k) of the explained scores, (scored * weights).sum(-1), by the raw scores (n, k).

    groups: of classes, whose scores the weights (t, n, g) are of, in place of those of the classes.
    """
    if groups:
        by_class = slopes(scored(raw, explains, normalised, task), groups, are_summed(explains, normalised))
        weights = np.einsum("tng,ngk->tnk", weights, by_class)
    p = None if explains in (GIVEN, "logits") else chances(raw, normalised, task)
    if p is None:
        return weights
    if normalised:
        return weights if explains == "probability" else weights / np.maximum(p, TINY)
    if task == "multi-label" or raw.shape[1] == 1:  # a sigmoid each
        return weights * (p * (1 - p) if explains == "probability" else 1 - p)
    if explains == "probability":
        return p * (weights - (weights * p).sum(-1, keepdims=True))
    return weights - p * weights.sum(-1, keepdims=True)
