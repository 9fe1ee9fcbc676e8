"""Whether facts tell classes, held against counting by hand, SciPy's ranks, and chance."""

from itertools import product

import numpy as np
import pytest
from scipy import stats

from seewhy.dataset.auditing.dependence import dependences, pairs_told

GROUPS = ["a"] * 10 + ["b"] * 10 + ["c"] * 10


def test_pairs_are_counted_as_by_hand():
    rng = np.random.default_rng(0)
    some, rest = rng.integers(0, 5, 7).astype(float), rng.integers(0, 5, 9).astype(float)
    by_hand = np.mean([1.0 if a > b else 0.5 if a == b else 0.0 for a, b in product(some, rest)])
    assert pairs_told(some, rest) == pytest.approx(by_hand)
    assert pairs_told(some, rest) == pytest.approx(stats.mannwhitneyu(some, rest).statistic / (7 * 9))


def test_a_fact_that_tells_a_class_is_found_and_the_others_are_not():
    rng = np.random.default_rng(1)
    table = {"width": rng.normal(500, 50, 30), "height": rng.normal(500, 50, 30)}
    table["width"][:10] += 300
    found = dependences(table, GROUPS)
    first = found[0]
    assert (first.explained, first.fact, first.photos) == ("a", "width", 10)
    assert first.told == 1.0
    assert first.own == pytest.approx(np.median(table["width"][:10]))
    assert first.others == pytest.approx(np.median(table["width"][10:]))
    assert first.p < 0.01
    assert [each for each in found if each.tells] == [first]
    assert "tells 100 % of pairs apart" in str(first)
    assert len(found) == 6


def test_p_is_that_of_the_greatest_rank_sum_under_exchanges():
    """With one class against one other and one fact, it is the permutation test of the rank sum, by SciPy."""
    rng = np.random.default_rng(2)
    values = rng.normal(size=16)
    values[:8] += 0.9
    groups = ["a"] * 8 + ["b"] * 8
    (a, b) = dependences({"file_bytes": values}, groups, draws=3999)
    ranks = stats.rankdata(values)
    test = stats.permutation_test(
        (ranks[:8], ranks[8:]), lambda x, y: x.mean() - y.mean(), permutation_type="independent", n_resamples=np.inf
    )
    assert a.p == b.p == pytest.approx(test.pvalue, abs=0.01)


def test_unknown_values_are_left_out():
    values = np.r_[np.full(10, 95.0), np.full(15, 75.0), np.full(5, np.nan)]
    first = dependences({"jpeg_quality": values}, GROUPS)[0]
    assert (first.explained, first.own, first.others, first.told) == ("a", 95, 75, 1)
    assert first.p < 0.01
    nothing = np.r_[np.full(10, np.nan), np.arange(20.0)]
    assert {each.explained for each in dependences({"jpeg_quality": nothing}, GROUPS)} == {"b", "c"}


def test_a_size_is_told_as_a_share():
    table = {"size 10 x 20": np.r_[np.ones(9), 0, np.zeros(20)]}
    first = dependences(table, GROUPS)[0]
    assert (first.own, first.others) == (0.9, 0.0)
    assert first.told == pytest.approx(0.95)
    assert "90 % on 10 photos, 0 % on those" in str(first)
    assert not first.background


def test_by_chance_hardly_any_set_has_a_fact_that_tells():
    false = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        table = {name: rng.normal(size=30) for name in ("width", "height", "file_bytes")}
        false += any(each.p <= 0.05 for each in dependences(table, GROUPS, seed, draws=199))
    assert false <= 6  # of 40 at 5 %: more come in 1 case of 300


def test_few_photos_are_not_asked():
    assert dependences({"width": np.arange(8.0)}, ["a"] * 4 + ["b"] * 4) == ()
    assert dependences({}, GROUPS) == ()
    found = dependences({"width": np.arange(12.0)}, ["a"] * 2 + ["b"] * 5 + ["c"] * 5)
    assert {each.explained for each in found} == {"b", "c"}
