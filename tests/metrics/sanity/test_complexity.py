"""Efficient MPRT: the entropy of a map by hand, and its rise where all weights are random."""

import numpy as np
import pytest

import seewhy
from seewhy import metrics
from seewhy.metrics.sanity.complexity import entropy
from seewhy.models.torch.working_copy import TorchWorkingCopy
from support.small import small_network

X = np.random.default_rng(0).standard_normal((3, 3, 12, 12)).astype(np.float32)


def network():
    return small_network()


def test_the_entropy_of_a_histogram_by_hand():
    halves = np.array([[0, 0, 1, 1], [0, 0, 1, 1], [0, 0, 1, 1], [0, 0, 1, 1]], float)  # in two of four bins
    assert entropy(halves) == pytest.approx(np.log(2))
    assert entropy(np.arange(16.0).reshape(4, 4)) == pytest.approx(np.log(4))  # in four bins, four each
    quarter = np.array([0.0] * 12 + [1.0] * 4).reshape(4, 4)
    assert entropy(quarter) == pytest.approx(-0.75 * np.log(0.75) - 0.25 * np.log(0.25))
    assert entropy(np.full((4, 4), 3.0)) == 0
    assert entropy(np.random.default_rng(1).random((300, 300))) == pytest.approx(np.log(100), abs=0.01)  # 100 bins at most
    assert entropy(-7 * halves + 2) == pytest.approx(entropy(halves))


def test_the_rise_is_that_of_the_maps_before_and_after():
    model = seewhy.wrap(network())
    found = metrics.efficient_mprt(model, X, ["gradient", "random-map"], seed=4)
    rise = found["gradient", "input"]
    copy = TorchWorkingCopy(model, X)
    copy.randomise(copy.stages, 4)
    classes = [m.source.index for m in seewhy.gradient(model, X)]
    for i in range(3):
        (before,) = seewhy.gradient(model, X[i : i + 1], classes[i])
        (after,) = seewhy.gradient(copy.model, X[i : i + 1], classes[i])
        assert rise.trained.values[i] == pytest.approx(entropy(before.values))
        assert rise.random.values[i] == pytest.approx(entropy(after.values))
        assert rise.rise.values[i] == pytest.approx(entropy(after.values) / entropy(before.values) - 1)
    assert found["random-map", "3"].rise.values == (0, 0, 0)  # it does not look at the network


def test_draws_are_averaged():
    model = seewhy.wrap(network())
    both = metrics.efficient_mprt(model, X[:1], "gradient", draws=2)["gradient", "input"].random.mean
    each = [metrics.efficient_mprt(model, X[:1], "gradient", seed=seed)["gradient", "input"].random.mean for seed in (0, 1)]
    assert both == pytest.approx(np.mean(each))
