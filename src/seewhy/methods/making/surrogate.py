"""Simple models of a score as a function of the shown segments: the maths of LIME, kernel SHAP and Sobol indices."""

from math import comb
from typing import NamedTuple

import numpy as np
from einops import rearrange
from numpy.typing import NDArray

from seewhy.arrays import Floats

Bits = NDArray[np.uint8]
EPS = np.finfo(float).eps


class Regression(NamedTuple):
    """A linear model of t targets over s segments: y = intercept + weights . z."""

    weights: Floats  # (t, s)
    intercept: Floats  # (t,)
    errors: Floats  # (t, s), the standard error of each weight over the draw of samples; inf where unknown
    score: Floats  # (t,), the weighted R^2 on the samples
    local: Floats  # (t,), the prediction for the whole picture, which is the row of ones
    underdetermined: bool  # fewer samples than segments: of all models that fit, the weights are the smallest


class SobolIndices(NamedTuple):
    """Total Sobol indices of t targets over s segments."""

    values: Floats  # (t, s)
    errors: Floats  # (t, s), their standard errors over the draw of rows


def coalitions(count: int, segments: int, seed: int) -> Bits:
    """LIME's draws, 1 where a segment is shown: (count, s), each bit a fair coin, the first row the whole picture."""
    z = np.random.default_rng(seed).integers(0, 2, (count, segments), dtype=np.uint8)
    z[:1] = 1
    return z


def proximity(z: Bits, width: float) -> Floats:
    """sqrt(exp(-d^2 / width^2)), d the cosine distance of each row to the row of ones, 1 for a row of zeros: (m,).

    Source: Ribeiro et al. 2016, LIME, sec. 3.4; distance and root as in lime_image.
    """
    d = 1 - np.sqrt(z.mean(1, dtype=float))
    with np.errstate(over="ignore"):  # far outside of a narrow kernel
        return np.exp(-((d / width) ** 2) / 2)


def ridge(z: Bits, y: Floats, w: Floats, alpha: float = 1.0, features: int | None = None) -> Regression:
    """argmin sum_i w_i (y_i - b - z_i . v)^2 + alpha |v|^2, the intercept b unpenalised; of many, the smallest v.

    z: (m, s), y: (m, t), w: (m,) from 0 on, not all of them 0.
    features: only so many segments per target, those of the largest |v| at alpha .01; the others weigh 0, and errors are
    those of the fit to all segments: another draw may choose others.
    errors: the heteroscedasticity-robust sandwich over the rows, each residual over sqrt(1 - leverage); too small where
    the fit is underdetermined.  A first row of ones is the picture itself and no draw.

    Source: Hoerl & Kennard 1970; as sklearn.linear_model.Ridge, and lime's "highest_weights"; MacKinnon & White 1985, HC2.
    """
    s = z.shape[1]
    x, y = z.astype(float), np.asarray(y, float)
    if features is None or features >= s:
        return _ridge(x, y, w, alpha)
    first = _ridge(x, y, w, 0.01)
    chosen = np.argsort(-abs(first.weights), kind="stable")[:, :features]  # (t, features)
    parts = [_ridge(x[:, few], y[:, [t]], w, alpha) for t, few in enumerate(chosen)]
    intercept, score, local = (np.concatenate([getattr(p, name) for p in parts]) for name in ("intercept", "score", "local"))
    weights = np.zeros((len(parts), s))
    for t, (few, part) in enumerate(zip(chosen, parts, strict=True)):
        weights[t, few] = part.weights[0]
    return Regression(weights, intercept, _ridge(x, y, w, alpha).errors, score, local, first.underdetermined)


def _ridge(x: Floats, y: Floats, w: Floats, alpha: float) -> Regression:
    middle, level = np.average(x, 0, w), np.average(y, 0, w)
    root = np.sqrt(w)[:, None]
    b = root * (x - middle)
    p = _inverse(b, alpha)  # (s, m)
    weights = (p @ (root * (y - level))).T
    intercept = level - weights @ middle
    e = y - intercept - x @ weights.T  # (m, t)
    drawn = slice(1 if x[0].all() else 0, None)
    leverage = np.einsum("sm,ms->m", p, b) + w / w.sum()
    errors = _sandwich((p * root[:, 0])[:, drawn], e[drawn], leverage[drawn])
    return Regression(weights, intercept, errors, _r2(y, e, w), intercept + weights.sum(1), len(x) < x.shape[1])


def _inverse(b: Floats, alpha: float) -> Floats:
    """(b'b + alpha)^-1 b', the pseudoinverse where alpha is 0: (s, m)."""
    m, s = b.shape
    if alpha == 0:
        return np.linalg.pinv(b, max(m, s) * EPS)
    if m < s:  # an equal expression with a smaller matrix
        return np.linalg.solve(b @ b.T + alpha * np.eye(m), b).T
    return np.linalg.solve(b.T @ b + alpha * np.eye(s), b.T)


def _sandwich(pull: Floats, e: Floats, leverage: Floats, power: int = 1) -> Floats:
    """Standard errors (t, s) of weights = pull @ y, from residuals (m, t) of m independent draws, pull (s, m).

    power: of 1 - leverage, 1 for HC2 and 2 for HC3, the jackknife.
    """
    spare = 1 - leverage
    if not len(spare) or spare.min() < 1e-9:  # a row that is always fitted exactly has no residual
        return np.full((e.shape[1], len(pull)), np.inf)
    return np.sqrt((pull**2 / spare**power) @ e**2).T


