"""Vectors that fall into groups, or do not: as many as the silhouette tells, and none where chance would tell as much."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seewhy.arrays import Floats
from seewhy.errors import MissingExtra
from seewhy.inside.embeddings.vectors import unit

FEWEST, SMALLEST = 12, 3  # vectors to look for groups among; members of a group
GROUPS, AXES = 8, 10  # groups at most; principal axes that are looked at
STARTS = 4  # of k-means
DRAWS = 19  # sets without groups that the real one has to surpass, all of them: 1 of 20, the level of 5 %
DRAWN = 400  # vectors of such a set, at most
OUTSIDE = -1


class Grouping(NamedTuple):
    """Which group each vector is in (n,), OUTSIDE for none; how well the groups are apart, and what sets without any gave."""

    labels: NDArray[np.intp]
    silhouette: float  # -1 to 1, mean over the vectors
    chance: float  # the greatest of DRAWS sets without groups


def grouping(vectors: Floats, seed: int = 0) -> Grouping | None:
    """Groups among vectors (n, c) by the angles between them; None where fewer than 12 vary, or they fall into no groups.

    k-means on the 10 first principal axes, for 2 to 8 groups, of which the greatest mean silhouette chooses.  It has to surpass
    what the same gives on 19 sets drawn from one normal distribution with the same variances along these axes, which has no
    groups.  A vector that lies no nearer to its own group than to another (silhouette up to 0) is in none, nor are groups of
    fewer than 3.

    Sources: Rousseeuw 1987, Silhouettes; Tibshirani, Walther & Hastie 2001, Estimating the number of clusters via the gap
    statistic, and Liu et al. 2008, Statistical significance of clustering (the reference without groups).
    Raises MissingExtra without scikit-learn.
    """
    n = len(vectors)
    axes = _axes(unit(vectors)) if n >= FEWEST else np.empty((n, 0))
    if not axes.shape[1]:
        return None
    labels, best, each = _best(axes, seed)
    rng, spread = np.random.default_rng(seed), axes.std(0)
    chance = -1.0
    for _ in range(DRAWS):
        chance = max(chance, _best(rng.normal(0, spread, (min(n, DRAWN), len(spread))), seed)[1])
        if chance >= best:
            return None
    labels = np.where(each > 0, labels, OUTSIDE)
    sizes = {label: int((labels == label).sum()) for label in np.unique(labels).tolist()}
    small = [label for label, size in sizes.items() if size < SMALLEST]
    labels = np.where(np.isin(labels, small), OUTSIDE, labels)
    return Grouping(labels, best, chance) if (labels != OUTSIDE).any() else None


def _axes(rows: Floats) -> NDArray[np.float64]:
    """The vectors along their principal axes, as many as vary: (n, axes)."""
    centred = rows - rows.mean(0)
    u, s, _ = np.linalg.svd(centred, full_matrices=False)
    some = min(AXES, int((s > max(s[0] * 1e-6, 1e-9)).sum()))
    return u[:, :some] * s[:some]


def _best(axes: Floats, seed: int) -> tuple[NDArray[np.intp], float, Floats]:
    """The groups with the greatest mean silhouette, that, and the silhouette of each vector."""
    cluster = _cluster()
    found: tuple[NDArray[np.intp], float, Floats] = np.zeros(len(axes), np.intp), -1.0, np.zeros(len(axes))
    for k in range(2, min(GROUPS, len(axes) // SMALLEST) + 1):
        labels = cluster.KMeans(k, n_init=STARTS, random_state=seed).fit_predict(axes)
        if len(np.unique(labels)) < 2:
            continue
        each = silhouettes(axes, labels)
        if each.mean() > found[1] + 1e-12:
            found = labels, float(each.mean()), each
    return found


def silhouettes(axes: Floats, labels: NDArray[np.intp]) -> Floats:
    """The silhouette of each vector, by Euclidean distance: (n,)."""
    _cluster()
    from sklearn.metrics import silhouette_samples  # here, for it is an extra and takes long to import

    return np.asarray(silhouette_samples(axes, labels), np.float64)


def _cluster() -> Any:
    try:
        from sklearn import cluster  # here, for it is an extra and takes long to import
    except ModuleNotFoundError:
        raise MissingExtra("scikit-learn, which finds groups of failures,", "dataset") from None
    return cluster
