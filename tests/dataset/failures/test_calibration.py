"""The expected calibration error, derived again bin by bin."""

import numpy as np
import pytest

from seewhy.dataset.failures.calibration import BINS, calibration
from seewhy.truth.accuracy import Portion


def slow_ece(chances, right):
    """As Guo et al. 2017 write it: bin m holds the answers in ((m - 1) / M, m / M]."""
    total = 0.0
    for m in range(1, BINS + 1):
        inside = [i for i, p in enumerate(chances) if (m - 1) / BINS < p <= m / BINS]
        if inside:
            accuracy = sum(bool(right[i]) for i in inside) / len(inside)
            confidence = sum(chances[i] for i in inside) / len(inside)
            total += len(inside) / len(chances) * abs(accuracy - confidence)
    return total


@pytest.fixture
def answers():
    rng = np.random.default_rng(5)
    chances = rng.uniform(0.05, 1, 200)
    return chances, rng.random(200) < chances**3  # too sure of itself


def test_the_error_is_that_of_its_formula(answers):
    found = calibration(*answers)
    assert found is not None
    assert found.ece == pytest.approx(slow_ece(*answers))
    assert found.low < found.ece < found.high
    assert found.over == pytest.approx(answers[0].mean() - answers[1].mean())
    assert sum(one.right.of for one in found.bins) == 200
    ninth = next(one for one in found.bins if one.low == 0.8)
    inside = (answers[0] > 0.8) & (answers[0] <= 0.9)
    assert ninth.right == Portion(int(answers[1][inside].sum()), int(inside.sum()))
    assert ninth.confidence == pytest.approx(answers[0][inside].mean())


def test_what_is_too_sure_is_told_from_chance_and_what_is_calibrated_is_not(answers):
    wild = calibration(*answers)
    rng = np.random.default_rng(8)
    calm = calibration(answers[0], rng.random(200) < answers[0])
    assert wild is not None
    assert calm is not None
    assert wild.p < 0.01
    assert wild.ece > 2 * wild.expected
    assert calm.p > 0.1
    assert wild.expected == calm.expected  # which depends on the probabilities alone


def test_one_of_twenty_calibrated_networks_is_called_otherwise():
    rng, called = np.random.default_rng(0), 0
    for seed in range(40):
        chances = rng.uniform(0.3, 1, 60)
        found = calibration(chances, rng.random(60) < chances, seed)
        assert found is not None
        called += found.p <= 0.05
    assert called <= 6  # of 40 in the mean 2


def test_the_edges_of_bins_belong_to_the_lower_one():
    chances = np.array([0.1, 0.2, 1.0, 0.0] * 5)
    found = calibration(chances, np.zeros(20, bool))
    assert found is not None
    assert [(one.low, one.right.of) for one in found.bins] == [(0.0, 10), (0.1, 5), (0.9, 5)]


def test_of_few_answers_nothing_is_said():
    assert calibration(np.full(19, 0.5), np.ones(19, bool)) is None