def _r2(y: Floats, e: Floats, w: Floats) -> Floats:
    """1 - sum w e^2 / sum w (y - mean)^2: (t,).  Where y does not vary, it is 1 if the errors e are zero, else 0."""
    missed, there = w @ e**2, w @ (y - np.average(y, 0, w)) ** 2
    rounding = w.sum() * (16 * EPS * abs(y).max(0, initial=0)) ** 2
    flat = there <= rounding
    return np.where(flat, missed <= rounding, 1 - missed / np.where(flat, 1, there))


def shapley_coalitions(count: int, segments: int, seed: int) -> tuple[Bits, Floats, bool]:
    """Coalitions in pairs of neighbours (z, 1 - z), neither empty nor full: z (m, s), their weights (m,), and whether these
    are all there are.

    All 2^s - 2, weighing (s - 1) / (C(s, k) k (s - k)) where k are shown, if `count` reaches so far, in a drawn order;
    else `count` of them, of sizes drawn by that kernel and members drawn evenly, weighing 1.

    Source: Lundberg & Lee 2017, Kernel SHAP, theorem 2; Covert & Lee 2021, paired sampling.
    """
    rng = np.random.default_rng(seed)
    complete = 2**segments - 2 <= count
    half = _each(segments, rng) if complete else _some(count // 2, segments, rng)
    z = rearrange(np.stack([half, 1 - half]), "two pair s -> (pair two) s")
    return z, _kernel(segments)[z.sum(1)] if complete else np.ones(len(z)), complete


def _kernel(s: int) -> Floats:
    """The weight of a coalition of 0, 1, ... s - 1 segments."""
    return np.array([0, *((s - 1) / (comb(s, k) * k * (s - k)) for k in range(1, s))])


def _each(s: int, rng: "np.random.Generator") -> Bits:
    """Of each pair of coalitions, the one that shows the first segment: (2^(s-1) - 1, s)."""
    numbers = rng.permutation(2 ** (s - 1) - 1)
    rest = numbers[:, None] >> np.arange(s - 1) & 1
    return np.insert(rest, 0, 1, axis=1).astype(np.uint8)


def _some(pairs: int, s: int, rng: "np.random.Generator") -> Bits:
    k = np.arange(1, s)
    chance = 1 / (k * (s - k))
    sizes = rng.choice(k, pairs, p=chance / chance.sum())
    ranks = rng.permuted(np.broadcast_to(np.arange(s), (pairs, s)), axis=1)
    return (ranks < sizes[:, None]).astype(np.uint8)


def shapley(z: Bits, w: Floats, y: Floats, full: Floats, empty: Floats, complete: bool) -> Regression:
    """argmin sum_i w_i (y_i - empty - z_i . v)^2 where sum(v) = full - empty: the Shapley values, once z is complete.

    z, w, complete: as of shapley_coalitions, or the first of their pairs; y: (m, t); full, empty: (t,), the score with all
    segments shown and with none, which are the fit's `local` and `intercept`.
    errors: the sandwich over pairs (HC2).  Of the first of all coalitions, which weigh unevenly, the jackknife, times the
    root of the share that is still left: 0 once they are all there.

    Source: Lundberg & Lee 2017; Covert & Lee 2021, Improving KernelSHAP, sec. 3.
    """
    m, s = z.shape
    y, full, empty = (np.asarray(f, float) for f in (y, full, empty))
    root, whole = np.sqrt(w)[:, None], full - empty
    x = z - z.mean(1, keepdims=True)  # v = whole / s + what sums to zero, which sees z less its mean
    rest = y - empty - z.mean(1, keepdims=True) * whole  # (m, t)
    b = root * x
    p = np.linalg.pinv(b, max(m, s) * EPS)  # (s, m)
    free = (p @ (root * rest)).T
    e = rest - x @ free.T
    left = 1 - m / (2**s - 2) if complete else 1.0
    errors = np.zeros(free.shape) if left == 0 else np.sqrt(left) * _paired(p * root[:, 0], x, e, 2 if complete else 1)
    return Regression(whole[:, None] / s + free, empty, errors, _r2(y, e, w), full, m // 2 < s - 1)


def _paired(pull: Floats, x: Floats, e: Floats, power: int) -> Floats:
    """Standard errors (t, s) where each pair of rows is one draw: x of 1 - z is -x of z, so half the difference counts."""
    leverage = np.einsum("sm,ms->m", pull, x)
    both = leverage[::2] + leverage[1::2]
    return _sandwich(pull[:, ::2], e[::2] - e[1::2], both, power)


def total_indices(f_a: Floats, f_b: Floats, f_ab: Floats) -> SobolIndices:
    """Jansen's mean((f_A - f_AB_i)^2) / (2 Var(f over A and B)): the share of the variance that a segment has a part in.

    f_a, f_b: (n, t), the scores of rows of A and of B; f_ab: (n, s, t), of rows of A with segment i taken from B.
    errors: by the delta method over the n rows.  Where nothing varies, all are 0.

    Source: Jansen 1999; Saltelli et al. 2010, table 2 (f); Fel et al. 2021, Look at the Variance!
    """
    a, b, ab = (np.asarray(f, float) for f in (f_a, f_b, f_ab))
    middle = np.concatenate([a, b]).mean(0)
    v = ((a - middle) ** 2 + (b - middle) ** 2) / 2  # (n, t), of mean the variance
    rounding = (16 * np.finfo(f_a.dtype).eps * abs(np.concatenate([a, b])).max(0)) ** 2
    flat = v.mean(0) <= rounding
    variance = np.where(flat, np.inf, v.mean(0))
    q = (a[:, None] - ab) ** 2 / 2  # (n, s, t)
    values = q.mean(0) / variance  # (s, t)
    pull = (q - values * v[:, None]) / variance
    n = len(a)
    errors = np.sqrt((pull**2).sum(0) / (n * (n - 1))) if n > 1 else np.full(values.shape, np.inf)
    return SobolIndices(values.T, errors.T)
