"""Sets of vectors: their lengths, their principal axes, which lie next to which."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seewhy.arrays import Floats
from seewhy.errors import BadParameter
from seewhy.printable import quoted

METRICS = ("cosine", "euclidean")
ROOM = 2**27  # bytes of distances that are held at once


class Nearest(NamedTuple):
    """The nearest of some vectors to each of m others, the nearest first."""

    places: NDArray[np.intp]  # (m, count)
    distances: NDArray[np.float64]  # (m, count)


def unit(vectors: Floats) -> NDArray[np.float64]:
    """The vectors (n, c) at length 1; those of length 0 stay."""
    rows = np.asarray(vectors, np.float64)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.divide(rows, lengths, out=np.zeros_like(rows), where=lengths > 0)


def components(vectors: NDArray[Any], count: int = 2) -> NDArray[np.float64]:
    """The first principal components of vectors (n, c): (n, count), each with its largest value positive, so that they do not
    depend on the library that computes them; zeros where there are fewer.

    Source: Pearson 1901, On lines and planes of closest fit to systems of points in space.
    """
    centred = np.asarray(vectors, np.float64) - np.mean(vectors, 0, dtype=np.float64)
    if len(centred) < centred.shape[1]:  # of either product of the vectors with themselves the smaller one
        squares, left = np.linalg.eigh(centred @ centred.T)
        found = left[:, ::-1][:, :count] * np.sqrt(np.maximum(squares[::-1][:count], 0))
    else:
        found = centred @ np.linalg.eigh(centred.T @ centred)[1][:, ::-1][:, :count]
    found = np.pad(found, ((0, 0), (0, count - found.shape[1])))
    signs = np.sign(found[abs(found).argmax(0), range(count)])
    return found * np.where(signs == 0, 1, signs)


def check_metric(metric: object) -> str:
    """The name, where it is one of METRICS; else BadParameter."""
    if isinstance(metric, str) and metric in METRICS:
        return metric
    raise BadParameter(f"metric={quoted(metric)}: 'cosine', 1 less the cosine of the angle between vectors, or 'euclidean'.")


def nearest(vectors: Floats, queries: Floats, count: int, metric: str = "cosine") -> Nearest:
    """Of vectors (n, c), the `count` nearest to each query (m, c): all of them are compared, in float64.

    The cosine distance is 1 - cos of the angle, 0 to 2; a vector of zeros has no angle and lies 1 away from all.  Of equally
    near ones the first comes first.
    """
    rows, asked = np.asarray(vectors, np.float64), np.asarray(queries, np.float64)
    if metric == "cosine":
        rows, asked = unit(rows), unit(asked)
    elif len(rows):
        middle = rows.mean(0)  # what all have in common would take the digits of what they differ in
        rows, asked = rows - middle, asked - middle
    squares, count = (rows * rows).sum(1), min(count, len(rows))
    places, distances = np.empty((len(asked), count), np.intp), np.empty((len(asked), count))
    step = max(1, ROOM // (8 * max(1, len(rows))))
    for start in range(0, len(asked), step):
        some = asked[start : start + step]
        apart = some @ rows.T
        if metric == "cosine":
            np.subtract(1, apart, out=apart)
        else:
            apart = (some * some).sum(1)[:, None] - 2 * apart + squares
        found = _least(apart, count)
        here = slice(start, start + len(some))
        places[here], distances[here] = found, np.maximum(np.take_along_axis(apart, found, 1), 0)
    return Nearest(places, distances if metric == "cosine" else np.sqrt(distances))


def nearest_others(vectors: Floats, count: int, metric: str = "cosine") -> Nearest:
    """To each of vectors (n, c) the `count` nearest of the others: fewer, where there are fewer."""
    n = len(vectors)
    found = nearest(vectors, vectors, min(count + 1, n), metric)
    own = found.places == np.arange(n)[:, None]
    own[~own.any(1), -1] = True  # one of more than `count` that lie in the same place: the last of these goes in its stead
    keep = ~own
    return Nearest(found.places[keep].reshape(n, -1), found.distances[keep].reshape(n, -1))


def _least(apart: NDArray[np.float64], count: int) -> NDArray[np.intp]:
    """Of each row (m, n), the places of the `count` least, the least first, of equal ones the first first."""
    if count < apart.shape[1]:
        bound = np.partition(apart, count - 1, 1)[:, count - 1 : count]
        return np.array([_in_order(row, np.flatnonzero(row <= most), count) for row, most in zip(apart, bound, strict=True)])
    return np.argsort(apart, 1, kind="stable")


def _in_order(row: NDArray[np.float64], some: NDArray[np.intp], count: int) -> NDArray[np.intp]:
    return some[np.argsort(row[some], kind="stable")][:count]


def neighbour_purity(vectors: Floats, kinds: NDArray[Any], count: int = 10, metric: str = "euclidean") -> tuple[float, float]:
    """Of the nearest others of each vector (n, c), how many are of its own kind (n,): their share, 0 to 1, and by chance.

    Vectors of a negative kind are left out.  By chance: the share of all other vectors that are of its kind, on average.
    """
    known = kinds >= 0
    rows, own = np.asarray(vectors)[known], kinds[known]
    if len(rows) < 2:
        return float("nan"), float("nan")
    found = nearest_others(rows, count, metric).places
    _, inverse, counts = np.unique(own, return_inverse=True, return_counts=True)
    return float((own[found] == own[:, None]).mean()), float(((counts[inverse] - 1) / (len(own) - 1)).mean())
