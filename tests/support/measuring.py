"""Linear models whose metrics can be worked out on paper, and how many images they were asked for."""

from collections.abc import Callable
from typing import Any

import numpy as np

import seewhy

WEIGHTS = np.zeros((4, 4))
WEIGHTS[0] = 1  # the score counts the first row


def linear_model(weights: Any = WEIGHTS, scores: str | None = None, calls: list[int] | None = None) -> Any:
    """A function of prepared arrays: the sums of the images times weights (*space), or (k, *space) of k classes; each pass is
    noted in `calls` with how many images it had.
    """
    weights = np.asarray(weights, np.float64)

    def function(batch: np.ndarray) -> np.ndarray:
        of_classes = weights[None] if weights.ndim == batch.ndim - 2 else weights
        return batch.sum(1).reshape(len(batch), -1).astype(np.float64) @ of_classes.reshape(len(of_classes), -1).T

    return seewhy.wrap(function if calls is None else noting(function, calls), takes="float", scores=scores)


def noting(function: Callable[[np.ndarray], np.ndarray], calls: list[int]) -> Callable[[np.ndarray], np.ndarray]:
    """The function, which notes how many images each pass had; but for an image that comes by once more alone, by which seewhy
    finds out whether those that share a pass change each other.
    """
    seen: set[bytes] = set()

    def noted(batch: np.ndarray) -> np.ndarray:
        images = [image.tobytes() for image in batch]
        if len(images) > 1 or images[0] not in seen:
            calls.append(len(images))
        seen.update(images)
        return function(batch)

    noted.__name__ = "linear"
    return noted
