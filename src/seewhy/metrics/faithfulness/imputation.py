"""Noisy linear imputation: hidden places become the weighted mean of their neighbours, so that a network cannot see a shape."""

from itertools import product

import numpy as np
from numpy.typing import NDArray

from seewhy.arrays import Floats
from seewhy.errors import BadParameter, MissingExtra


def imputed(x: Floats, mask: NDArray[np.bool_], noise: float = 0.0, rng: np.random.Generator | None = None) -> Floats:
    """An image (c, *space) whose places under the mask (*space) solve x_i = sum_j w_ij x_j over their neighbours j, plus noise.

    In a photo the weight of a neighbour at a side is 1/6, at a corner 1/12; with every further axis that a neighbour lies off
    along, it is halved (so 1/2 each in a signal).  At the border the weights of the neighbours that there are sum to one.
    noise: the standard deviation of what `rng` draws for each imputed value.
    Known places stay; without noise no value leaves the range of the known ones.
    Source: Rong et al. 2022, A consistent and efficient evaluation strategy for attribution methods, sec. 4.2.
    Raises BadParameter where nothing is known, MissingExtra without SciPy.
    """
    if not mask.any():
        return x.copy()
    if mask.all():
        raise BadParameter("Every place is hidden, so there is nothing to impute from: leave some known.")
    try:
        from scipy import sparse  # here, for it takes a while to import, and comes with an extra
        from scipy.sparse.linalg import splu
    except ImportError:
        raise MissingExtra("SciPy, which solves for imputed places,", "localize") from None

    number = np.full(mask.shape, -1)
    unknown = int(mask.sum())
    number[mask] = np.arange(unknown)
    flat = x.reshape(len(x), -1).astype(np.float64)
    right, diagonal = np.zeros((unknown, len(x))), np.zeros(unknown)
    rows: list[NDArray[np.intp]] = []
    columns: list[NDArray[np.intp]] = []
    weights: list[NDArray[np.float64]] = []
    along = np.cumprod([1, *mask.shape[:0:-1]])[::-1]  # from a place to its number, row by row
    at = np.stack(np.nonzero(mask), 1)
    for way in product((-1, 0, 1), repeat=mask.ndim):
        off = int(np.abs(way).sum())
        if not off:
            continue
        beside = at + np.array(way)
        inside = ((beside >= 0) & (beside < mask.shape)).all(1)
        here = np.flatnonzero(inside)
        there = beside[inside] @ along
        weight, among = 2.0**-off, number.reshape(-1)[there]
        diagonal[here] += weight
        known = among < 0
        right[here[known]] += weight * flat[:, there[known]].T
        rows.append(here[~known])
        columns.append(among[~known])
        weights.append(np.full(int((~known).sum()), -weight))
    every = np.arange(unknown)
    entries = np.concatenate([*weights, diagonal]), (np.concatenate([*rows, every]), np.concatenate([*columns, every]))
    system = sparse.csc_array(entries, shape=(unknown, unknown))  # symmetric: each equation times the sum of its weights
    solved = splu(system, permc_spec="MMD_AT_PLUS_A", options={"SymmetricMode": True, "DiagPivotThresh": 0.0}).solve(right)
    if noise:
        solved += noise * (rng or np.random.default_rng(0)).standard_normal(solved.shape)
    filled = flat.copy()
    filled[:, mask.reshape(-1)] = solved.T
    return filled.reshape(x.shape).astype(x.dtype)
