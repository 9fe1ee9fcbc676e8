"""Regions of the image in the order of the map, hidden one after the other or each by itself."""

from hashlib import sha256
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seewhy.arrays import Floats
from seewhy.errors import BadParameter
from seewhy.methods.making.segments import Segments
from seewhy.metrics.metric import metric
from seewhy.metrics.subject import Subject

from .correlation import pearson
from .curves import area
from .removal import hidden, key_of

GRID = "grid:8"


def region_curve(
    subject: Subject, values: Floats, segments: Segments, fill: Any, first: int | None = None
) -> NDArray[np.float64]:
    """The probability with the first 0, 1, ... regions hidden, those with the highest mean of the map first: (regions + 1,).

    first: only so many regions; None: all.
    """
    labels = subject.segments(segments).reshape(-1)
    sizes = np.bincount(labels)
    means = np.bincount(labels, values.reshape(-1)) / sizes
    if first is not None and first < 1:
        raise BadParameter(f"first={first}: give how many regions are hidden, from 1 on, or None for all.")
    best = subject.order(means)
    rank = np.empty(len(best), np.intp)
    rank[best] = np.arange(len(best))
    counts = np.concatenate([[0], sizes[best].cumsum()])[: None if first is None else first + 1]
    return hidden(subject, np.argsort(rank[labels], kind="stable"), counts, fill).probabilities


@metric(better="higher", forwards="one for each region", share=True)
def region_perturbation(
    subject: Subject, values: Floats, *, segments: Segments = "grid:14", fill: Any = "noise", first: int | None = 100
) -> float:
    """The mean drop of the probability while regions are replaced, the most relevant first (AOPC):
    1/(L + 1) sum_k (p(x) - p(x without its first k regions)) over k = 0 ... L.

    Source: Samek et al. 2017, Evaluating the visualization of what a deep neural network has learned, eq. 10-12.

    Weakness: that of deletion, and the grid cuts through what it hides; noise adds edges of its own.

    segments: as methods take it; 14 x 14 cells are about the 9 x 9 of 15 pixels that the paper draws.
    fill: what replaces a region: "noise" of the image's mean and spread, or as for deletion.
    first: so many regions at most; None: all.
    """
    chances = region_curve(subject, values, segments, fill, first)
    return float((subject.probability - chances).mean())


@metric(better="lower", forwards="one for each region", share=True)
def selectivity(subject: Subject, values: Floats, *, segments: Segments = GRID, fill: Any = "zero") -> float:
    """The area under the probability while regions are hidden, the most relevant first, over the share of regions.

    Source: Montavon et al. 2018, Methods for interpreting and understanding deep neural networks, sec. 7.2.

    Weakness: that of deletion; cells of a grid are no parts of objects.

    segments: as methods take it.
    fill: what hides a region, as for deletion.
    """
    chances = region_curve(subject, values, segments, fill)
    return area(np.linspace(0, 1, len(chances)), chances)


@metric(better="higher", forwards="one for each segment", share=True)
def irof(subject: Subject, values: Floats, *, segments: Segments = "auto", fill: Any = "mean") -> float:
    """The area over the curve of the probability, as a share of that of the untouched image, while superpixels are hidden,
    those with the highest mean of the map first: 1 - int p(x without its first s of the segments) / p(x) ds.

    Source: Rieger & Hansen 2020, IROF: a low resource evaluation metric for explanation methods.

    Weakness: segments of one colour go at once, which suits coarse maps; a segment's mean forgives a map that misses its edges.

    segments: as methods take it: "auto" finds about 100 superpixels (of a signal intervals).
    fill: what hides a segment: "mean" of the image, or as for deletion.
    """
    chances = region_curve(subject, values, segments, fill)
    return np.nan if subject.probability <= 0 else 1 - area(np.linspace(0, 1, len(chances)), chances) / subject.probability


@metric(better="higher", forwards="one for each region", takes="shares")
def faithfulness_estimate(subject: Subject, values: Floats, *, segments: Segments = GRID, fill: Any = "zero") -> float:
    """The correlation, over regions, of what the map says that a region adds and of how far the score falls when that region
    alone is hidden.

    Source: Alvarez-Melis & Jaakkola 2018, Towards robust interpretability with self-explaining neural networks, sec. 4.

    Weakness: where evidence is there twice, hiding one of it changes nothing; NaN of a map or a score that does not vary.

    segments: as methods take it.
    fill: what hides a region, as for deletion.
    """
    labels = subject.segments(segments)
    count, base = int(labels.max()) + 1, subject.fill(fill)
    key = "each region", sha256(labels.tobytes()).hexdigest(), key_of(fill)

    def make(of: range) -> Floats:
        masks = labels == np.arange(of.start, of.stop).reshape(-1, *[1] * labels.ndim)
        return np.where(masks[:, None], base, subject.x)

    falls = subject.score - subject.asked(count, make, key).scores
    return pearson(np.bincount(labels.reshape(-1), values.reshape(-1)), falls)
