"""McNemar's exact test, held against SciPy's binomial test."""

import numpy as np
import pytest
from scipy import stats

from seewhy.dataset.comparing.mcnemar import PairedAnswers, mcnemar


@pytest.mark.parametrize(("fixed", "broken"), [(0, 0), (1, 0), (3, 9), (9, 3), (6, 6), (0, 12), (120, 160), (4000, 4300)])
def test_p_is_that_of_the_binomial_test(fixed, broken):
    expected = 1.0 if fixed + broken == 0 else stats.binomtest(fixed, fixed + broken, 0.5).pvalue
    assert mcnemar(fixed, broken) == pytest.approx(expected, rel=1e-6)


def test_pairs_are_counted():
    a = np.array([1, 1, 1, 0, 0, 0, 0, 1], bool)
    b = np.array([1, 1, 0, 1, 1, 1, 0, 1], bool)
    found = PairedAnswers.of(a, b)
    assert (found.both, found.fixed, found.broken, found.neither, found.photos) == (3, 3, 1, 1, 8)
    assert (found.before.share, found.after.share) == (0.5, 0.75)
    assert found.difference == 0.25
    assert found.low <= 0.25 <= found.high
    assert found.p == pytest.approx(stats.binomtest(1, 4, 0.5).pvalue)


def test_the_interval_is_about_that_of_the_normal_distribution_of_many_photos():
    rng = np.random.default_rng(0)
    a, b = rng.random(4000) < 0.7, rng.random(4000) < 0.75
    found = PairedAnswers.of(a, b)
    spread = 1.96 * (b.astype(float) - a).std() / 4000**0.5
    assert found.low == pytest.approx(found.difference - spread, abs=0.003)
    assert found.high == pytest.approx(found.difference + spread, abs=0.003)


def test_a_single_photo_has_no_interval():
    found = PairedAnswers.of(np.array([True]), np.array([False]))
    assert (found.low, found.high, found.p) == (None, None, 1)
