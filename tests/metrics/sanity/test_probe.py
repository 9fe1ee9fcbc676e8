"""A head fitted to labels: the gradient of what is minimised is zero there, and separable classes are told apart."""

import sys

import numpy as np
import pytest

import seewhy
from seewhy.metrics.sanity.probe import PENALTY, fitted_head


def test_the_gradient_of_the_penalised_likelihood_is_zero():
    pytest.importorskip("scipy")
    rng = np.random.default_rng(0)
    features = np.concatenate(
        [rng.standard_normal((60, 5)) * [1, 10, 0.1, 3, 1] + [0, 5, 0, -100, 0], np.full((60, 1), 7.0)], 1
    )
    labels = rng.integers(0, 4, 60)
    head = fitted_head(features, labels, 4)
    scores = features @ head.weight.T + head.bias
    p = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
    short = (p - np.eye(4)[labels]) / 60
    mean, spread = features.mean(0), features.std(0)
    spread[5] = 1  # the column that is the same for all
    slope = ((features - mean) / spread).T @ short + 2 * PENALTY * (head.weight * spread).T
    assert np.abs(slope).max() < 1e-5
    assert np.abs(short.sum(0)).max() < 1e-5
    assert head.right == (scores.argmax(1) == labels).mean()


def test_any_labels_of_few_points_in_many_dimensions_are_learned():
    pytest.importorskip("scipy")
    rng = np.random.default_rng(1)
    assert fitted_head(rng.standard_normal((30, 40)), rng.integers(0, 10, 30), 10).right == 1


def test_without_scipy_it_is_said_what_brings_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy.optimize", None)
    with pytest.raises(seewhy.MissingExtra, match="localize"):
        fitted_head(np.zeros((2, 2)), np.array([0, 1]), 2)
