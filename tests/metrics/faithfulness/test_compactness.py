"""Completeness, complexity and sparseness: by hand, and what they are of one place and of all places alike."""

import numpy as np
import pytest

import seewhy
from seewhy.metrics.faithfulness.compactness import completeness, complexity, sparseness
from support.measuring import WEIGHTS, linear_model

ONES = np.ones((1, 1, 4, 4), np.float32)


def test_completeness_by_hand():
    """The score is 4, and 1 with a quarter in place of each one: 4 or 3 have to be explained."""
    model = linear_model()
    assert completeness(model, ONES, [WEIGHTS], target=0)[0] == 0
    assert completeness(model, ONES, [WEIGHTS / 2], target=0)[0] == 0.5
    assert completeness(model, ONES, [-WEIGHTS], target=0)[0] == 2
    assert completeness(model, ONES, [WEIGHTS], target=0, fill=0.25)[0] == pytest.approx(1 / 3)
    assert np.isnan(completeness(model, ONES, [WEIGHTS], target=0, fill=1.0)[0])  # nothing to explain


def test_a_coarse_map_is_complete_as_its_own_cells_are():
    assert completeness(linear_model(), ONES, [np.array([[2.0, 1.0], [0.5, 0.5]])], target=0)[0] == pytest.approx(0, abs=1e-9)


def test_methods_that_promise_it_keep_it():
    """Integrated gradients sums to what the score falls, whatever of it the map shows: here the largest channel."""
    torch = pytest.importorskip("torch")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(48, 8), torch.nn.Tanh(), torch.nn.Linear(8, 3))
    model, x = seewhy.wrap(network), np.random.default_rng(0).random((2, 3, 4, 4)).astype(np.float32)
    promised = completeness(model, x, seewhy.integrated_gradients(model, x, baseline="zero", steps=100))
    plain = completeness(model, x, seewhy.gradient(model, x))
    assert (promised < 1e-3).all()
    assert (plain > 0.1).all()


def test_complexity_and_sparseness_by_hand():
    model = linear_model()
    one, uniform, two = np.zeros((4, 4)), np.ones((4, 4)), np.zeros((4, 4))
    one[1, 2], two[0, :2] = -3, (1, -3)
    expected = {"one": (0, 15 / 16), "uniform": (np.log(16), 0)}
    for values, (entropy, gini) in zip((one, uniform), expected.values(), strict=True):
        assert complexity(model, ONES, [values], target=0)[0] == pytest.approx(entropy)
        assert sparseness(model, ONES, [values], target=0)[0] == pytest.approx(gini)
    assert complexity(model, ONES, [two], target=0)[0] == pytest.approx(-(0.25 * np.log(0.25) + 0.75 * np.log(0.75)))
    assert sparseness(model, ONES, [two], target=0)[0] == pytest.approx((13 * 1 + 15 * 3) / (16 * 4))
    assert str(complexity(model, ONES, [one], target=0)[0]) == "0.0"  # and not -0.0
    for each in (complexity, sparseness):
        assert each(model, ONES, [7 * two], target=0)[0] == pytest.approx(each(model, ONES, [two], target=0)[0])
        assert np.isnan(each(model, ONES, [np.zeros((4, 4))], target=0)[0])


def test_gini_is_the_mean_difference_over_twice_the_mean():
    values = np.random.default_rng(1).standard_normal((4, 4))
    size = abs(values).reshape(-1)
    expected = abs(size[:, None] - size).mean() / (2 * size.mean())
    assert sparseness(linear_model(), ONES, [values], target=0)[0] == pytest.approx(expected)
