"""Linear models whose metrics can be worked out on paper."""

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
        if calls is not None:
            calls.append(len(batch))
        of_classes = weights[None] if weights.ndim == batch.ndim - 2 else weights
        return batch.sum(1).reshape(len(batch), -1).astype(np.float64) @ of_classes.reshape(len(of_classes), -1).T

    return seewhy.wrap(function, takes="float", scores=scores)
