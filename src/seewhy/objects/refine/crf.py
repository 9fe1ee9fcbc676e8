"""A conditional random field in which every pixel is tied to every other, written out in full on a small grid.

Krähenbühl & Koltun, Efficient Inference in Fully Connected CRFs with Gaussian Edge Potentials, 2011.  Their filters approximate
the sum over all pairs of pixels; here the pairs are all there, as a matrix (n, n), so a grid has 64 x 64 pixels at most.
"""

from collections.abc import Sequence
from math import prod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seewhy.arrays import Array, Floats
from seewhy.errors import BadParameter

MOST = 64 * 64  # pixels of a grid: 64 MiB of pairs in float32
ROWS = 256  # of the matrix of pairs that are computed at a time


class Tie(NamedTuple):
    """What ties two pixels to the same class: weight * exp(-|places apart|² / 2 xy² - |colours apart|² / 2 rgb²).

    xy: in pixels of the grid; rgb: in the units of the pixels, as 0 to 255; None: colours do not matter.
    """

    weight: float
    xy: float
    rgb: float | None = None


SEC = (Tie(10, 80, 13), Tie(3, 3))  # as SEC's and PSA's code; SEC trains at scale 12 (a grid 41 pixels wide), tests at 1
IRN = (Tie(10, 50, 5), Tie(3, 3))  # as IRN's code, on labels that are 0.7 sure


def kernels(
    pixels: NDArray[Any], ties: Sequence[Tie] = SEC, scale: float = 1.0, dtype: Any = np.float32
) -> NDArray[np.floating[Any]]:
    """How strongly each pixel is tied to each other: (n, n), the sum of the ties.

    pixels: (*grid, c), n = the product of the grid's sides, which may be two or three; the values in `rgb`'s units.
    scale: how many times smaller the grid is than the image in whose pixels `xy` is told, as 12.
    Each kernel K is normalised symmetrically, as by default in the authors' code: D^-1/2 K D^-1/2, with D the sums of K's
    rows.  As there (and not in the paper), a pixel is also tied to itself.
    """
    grid, n = pixels.shape[:-1], prod(pixels.shape[:-1])
    if n > MOST:
        raise BadParameter(f"Every pair of {n:,} pixels is too many: give a grid of {MOST:,} pixels at most, as 64 x 64.")
    places = np.indices(grid, np.float64).reshape(len(grid), n).T
    colours = pixels.reshape(n, -1).astype(np.float64)
    tied = np.zeros((n, n), dtype)
    for tie in ties:
        features = [places * (scale / tie.xy)] + ([] if tie.rgb is None else [colours / tie.rgb])
        kernel = _gaussian(np.concatenate(features, 1), dtype)
        root = 1 / np.sqrt(kernel.sum(1, dtype=np.float64))
        kernel *= (root * tie.weight).astype(dtype)[:, None]
        kernel *= root.astype(dtype)
        tied += kernel
    return tied


def _gaussian(features: Floats, dtype: Any) -> NDArray[np.floating[Any]]:
    """exp(-|f_i - f_j|² / 2) of all pairs of rows: (n, n), from (n, features) in float64."""
    features = features - features.mean(0)
    half, ones = (features**2).sum(1, keepdims=True) / -2, np.ones((len(features), 1))
    left, right = np.hstack([features, half, ones]), np.hstack([features, ones, half]).T  # f_i f_j - |f_i|² / 2 - |f_j|² / 2
    kernel = np.empty((len(features), len(features)), dtype)
    for first in range(0, len(features), ROWS):
        rows = slice(first, first + ROWS)
        kernel[rows] = left[rows] @ right
    np.minimum(kernel, 0, out=kernel)  # rounding leaves distances below zero,
    np.fill_diagonal(kernel, 0)  # and of large features some from a pixel to itself
    np.exp(kernel, out=kernel)
    return kernel


def mean_field(unary: Array, kernels: Array, iterations: int = 10) -> Array:
    """The probability of each class at each pixel after so many steps of mean-field inference: (k, n), sums over classes 1.

    unary: (k, n), the cost of each class at each pixel, as -log of a probability; also (b, k, n), with kernels (b, n, n).
    kernels: (n, n), as `kernels` makes them; numpy arrays, or both torch tensors, through which gradients flow back.
    With two pixels that are tied costing their weight where their classes differ (Potts), each step is
    Q = softmax(-unary + Q kernels), which begins from softmax(-unary).
    """
    q = _softmax(-unary)
    for _ in range(iterations):
        q = _softmax(q @ kernels - unary)  # kernels are symmetric
    return q


def _softmax(scores: Array) -> Array:
    """Over the classes, the axis before the last, of an array or a tensor."""
    if hasattr(scores, "softmax"):
        return scores.softmax(-2)
    e = np.exp(scores - scores.max(-2, keepdims=True))
    return e / e.sum(-2, keepdims=True)


def label_costs(labels: NDArray[Any], k: int, sure: float = 0.7) -> NDArray[np.float32]:
    """Labels as the costs that `mean_field` takes: (k, n), of labels (*grid) from 0 to k - 1 in which one is so sure.

    The other classes share 1 - sure evenly; where a label is 255, or any beyond k - 1, no class is likelier than another.
    """
    flat = labels.ravel()
    costs = np.full((k, flat.size), -np.log((1 - sure) / max(k - 1, 1)), np.float32)
    known = np.flatnonzero((flat >= 0) & (flat < k))
    costs[flat[known].astype(np.intp), known] = -np.log(sure)
    costs[:, np.setdiff1d(np.arange(flat.size), known)] = np.log(k)
    return costs
