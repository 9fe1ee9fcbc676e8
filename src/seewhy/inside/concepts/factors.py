"""Non-negative factors of activations: a bank of concepts, and how much of each there is in a cell."""

import warnings
from importlib import import_module
from typing import Any, NamedTuple

import numpy as np
from einops import rearrange
from numpy.typing import NDArray

from seewhy.arrays import Floats
from seewhy.errors import BadParameter, MissingExtra, NotApplicable

MOST_ROWS = 2**15  # rows that are factorised; of more, as many are drawn
ROUNDS = 400  # of coordinate descent


class ConceptBank(NamedTuple):
    """What concepts are, in the channels of a layer.

    directions: (k, c), each of length 1.  signed: the activations have negative values, so directions may have, too.
    rows: how many were factorised.  notes: what is odd about the factors.
    """

    directions: NDArray[np.float64]
    signed: bool
    rows: int
    notes: tuple[str, ...] = ()


def factorised(rows: Floats, count: int, seed: int) -> ConceptBank:
    """Concepts W of rows of activations A (n, c): A is near U W, and no number of U is below zero.

    Where A has no negative value, neither has W: non-negative matrix factorisation, by coordinate descent from the singular
    vectors (scikit-learn).  Else the positive and the negative part of each channel are factorised as channels of their own,
    so that nothing is cut off or shifted, and W is the difference of the two: U stays without signs, W has some.
    Raises BadParameter for more concepts than rows or channels, NotApplicable where all of A is zero, MissingExtra.
    Source: Lee & Seung 1999, Learning the parts of objects by non-negative matrix factorization; Boutsidis & Gallopoulos 2008,
    SVD based initialization; Kim & Tidor 2003, Subsystem identification through dimensionality reduction (parts of either
    sign as channels of their own).
    """
    if not np.isfinite(rows).all():
        raise NotApplicable("The layer emits numbers that are not finite on these photos: name another (layer=...).")
    if not rows.any():
        raise NotApplicable(
            "The layer emits nothing but zeros on these photos, so it holds no concept: name another (layer=...)."
        )
    n, channels = rows.shape
    if count > min(n, channels):
        what = f"{channels} channels" if channels <= n else f"{n} cells or crops of the photos"
        raise BadParameter(f"count={count}: the layer has {what}, and holds no more concepts than that.")
    signed = bool((rows < 0).any())
    if n > MOST_ROWS:
        rows = rows[np.sort(np.random.default_rng(seed).choice(n, MOST_ROWS, replace=False))]
    parts = np.concatenate([rows.clip(min=0), (-rows).clip(min=0)], 1) if signed else rows
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        made = learned("decomposition").NMF(count, init="nndsvda", max_iter=ROUNDS, random_state=seed % 2**32)
        made.fit(parts)
    found = made.components_.astype(np.float64)
    found = found[:, :channels] - found[:, channels:] if signed else found
    lengths = np.linalg.norm(found, axis=1)
    alive = lengths > 1e-9 * lengths.max()
    notes = ["the factorisation had not settled when it was ended"] * any("converge" in str(each.message) for each in said)
    if not alive.all():
        notes.append(f"{count} concepts were asked for, and the activations hold {alive.sum()}")
    return ConceptBank(found[alive] / lengths[alive, None], signed, len(rows), tuple(notes))


def coefficients(rows: Floats, directions: Floats) -> NDArray[np.float64]:
    """How much of each concept W (k, c) there is in rows of activations A (n, c): argmin |A - U W| over U >= 0, (n, k).

    Each row is solved exactly and by itself, so that it does not matter which others are asked with it.
    Source: Lawson & Hanson 1974, Solving least squares problems (SciPy's `nnls`).
    """
    nnls = learned("optimize", "scipy").nnls
    q, r = np.linalg.qr(np.asarray(directions, np.float64).T)  # |A - U W|² = |A q - U r'|² + what no U can change
    inside = np.asarray(rows, np.float64) @ q
    return np.array([nnls(r, row)[0] for row in inside]).reshape(len(rows), len(directions))


def cells_of(a: Floats) -> Floats:
    """An activation (c, *space) as rows, one for each cell: (cells, c)."""
    return rearrange(a, "c ... -> (...) c")


def concepts_in(a: Floats, directions: Floats) -> NDArray[np.float64]:
    """How much of each concept (k, c) there is in each cell of an activation (c, *space): (k, *space)."""
    return coefficients(cells_of(a), directions).T.reshape(len(directions), *a.shape[1:])


def learned(module: str, package: str = "sklearn") -> Any:
    """A module of scikit-learn, or of SciPy, which comes with it.  Raises MissingExtra."""
    try:
        return import_module(f"{package}.{module}")
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != package:
            raise
        raise MissingExtra("scikit-learn, which finds concepts,", "dataset") from None
