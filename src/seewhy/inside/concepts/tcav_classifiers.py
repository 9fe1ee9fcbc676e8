"""Linear classifiers between a concept's examples and others, many at once, from the inner products of all examples.

A ridge classifier's weights are a sum of its examples' activations, so all that is asked of it, its decisions, its length, the
slope of a score along it, follows from inner products: a run costs the same for a layer of 64 numbers and of 100,000.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Runs = NDArray[np.intp]  # (runs, examples): which examples each run takes, by their places in the Gram matrix
ROOM = 2**24  # numbers of the matrices that are inverted at once


class Separations(NamedTuple):
    """Classifiers of a concept's n examples against as many others, each of another run.

    sources: (r, 2n) the places of the examples, those of the concept first; weights: (r, 2n) of the examples, the sum of which
    is the vector; bias: (r,); length: (r,) of the vector.
    """

    sources: Runs
    weights: NDArray[np.float64]
    bias: NDArray[np.float64]
    length: NDArray[np.float64]


class Slopes(NamedTuple):
    """How the score of photos changes along the vectors of runs, each (r,).

    score: the share of photos whose score rises along the vector (Kim et al. 2018, eq. 2); magnitude: which share of the sizes
    of all slopes those that rise have; alignment: the mean cosine between the vector and the photos' gradients.
    """

    score: NDArray[np.float64]
    magnitude: NDArray[np.float64]
    alignment: NDArray[np.float64]


def separations(gram: NDArray[np.float64], concept: Runs, others: Runs, ridge: float) -> Separations:
    """The ridge classifier of each run: least squares on +1 for the concept and -1 for the others, with an intercept.

    gram: inner products of all examples (m, m); concept, others: (r, n) each.  ridge: the penalty on the squared length of the
    weights, in mean squared distances of a run's examples from their mean, so that it means the same at every layer.
    Source: Hoerl & Kennard 1970, Ridge regression.
    """
    at_once = max(1, ROOM // (2 * concept.shape[1] + 1) ** 2)
    parts = [
        _separations(gram, concept[first : first + at_once], others[first : first + at_once], ridge)
        for first in range(0, len(concept), at_once)
    ]
    return Separations(*(np.concatenate(each) for each in zip(*parts, strict=True)))


def _separations(gram: NDArray[np.float64], concept: Runs, others: Runs, ridge: float) -> Separations:
    sources = np.concatenate([concept, others], axis=1)
    inner = gram[sources[:, :, None], sources[:, None, :]]
    aims = np.append(_kinds(sources), 0.0)
    each = np.broadcast_to(aims[:, None], (len(sources), len(aims), 1))
    solved = np.asarray(np.linalg.solve(_systems(inner, ridge), each)[..., 0], np.float64)
    weights = solved[:, :-1]
    squared = np.einsum("ri,ri->r", weights, np.matmul(inner, weights[..., None])[..., 0])
    return Separations(sources, weights, solved[:, -1], np.sqrt(np.maximum(squared, 0)))


def told_unseen(gram: NDArray[np.float64], sources: Runs, ridge: float) -> NDArray[np.bool_]:
    """Whether each example of each run (r, 2n) is told right by the run's classifier without it, and without one example of the
    other kind, so that both kinds stay as many; in closed form, as though it were fitted n times more.

    Source: Cawley & Talbot 2004, Fast exact leave-one-out cross-validation of sparse least-squares support vector machines.
    """
    n, kinds = sources.shape[1] // 2, _kinds(sources)
    pairs = np.stack([np.arange(n), n + np.arange(n)], axis=1)
    inverse = np.linalg.inv(_systems(gram[sources[:, :, None], sources[:, None, :]], ridge))
    weights = inverse[:, :-1, :-1] @ kinds
    blocks = inverse[:, pairs[:, :, None], pairs[:, None, :]]  # (r, n, 2, 2)
    unseen = kinds[pairs] - np.linalg.solve(blocks, weights[:, pairs][..., None])[..., 0]
    return np.concatenate([unseen[:, :, 0] > 0, unseen[:, :, 1] < 0], axis=1)


def _kinds(sources: Runs) -> NDArray[np.float64]:
    """What the classifiers aim at for each example: (2n,)."""
    return np.repeat([1.0, -1.0], sources.shape[1] // 2)


def _systems(inner: NDArray[np.float64], ridge: float) -> NDArray[np.float64]:
    """The equations of each run (r, 2n + 1, 2n + 1) for the examples' weights, which sum to zero, and the bias."""
    m = inner.shape[1]
    spread = np.trace(inner, axis1=1, axis2=2) / m - inner.mean((1, 2))  # mean squared distance from the mean
    systems = np.ones((len(inner), m + 1, m + 1))
    systems[:, :m, :m] = inner
    systems[:, range(m), range(m)] += ridge * np.maximum(spread, np.finfo(float).tiny)[:, None]
    systems[:, m, m] = 0
    return systems


def slopes(found: Separations, products: NDArray[np.float64], sizes: NDArray[np.float64]) -> Slopes:
    """How the score changes along each vector.

    products: inner products of the photos' gradients with all examples (photos, m); sizes: of the gradients (photos,).  A photo
    whose gradient is zero counts as one whose score does not rise, with a cosine of zero.
    """
    along = np.stack([products[:, chosen] @ weights for chosen, weights in zip(found.sources, found.weights, strict=True)])
    rising = np.where(along > 0, along, 0).sum(1)
    both = np.abs(along).sum(1)
    measure = found.length[:, None] * sizes
    cosines = np.divide(along, measure, out=np.zeros_like(along), where=measure > 0)
    magnitude = np.divide(rising, both, out=np.full(len(both), 0.5), where=both > 0)
    return Slopes((along > 0).mean(1), magnitude, cosines.mean(1))
