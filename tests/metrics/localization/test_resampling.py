"""Bootstrap intervals: the resamples are what they should be, controls are drawn with the maps, and coverage holds."""

from statistics import NormalDist

import numpy as np
import pytest

from seewhy.metrics.localization import resampling
from seewhy.metrics.localization.resampling import mean, middle, portion, resampled, score, tail
from seewhy.truth.accuracy import Portion


def test_a_resample_is_the_sum_over_photos_drawn_with_replacement(monkeypatch):
    monkeypatch.setattr(resampling, "BLOCK", 3)  # so that photos come in several blocks
    rows = np.random.default_rng(0).integers(0, 255, (7, 2)).astype(np.uint8)
    rng = np.random.default_rng(5)
    expected = [rows[rng.integers(0, 7, 7)].sum(0, dtype=float) for _ in range(60)]
    np.testing.assert_array_equal(resampled(rows, seed=5, draws=60), expected)


def test_resamples_have_the_mean_and_the_spread_that_theory_says():
    values = np.random.default_rng(1).random(400)
    sums = resampled(values[:, None], draws=2000)[:, 0] / 400
    assert sums.mean() == pytest.approx(values.mean(), abs=2e-3)
    assert sums.std() == pytest.approx(values.std() / 20, rel=0.06)


def test_the_middle_leaves_two_and_a_half_per_cent_on_each_side():
    many = 10**9
    assert middle(np.arange(1001.0), many) == pytest.approx((25, 975))
    assert middle(np.array([*range(1001), np.nan]), many) == pytest.approx((25, 975))
    assert middle(np.arange(1001.0), 2) == pytest.approx((0, 1000), abs=0.01)  # nothing is wider
    assert middle(np.array([3.0, 3]), 1) == (3, 3)


def test_of_few_photos_less_is_left_beyond_the_ends():
    """By the tables of Student's distribution."""
    tabled = {5: 2.7764, 10: 2.2622, 30: 2.0452, 100: 1.9842}
    for n, student in tabled.items():
        assert -NormalDist().inv_cdf(tail(n)) == pytest.approx(student * np.sqrt(n / (n - 1)), rel=3e-3)
    shares = [tail(n) for n in (2, 3, 5, 10, 100, 10**6)]
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(0.025, rel=1e-4)


def test_a_mean_and_its_difference_from_a_control_on_the_same_photos():
    rng = np.random.default_rng(2)
    control = rng.random(50)
    found = mean("mass", {"maps": control + 0.1, "centre": control})
    assert found.value == pytest.approx(control.mean() + 0.1)
    assert (found.images, found.controls[0].name) == (50, "centre")
    assert found.controls[0].value == pytest.approx(control.mean())
    np.testing.assert_allclose(found.controls[0].ahead, 0.1)  # paired: ahead by as much on each photo
    assert found.interval[1] - found.interval[0] > 0.1


def test_a_portion_has_wilsons_interval():
    hits = np.array([True] * 9 + [False])
    found = portion("GT-known", {"maps": hits, "random": ~hits}, "none", thresholds=[0.15])
    assert found.value == 0.9
    assert found.interval == Portion(9, 10).interval
    assert found.controls[0].interval == Portion(1, 10).interval
    assert found.thresholds == (0.15,)
    assert portion("all", {"maps": np.ones(5, bool)}).interval == Portion(5, 5).interval


def test_a_mean_of_hits_and_misses_is_a_portion():
    """The bootstrap of twelve hits of twelve would be sure of it."""
    found = mean("pointing", {"maps": np.ones(12), "centre": np.array([0.0] * 3 + [1] * 9)})
    assert found.interval == Portion(12, 12).interval
    assert found.controls[0].interval == Portion(9, 12).interval
    assert found.controls[0].ahead[0] >= 0


def test_a_measure_of_sums_is_made_anew_of_each_resample():
    rows = np.array([[1, 2], [3, 4], [0, 9]])
    found = score("ratio", {"maps": rows}, lambda sums: sums[:, 0] / sums[:, 1], seed=3)
    assert found.value == 4 / 15
    drawn = resampled(rows, 3)
    assert found.interval == middle(drawn[:, 0] / drawn[:, 1], 3)


def test_intervals_hold_as_often_as_they_say():
    """Of a skewed measure, the ratio of two sums, over 200 sets of 60 photos."""
    rng, held = np.random.default_rng(4), 0
    for _ in range(200):
        area = rng.exponential(size=60)
        rows = np.stack([area * rng.uniform(0, 1, 60), area], 1)
        low, high = middle((lambda sums: sums[:, 0] / sums[:, 1])(resampled(rows, draws=200)), 60)
        held += low <= 0.5 <= high
    assert 0.88 <= held / 200 <= 0.98


def test_intervals_of_few_photos_hold_as_often():
    """Of means of six photos; where 95 % of the resamples lie would hold in 86 %."""
    rng, held, plainly = np.random.default_rng(6), 0, 0
    for _ in range(300):
        drawn = resampled(rng.random((6, 1)), draws=300)[:, 0] / 6
        low, high = middle(drawn, 6)
        held += low <= 0.5 <= high
        plainly += np.percentile(drawn, 2.5) <= 0.5 <= np.percentile(drawn, 97.5)
    assert plainly / 300 < 0.9 < held / 300
