"""Scores of every kind in numpy, and their derivatives, against torch."""

import numpy as np
import pytest
import torch

from seewhy.models.backend.scores import chances, cotangents, scored

RAW = np.random.default_rng(0).normal(size=(3, 4)) * 2
WEIGHTS = np.random.default_rng(1).normal(size=(2, 3, 4))


def by_torch(raw: torch.Tensor, explains: str, normalised: bool, task: str | None) -> torch.Tensor:
    single = raw.shape[1] == 1 or task == "multi-label"
    p = raw if normalised else raw.sigmoid() if single else raw.softmax(1)
    return {"logits": raw, "as given": raw, "probability": p, "log-probability": p.log()}[explains]


@pytest.mark.parametrize("explains", ["logits", "as given", "probability", "log-probability"])
@pytest.mark.parametrize(
    ("width", "normalised", "task"), [(4, False, None), (4, True, None), (4, False, "multi-label"), (1, False, None)]
)
def test_scores_and_their_derivatives_are_torchs(explains, width, normalised, task):
    raw, weights = RAW[:, :width], WEIGHTS[..., :width]
    if normalised:
        raw = np.exp(raw) / np.exp(raw).sum(1, keepdims=True)
    tensor = torch.tensor(raw, requires_grad=True)
    expected = by_torch(tensor, explains, normalised, task)
    np.testing.assert_allclose(scored(raw, explains, normalised, task), expected.detach(), rtol=1e-10)
    found = cotangents(raw, weights, explains, normalised, task)
    for t in range(2):
        (g,) = torch.autograd.grad((expected * torch.tensor(weights[t])).sum(), tensor, retain_graph=True)
        np.testing.assert_allclose(found[t], g, rtol=1e-9, atol=1e-12)


def test_a_regression_has_no_probabilities():
    assert chances(RAW, False, "regression") is None
    np.testing.assert_array_equal(scored(RAW, "probability", False, "regression"), RAW)
    np.testing.assert_array_equal(cotangents(RAW, WEIGHTS, "probability", False, "regression"), WEIGHTS)
