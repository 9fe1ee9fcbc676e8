"""The first of a ranking, kept in batches: the same as of all at once, sorted plainly."""

import numpy as np
import pytest

from seewhy.inside.exciting.leaders import Leaders


@pytest.mark.parametrize("size", [1, 3, 40])
def test_batch_by_batch_is_as_all_at_once_with_ties_and_values_that_are_not_finite(size: int) -> None:
    rng = np.random.default_rng(0)
    values = rng.integers(0, 6, (4, 40)).astype(float)  # many are equal
    breakers = rng.integers(0, 3, (4, 40)).astype(float)
    values[1, 5], values[1, 8], values[2] = np.nan, np.inf, np.nan
    leaders = Leaders(4, 7)
    kept: list[set[int]] = [set() for _ in range(4)]
    for start in range(0, 40, size):
        part = slice(start, start + size)
        for target, place in leaders.meet(values[:, part], breakers[:, part], np.arange(40)[part]):
            kept[target].add(start + int(place))
    for t in range(4):
        finite = [n for n in range(40) if np.isfinite(values[t, n])]
        plain = sorted(finite, key=lambda n: (-values[t, n], -breakers[t, n], n))[:7]
        found = [int(n) for n in leaders.numbers[t] if n >= 0]
        assert found == plain
        assert {*plain} <= kept[t]  # each was told when it entered
        assert leaders.seen[t] == len(finite)
        if finite:
            assert leaders.mean(t) == pytest.approx(np.mean(values[t, finite]))
            assert leaders.least[t] == min(values[t, finite])
    assert np.isnan(leaders.mean(2))
    assert [*leaders.numbers[2]] == [-1] * 7


def test_only_what_enters_is_told() -> None:
    leaders = Leaders(1, 1)
    assert leaders.meet(np.array([[1.0, 3.0, 3.0]]), np.zeros((1, 3)), np.arange(3)).tolist() == [[0, 1]]
    assert leaders.meet(np.array([[3.0, 2.0]]), np.zeros((1, 2)), np.array([3, 4])).tolist() == []
