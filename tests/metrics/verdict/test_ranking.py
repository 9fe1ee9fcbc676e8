"""Rankings against the same numbers by hand, slow and plain."""

from itertools import product
from math import ceil, sqrt

import numpy as np
import pytest

from seewhy.metrics.verdict.ranking import FEASIBLE, differences, first_share, further, ranked

PHOTOS = np.random.default_rng(0).normal(size=10)  # what each photo adds to all methods alike
GOOD, SAME = PHOTOS + 1, PHOTOS + 1 + np.tile([0.01, -0.011], 5)
VALUES = {"bad": PHOTOS + np.linspace(0, 0.2, 10), "good": GOOD, "same": SAME, "random-map": PHOTOS, "centre": PHOTOS + 5}


def flips(pairs):
    """p of a paired difference: the share of all signs whose sum lies as far from 0."""
    sums = [
        abs(sum(sign * each for sign, each in zip(signs, pairs, strict=True))) for signs in product((1, -1), repeat=len(pairs))
    ]
    return sum(each >= abs(sum(pairs)) * (1 - 1e-9) for each in sums) / len(sums)


def test_the_best_is_no_control_and_ties_are_told():
    rows = ranked(VALUES, "higher")
    assert [row.method for row in rows] == ["centre", "good", "same", "bad", "random-map"]
    by_name = {row.method: row for row in rows}
    assert [row.method for row in rows if row.first] == ["good"]
    assert by_name["good"].to_best is None
    assert not by_name["good"].tied
    assert by_name["same"].tied
    assert not by_name["bad"].tied
    assert by_name["bad"].to_best.mean == pytest.approx(float((VALUES["bad"] - GOOD).mean()))
    assert by_name["bad"].to_best.settled
    assert by_name["bad"].to_best.further is None
    assert by_name["centre"].to_random is by_name["random-map"].to_random is None
    assert by_name["good"].to_random.settled
    assert by_name["good"].to_random.mean == pytest.approx(1)
    assert by_name["good"].to_centre.mean == pytest.approx(-4)
    assert by_name["good"].to_centre.settled
    assert by_name["good"].to_centre.p == pytest.approx(3 * flips(GOOD - VALUES["centre"]))  # three methods, alike
    assert by_name["centre"].to_centre is by_name["random-map"].to_centre is None


def test_p_is_that_of_all_signs_adjusted_by_hand():
    found = differences({"bad": VALUES["bad"], "same": SAME}, GOOD)
    p = {method: flips(VALUES[method] - GOOD) for method in found}
    assert p["bad"] == 2 / 2**10
    assert p["bad"] < p["same"] <= 1
    assert found["bad"].p == pytest.approx(2 * p["bad"])  # the smaller of two is doubled, the other stays
    assert found["same"].p == pytest.approx(max(2 * p["bad"], p["same"]))


def test_where_lower_is_better_the_order_turns_and_differences_count_the_other_way():
    rows = ranked({"a": GOOD, "b": GOOD - 2}, "lower")
    assert [row.method for row in rows] == ["b", "a"]
    assert rows[1].to_best.mean == pytest.approx(-2)
    assert rows[1].to_best.settled


def test_numbers_that_are_not_defined_are_left_out_of_the_pairs():
    gaps = np.where(np.arange(10) < 3, np.nan, GOOD - 1)
    row = next(
        row for row in ranked({"good": GOOD, "gaps": gaps, "none": np.full(10, np.nan)}, "higher") if row.method == "gaps"
    )
    assert (row.photos, row.to_best.photos) == (7, 7)
    assert row.mean == pytest.approx(float((GOOD - 1)[3:].mean()))
    assert row.to_best.mean == pytest.approx(-1)


def test_rounding_is_no_difference():
    """Each number is a little less, always: by so little that no reader would call it a difference."""
    row = next(row for row in ranked({"a": GOOD, "b": GOOD - 1e-6}, "higher") if row.method == "b")
    assert (row.to_best.mean, row.to_best.low, row.to_best.high, row.to_best.p) == (0, 0, 0, 1)
    assert row.tied
    assert row.to_best.further is None


def test_one_photo_settles_nothing():
    rows = ranked({"a": np.array([0.0]), "b": np.array([1.0]), "random-map": np.array([-5.0])}, "higher")
    assert rows[1].method == "a"
    assert rows[1].tied
    assert not rows[0].to_random.settled


def test_how_many_more_photos_a_tie_would_take():
    pairs = np.array([0.3, -0.2, 0.1, 0.2, -0.1])
    s = sqrt(sum((each - 0.06) ** 2 for each in pairs) / 4)
    assert further(pairs) == ceil((1.959964 * s / 0.06) ** 2) - 5
    assert further(pairs, tests=2) == ceil((2.241403 * s / 0.06) ** 2) - 5  # 97.5 % of both sides
    assert further(np.array([1.0, 1.01, 0.99])) == 6 - 3  # 2 / 2^5 is more than 0.05
    assert further(np.array([1.0, 1.01, 0.99]), tests=8) == 9 - 3  # 2 / 2^8 is more than 0.05 / 8
    assert further(np.zeros(9)) is None
    assert further(np.array([1e-12, 2e-12]), least=1e-9) is None
    assert further(np.array([1.0])) is None
    assert further(np.array([1.0, -1.0 + 1e-4])) is None  # more than FEASIBLE
    assert FEASIBLE < (1.96 * 1.414 / 5e-5) ** 2


def test_after_as_many_more_photos_it_is_settled():
    """Photos like these, as often as is said: the tie is broken, and with a quarter of them it is not."""
    pairs = np.random.default_rng(3).normal(0.25, 1, 12)
    more = further(pairs)
    total = len(pairs) + more
    like = pairs.mean() + pairs.std(ddof=1) * np.random.default_rng(0).permutation(_normal(total))
    assert differences({"a": like}, np.zeros(total))["a"].low == pytest.approx(0, abs=0.03)
    few = pairs.mean() + pairs.std(ddof=1) * _normal(max(6, total // 4))
    assert not differences({"a": few}, np.zeros(len(few)))["a"].settled


def _normal(n):
    drawn = np.random.default_rng(7).normal(size=n)
    return (drawn - drawn.mean()) / drawn.std(ddof=1)


def test_how_sure_the_first_is():
    a, b = GOOD, GOOD - 1
    assert first_share({"a": a, "b": b}, "higher", ("a",)) == 1
    assert first_share({"a": a, "b": b}, "lower", ("a",)) == 0
    assert first_share({"a": a, "b": a}, "higher", ("b",)) == 1  # best alike
    mixed = GOOD + np.tile([1.0, -1.0], 5)
    assert 0.3 < first_share({"a": a, "b": mixed}, "higher", ("a",)) < 0.9
    assert first_share({"a": np.full(3, np.nan), "b": np.ones(3)}, "higher", ("a",)) is None


def test_of_hits_alone_the_interval_is_not_a_point():
    """Wilson's of 12 hits of 12: from n / (n + z^2) to 1."""
    (row,) = ranked({"a": np.r_[np.ones(12), np.nan]}, "higher")
    assert (row.low, row.high) == pytest.approx((12 / (12 + 1.959964**2), 1))
