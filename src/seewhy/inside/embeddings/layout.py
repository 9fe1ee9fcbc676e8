"""Vectors laid out in the plane so that what lies next to each other stays so: t-SNE, UMAP, principal components."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seewhy.arrays import Floats
from seewhy.errors import BadParameter, MissingExtra, NoSuchName, NotApplicable, closest, whole_number
from seewhy.printable import quoted

from .vectors import check_metric, components, unit

AXES = 50  # principal axes that t-SNE is given, as its author does (van der Maaten & Hinton 2008)
PERPLEXITY, NEIGHBOURS = 30, 15  # the usual ones
FEWEST = 5  # photos that t-SNE and UMAP lay out
JUDGED, AMONG = 2000, 5  # photos on which trustworthiness is measured; neighbours of each
ODD_SEED = 2**32 - 1  # the largest that scikit-learn takes


@dataclass(frozen=True, eq=False)
class MapLayout:
    """Where each vector lies in the plane, and how far that is to be trusted.

    points: (n, 2), centred; axes have no unit, and of t-SNE and UMAP neither sizes of clusters nor gaps between them mean much.
    how, params: by which method, with which settings.
    trustworthiness: 0 to 1: are the 5 neighbours of each vector in the plane also near it in truth?  of_pca: the same of the
        first two principal components; None where it could not be measured.  judged: of so many vectors.
    advice: what a person should know.
    versions: of what computed it.

    Source: Venna & Kaski 2001, Neighborhood preservation in nonlinear projection methods (trustworthiness).
    """

    points: NDArray[np.float32]
    how: str
    params: Mapping[str, Any]
    trustworthiness: float | None = None
    of_pca: float | None = None
    judged: int = 0
    advice: tuple[str, ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict)

    @property
    def words(self) -> str:
        """How it was made, in a few words: "t-SNE, perplexity 30"."""
        name = NAMES[self.how]
        setting = next((f", {key} {self.params[key]:g}" for key in ("perplexity", "neighbours") if key in self.params), "")
        return f"{name}{setting}"


NAMES = {"t-sne": "t-SNE", "opentsne": "t-SNE (openTSNE)", "umap": "UMAP", "pca": "principal components"}


def laid_out(
    vectors: Floats, how: str = "t-sne", seed: int = 0, perplexity: float | None = None, metric: str = "cosine",
    neighbours: int | None = None,
) -> MapLayout:  # fmt: skip
    """Vectors (n, c) in the plane.

    how: "t-sne" (scikit-learn), "opentsne", "umap", or "pca", the first two principal components.
    seed: the same gives the same map, on one machine and with the same versions.
    perplexity: of t-SNE, about how many neighbours count; by default 30, of few vectors a third of them.
    metric: "cosine", of the vectors at length 1, or "euclidean".  neighbours: of UMAP, by default 15.
    t-SNE starts at the first two principal components, with a learning rate by the number of vectors (Belkina et al. 2019;
    Kobak & Berens 2019), and gets the 50 first of more dimensions.
    Raises BadParameter for settings that do not fit, NotApplicable where all vectors are the same, MissingExtra.
    """
    if not isinstance(how, str) or how.lower() not in NAMES:
        raise NoSuchName("projection", how, closest(str(how), [*NAMES]), f"There are {', '.join(NAMES)}.")
    how, n = how.lower(), len(vectors)
    seed = whole_number(seed, "seed", 0, ODD_SEED)
    if n < 2 or (n < FEWEST and how != "pca"):
        raise BadParameter(
            f"{NAMES[how]} lays out {FEWEST} photos or more, and {n} {'has' if n == 1 else 'have'} features."
            + (' Take how="pca".' if n > 1 else "")
        )
    rows = unit(vectors) if check_metric(metric) == "cosine" else np.asarray(vectors, np.float64)
    if np.ptp(rows, 0).max() <= 1e-9 * max(1.0, float(abs(rows).max())):
        raise NotApplicable(
            f"All {n} photos have the same features, so there is nothing to lay out: one photo many times, or a layer that "
            "emits the same whatever it sees?"
        )
    if rows.shape[1] == 1:  # all begin at two principal components, and the second is of no length
        rows = np.pad(rows, ((0, 0), (0, 1)))
    params: dict[str, Any] = {"seed": seed, "metric": metric}
    told, versions = list[str](), dict[str, str]()
    if how == "pca":
        if perplexity is not None or neighbours is not None:
            raise BadParameter("perplexity is of t-SNE and neighbours of UMAP; principal components have no settings.")
        points = components(rows)
    elif how == "umap":
        if perplexity is not None:
            raise BadParameter("perplexity is of t-SNE; UMAP has neighbours.")
        params["neighbours"] = _neighbours(neighbours, n)
        points = _umap(rows, params["neighbours"], seed, versions)
    else:
        if neighbours is not None:
            raise BadParameter("neighbours is of UMAP; t-SNE has perplexity.")
        params["perplexity"] = _perplexity(perplexity, n, told)
        few = components(rows, AXES) if rows.shape[1] > AXES else rows
        points = (_tsne if how == "t-sne" else _open_tsne)(few, params["perplexity"], seed, versions)
    points = np.asarray(points - points.mean(0), np.float32)
    trust = _trustworthiness(rows, points, seed)
    of_pca = trust if how == "pca" else _trustworthiness(rows, components(rows), seed)
    if trust is not None and of_pca is not None and trust < of_pca:
        told.append(
            f"two principal components keep neighbours better (trustworthiness {of_pca:.3f} against {trust:.3f}): "
            'how="pca", or another perplexity'
        )
    return MapLayout(points, how, params, trust, of_pca, min(n, JUDGED), tuple(told), versions)


def advice_on(vectors: Floats) -> tuple[str, ...]:
    """What a person should know of vectors (n, c) before reading a map of them: copies, constants, vectors of nothing."""
    rows = np.ascontiguousarray(vectors)
    told, n = list[str](), len(rows)
    if copies := n - len({row.tobytes() for row in rows}):
        told.append(f"{copies} of {n} photos have the very features of another one: copies, which lie in one place")
    if n > 1 and (same := int((rows == rows[0]).all(0).sum())):
        told.append(f"{same} of {rows.shape[1]} features are the same in all photos: they say nothing here")
    if empty := int((~rows.any(1)).sum()):
        told.append(f"{empty} photos have features of nothing but zeros: they have no direction, and no nearest neighbours")
    return tuple(told)


def _perplexity(asked: Any, n: int, told: list[str]) -> float:
    if asked is None:
        return min(float(PERPLEXITY), (n - 1) / 3)
    try:
        perplexity = float(asked)
    except (TypeError, ValueError):
        perplexity = float("nan")
    if not 1 <= perplexity < n:
        raise BadParameter(
            f"perplexity={quoted(asked)} is a number from 1 to less than that of the photos, {n}: about how many neighbours "
            "count; 5 to 50 are usual."
        )
    if perplexity > (n - 1) / 3:
        told.append(
            f"a perplexity of {perplexity:g} makes neighbours of more than a third of the {n} photos: take a smaller one"
        )
    return perplexity


def _neighbours(asked: Any, n: int) -> int:
    return min(NEIGHBOURS, n - 1) if asked is None else whole_number(asked, "neighbours", 2, n - 1)


def _tsne(rows: Floats, perplexity: float, seed: int, versions: dict[str, str]) -> Floats:
    """On one processor: several add up in any order, so that the same seed would give other maps."""
    manifold = _manifold()
    if manifold is None:
        raise MissingExtra('scikit-learn, which has t-SNE (how="pca" needs nothing),', "dataset")
    import sklearn  # here, with the next, for they are an extra and take long to import
    from threadpoolctl import threadpool_limits

    versions["scikit-learn"] = sklearn.__version__
    with threadpool_limits(1):
        made = manifold.TSNE(2, perplexity=perplexity, init="pca", learning_rate="auto", random_state=seed)
        return np.asarray(made.fit_transform(rows), np.float64)


def _open_tsne(rows: Floats, perplexity: float, seed: int, versions: dict[str, str]) -> Floats:
    try:
        # here, for it is an extra
        import openTSNE  # type: ignore[import-not-found]
    except ModuleNotFoundError:
        raise MissingExtra('openTSNE (how="t-sne" is by scikit-learn)', "tsne") from None
    versions["openTSNE"] = openTSNE.__version__
    made = openTSNE.TSNE(perplexity=perplexity, initialization="pca", random_state=seed, n_jobs=1)
    return np.asarray(made.fit(rows), np.float64)


def _umap(rows: Floats, neighbours: int, seed: int, versions: dict[str, str]) -> Floats:
    try:
        # here, for it is an extra that takes seconds to import
        import umap  # type: ignore[import-not-found]
    except ModuleNotFoundError:
        raise MissingExtra("UMAP (umap-learn)", "umap") from None
    versions["umap-learn"] = umap.__version__
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of few vectors, that it starts elsewhere
        made = umap.UMAP(n_neighbors=neighbours, random_state=seed, n_jobs=1)
        return np.asarray(made.fit_transform(rows), np.float64)


def _manifold() -> Any:
    """scikit-learn's part that lays out; None where it is not installed."""
    try:
        from sklearn import manifold  # here, for it is an extra and takes long to import
    except ModuleNotFoundError:
        return None
    return manifold


def _trustworthiness(rows: Floats, points: Floats, seed: int) -> float | None:
    """Of at most JUDGED vectors, which are drawn: its memory grows with the square of their number."""
    manifold, n = _manifold(), len(rows)
    if manifold is None or n < 2 * AMONG + 2:
        return None
    some = np.sort(np.random.default_rng(seed).permutation(n)[:JUDGED])
    return float(manifold.trustworthiness(rows[some], points[some], n_neighbors=AMONG))
