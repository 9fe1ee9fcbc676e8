"""Images of which the first places of an order are hidden."""

import numpy as np
import pytest

from seewhy.errors import BadParameter
from seewhy.metrics.faithfulness.imputation import imputed
from seewhy.metrics.faithfulness.removal import NOISE, hidden, key_of, steps_of
from seewhy.metrics.subject import subjects
from support.measuring import WEIGHTS, linear_model

X = np.random.default_rng(0).random((1, 1, 4, 4)).astype(np.float32)


def test_steps_go_evenly_from_none_to_all():
    assert steps_of(16, 4).tolist() == [0, 4, 8, 12, 16]
    assert steps_of(16, 3).tolist() == [0, 5, 11, 16]
    assert steps_of(3, 10).tolist() == [0, 1, 2, 3]
    with pytest.raises(BadParameter, match="from 1 on"):
        steps_of(16, 0)


def test_the_first_places_of_the_order_are_hidden():
    weights = np.random.default_rng(1).standard_normal((4, 4))
    for subject, _ in subjects(linear_model(weights), X, [weights], target=0):
        order, counts = np.random.default_rng(2).permutation(16), [0, 3, 16, 7]
        found = hidden(subject, order, counts, 0.5).scores
        for count, score in zip(counts, found, strict=True):
            image = X[0, 0].astype(np.float64).reshape(-1)
            image[order[:count]] = 0.5
            assert score == pytest.approx(float(image @ weights.reshape(-1)), rel=1e-5)


def test_linear_imputes_and_all_hidden_is_the_mean():
    for subject, _ in subjects(linear_model(), X, [WEIGHTS], target=0):
        order = np.arange(16)
        found = hidden(subject, order, [0, 6, 16], "linear").scores
        mask = (np.arange(16) < 6).reshape(4, 4)
        seen = imputed(X[0], mask, NOISE * X[0].std(), subject.rng("imputation"))
        assert found[0] == pytest.approx(X[0, 0, 0].sum())
        assert found[1] == pytest.approx(seen[0, 0].sum(), rel=1e-6)
        assert found[2] == pytest.approx(4 * X.mean(), rel=1e-6)


def test_what_is_asked_in_the_same_way_runs_once():
    calls = []
    for subject, _ in subjects(linear_model(calls=calls), X, [WEIGHTS], target=0):
        calls.clear()
        for _ in range(2):
            hidden(subject, np.arange(16), [0, 3, 16], "zero")
        assert sum(calls) == 2
        hidden(subject, np.arange(16)[::-1], [3, 16], "zero")
        hidden(subject, np.arange(16), [3], "mean")
        assert sum(calls) == 4


def test_fills_are_told_apart():
    first, other = np.zeros((1, 4, 4)), np.ones((1, 4, 4))
    assert key_of(first) == key_of(first.copy()) != key_of(other)
    assert len({key_of("zero"), key_of("blur"), key_of(0.5), key_of([0.1, 0.2]), key_of([0.1, 0.3])}) == 5
    assert key_of([0.1, 0.2]) == key_of((0.1, 0.2))
