"""Pearson's correlation, and when there is none."""

import numpy as np
import pytest

from seewhy.metrics.faithfulness.correlation import pearson


def test_as_numpy_has_it():
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal(20), rng.standard_normal(20)
    assert pearson(a, b) == pytest.approx(np.corrcoef(a, b)[0, 1], rel=1e-12)
    assert pearson(a, 3 * a + 1) == pytest.approx(1)
    assert pearson(a, -a) == pytest.approx(-1)


def test_of_what_does_not_vary_there_is_none():
    a = np.arange(4.0)
    assert np.isnan(pearson(a, np.full(4, 0.3)))
    assert np.isnan(pearson(np.zeros(4), a))
    assert np.isnan(pearson(1 + 1e-13 * a, a))  # rounding errors
