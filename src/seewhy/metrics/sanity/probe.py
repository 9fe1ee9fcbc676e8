"""A linear head fitted to labels: multinomial logistic regression over features that stay as they are."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seewhy.arrays import Floats
from seewhy.errors import MissingExtra

PENALTY = 1e-4  # on the squares of the weights: without one, the fit of separable classes has no end
STEPS = 2000


class LinearHead(NamedTuple):
    """Scores are features @ weight.T + bias."""

    weight: NDArray[np.float64]  # (k, d)
    bias: NDArray[np.float64]  # (k,)
    right: float  # the share of the labels that it was fitted to which have the highest score


def fitted_head(features: Floats, labels: NDArray[np.integer], classes: int) -> LinearHead:
    """The head for which the mean cross-entropy of labels (n,), given features (n, d), plus PENALTY times the sum of its
    squared weights is least; these are weights of features of zero mean and unit deviation, so that it weighs all alike.

    Solved by SciPy's L-BFGS-B.  Raises MissingExtra without SciPy, which comes with scikit-image.
    """
    try:
        from scipy.optimize import minimize  # here, for it takes a while to import
    except ImportError:
        raise MissingExtra("SciPy, which fits a head to labels,", "localize") from None
    features = np.asarray(features, np.float64)
    mean, spread = features.mean(0), features.std(0)
    spread = np.where(spread > 0, spread, 1)
    x, n = (features - mean) / spread, len(features)
    is_label = np.eye(classes)[labels]

    def loss(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        head = flat.reshape(classes, -1)
        weight, bias = head[:, :-1], head[:, -1]
        scores = x @ weight.T + bias
        scores -= scores.max(1, keepdims=True)
        log_p = scores - np.log(np.exp(scores).sum(1, keepdims=True))
        short = (np.exp(log_p) - is_label) / n
        gradient = np.concatenate([short.T @ x + 2 * PENALTY * weight, short.sum(0)[:, None]], 1)
        return float(-(log_p * is_label).sum() / n + PENALTY * (weight**2).sum()), gradient.ravel()

    start = np.zeros(classes * (x.shape[1] + 1))
    found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": STEPS, "ftol": 1e-14, "gtol": 1e-8})
    head = found.x.reshape(classes, -1)
    weight = head[:, :-1] / spread
    bias = head[:, -1] - weight @ mean
    return LinearHead(weight, bias, float(((features @ weight.T + bias).argmax(1) == labels).mean()))
