"""A sparse autoencoder made by hand: its features are known, and so is what they give back."""

import numpy as np
import pytest

from seewhy.errors import BadParameter
from seewhy.inside.concepts.autoencoder import Autoencoder

D, M = 3, 6
DIRECTIONS = np.concatenate([np.eye(D), -np.eye(D)])  # a feature for each axis and side


def coder(kind="relu", k=None, threshold=None, bias=(0, 0, 0), centred=True):
    return Autoencoder(DIRECTIONS.T, np.zeros(M), DIRECTIONS, np.array(bias, float), kind, centred, k, threshold)


A = np.random.default_rng(0).normal(size=(7, D))


@pytest.mark.parametrize("bias", [(0, 0, 0), (0.5, -1, 2)])
def test_features_of_both_sides_of_each_axis_give_everything_back(bias):
    made = coder(bias=bias)
    features = made.encode(A)
    for row, found in zip(A - bias, features, strict=True):
        np.testing.assert_allclose(found, [*(max(v, 0) for v in row), *(max(-v, 0) for v in row)], atol=1e-12)
    np.testing.assert_allclose(made.decode(features), A, atol=1e-12)


def test_topk_keeps_the_greatest_of_each_place():
    features, whole = coder("topk", 2).encode(A), coder().encode(A)
    for row, full in zip(features, whole, strict=True):
        kept = sorted(range(M), key=lambda j: -full[j])[:2]
        np.testing.assert_allclose(row, [full[j] if j in kept else 0 for j in range(M)])
    np.testing.assert_allclose(coder("topk", M).encode(A), whole)


def test_topk_keeps_nothing_that_is_not_above_zero():
    made = Autoencoder(np.eye(D), np.zeros(D), np.eye(D), np.zeros(D), "topk", False, 2)
    np.testing.assert_allclose(made.encode(np.array([[-1.0, 3.0, -2.0]])), [[0, 3, 0]])


def test_jumprelu_keeps_values_above_a_threshold_as_they_are():
    features = coder("jumprelu", threshold=np.full(M, 0.7)).encode(A)
    np.testing.assert_allclose(features, np.where(coder().encode(A) > 0.7, coder().encode(A), 0))
    assert ((features > 0) & (features < 0.7)).sum() == 0


def test_parts_that_do_not_fit_are_said():
    with pytest.raises(BadParameter, match=r"the decoder_bias is of \(3,\), not \(2,\)"):
        coder(bias=(0, 0))
    with pytest.raises(BadParameter, match="kind='relus': an autoencoder is relu, topk, jumprelu"):
        coder("relus")
    with pytest.raises(BadParameter, match="topk needs k"):
        coder("topk")
    with pytest.raises(BadParameter, match="jumprelu needs a threshold"):
        coder("jumprelu")
    for k in (0, -1, 1.5):
        with pytest.raises(BadParameter, match="k is a whole number from 1 on"):
            coder("topk", k)
    for encoder in (np.zeros(3), [[1.0]]):
        with pytest.raises(BadParameter, match=r"The encoder is an array \(channels, features\), not a"):
            Autoencoder(encoder, np.zeros(M), DIRECTIONS, np.zeros(D), "relu", False)
    with pytest.raises(BadParameter, match=r"The decoder_bias of .* that holds NaN"):
        coder(bias=(0, np.nan, 0))
    with pytest.raises(BadParameter, match=r"The decoder_bias of .*; this is a list"):
        Autoencoder(DIRECTIONS.T, np.zeros(M), DIRECTIONS, [0.0] * D, "relu", False)


def test_a_bias_is_taken_away_first_only_where_it_is_said():
    bias = np.array([0.5, -1, 2])
    np.testing.assert_allclose(coder(bias=bias, centred=False).encode(A), coder().encode(A))
    np.testing.assert_allclose(coder(bias=bias).encode(A), coder().encode(A - bias))
    assert (coder().channels, coder().features) == (D, M)
