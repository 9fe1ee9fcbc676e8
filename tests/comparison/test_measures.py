"""The numbers of a drift: by hand, and beside scipy's."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from seewhy.comparison.measures import TIES, centre, flat, ranks, spearman


def test_ranks_by_hand():
    assert ranks(np.array([30.0, 10, 20])).tolist() == [3, 1, 2]
    assert ranks(np.array([[5.0, 5], [1, 9]])).tolist() == [[2.5, 2.5], [1, 4]]
    assert ranks(np.array([0.0, 0, 0, 2])).tolist() == [2, 2, 2, 4]


def test_rank_correlation_by_hand():
    """Of 1 2 3 4 5 with 2 1 4 3 5: 1 - 6 (1 + 1 + 1 + 1 + 0) / (5 x 24)."""
    assert spearman(np.arange(1.0, 6), np.array([2.0, 1, 4, 3, 5])) == pytest.approx(1 - 6 * 4 / 120)
    assert spearman(np.arange(4.0), np.arange(4.0) ** 3) == 1
    assert spearman(np.arange(4.0), -np.arange(4.0)) == -1


@pytest.mark.parametrize("seed", range(5))
def test_rank_correlation_is_that_of_scipy_also_with_ties(seed):
    rng = np.random.default_rng(seed)
    a, b = rng.integers(-3, 4, (2, 7, 9)).astype(float)
    assert spearman(a, b) == pytest.approx(spearmanr(a.ravel(), b.ravel()).statistic, abs=1e-12)
    a, b = np.maximum(rng.normal(size=(2, 14, 14)), 0)
    stepped = [np.round(x / (TIES * x.max())).ravel() for x in (a, b)]
    assert spearman(a, b) == pytest.approx(spearmanr(*stepped).statistic, abs=1e-12)
    assert spearman(a, b) == pytest.approx(spearmanr(a.ravel(), b.ravel()).statistic, abs=1e-2)


def test_noise_where_the_other_has_zeros_has_no_ranks():
    rng = np.random.default_rng(0)
    a = np.maximum(rng.normal(size=(7, 7)) - 1, 0)
    b = a + (a == 0) * rng.random((7, 7)) * 1e-7
    assert spearman(a, b) == 1
    assert spearmanr(a.ravel(), b.ravel()).statistic < 0.99


def test_a_scale_changes_nothing():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 6, 6))
    for scale in (1e-12, 1e12):
        assert spearman(a * scale, b) == pytest.approx(spearman(a, b))


def test_a_map_that_is_the_same_everywhere_has_no_rank_correlation():
    slope = np.arange(9.0).reshape(3, 3)
    for same in (np.zeros((3, 3)), np.full((3, 3), 2.0), np.full((3, 3), -2.0), 1 + slope * 1e-9):
        assert flat(same)
        assert spearman(same, slope) is spearman(slope, same) is spearman(same, same) is None
    assert flat(np.ones((1, 1)))
    assert not flat(slope)


def test_the_centre_by_hand():
    values = np.zeros((4, 6))
    values[1, 2], values[3, 2], values[0, 0] = 1, 3, -7
    assert centre(values) == pytest.approx([2.5, 2])
    assert centre(np.array([0.0, 1, 1])) == pytest.approx([1.5])
    assert centre(-np.ones((2, 2))) is None
