"""Uncorrelated colours and the sigmoid: pullbacks against finite differences, inverses."""

import numpy as np
import pytest

from seewhy.inside.maximizing.colours import EDGE, MATRIX, bounded, decorrelated, recorrelated, unbounded

X = np.random.default_rng(0).normal(size=(2, 3, 4, 5))
G = np.random.default_rng(1).normal(size=X.shape)


def slope(f, x, g, at, step=1e-6):
    """d <g, f(x)> / dx at one number."""
    there, here = x.copy(), x.copy()
    there[at] += step
    here[at] -= step
    return ((f(there)[0] - f(here)[0]) * g).sum() / (2 * step)


def test_pullbacks_are_the_slopes():
    for f in (recorrelated, bounded):
        back = f(X)[1](G)
        for at in ((0, 0, 1, 2), (1, 2, 3, 4), (0, 1, 0, 0)):
            np.testing.assert_allclose(back[at], slope(f, X, G, at), rtol=1e-7)


def test_colours_and_values_have_inverses():
    np.testing.assert_allclose(decorrelated(recorrelated(X)[0]), X, atol=1e-12)
    np.testing.assert_allclose(unbounded(bounded(X)[0]), X, atol=1e-12)
    assert unbounded(np.array([0.0, 1.0])).tolist() == unbounded(np.array([EDGE, 1 - EDGE])).tolist()


def test_the_first_uncorrelated_colour_is_lightness_and_the_others_are_opposite():
    assert (MATRIX[:, 0] > 0.5).all()
    assert MATRIX[0, 1] * MATRIX[2, 1] < 0
    assert np.linalg.norm(MATRIX, axis=0).max() == pytest.approx(1)
