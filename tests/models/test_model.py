"""Records that every adapter gives."""

import numpy as np
import pytest

from seewhy.errors import BadParameter
from seewhy.models.model import Evidence, Tokens, softmax


def test_softmax_sums_to_one_and_does_not_overflow():
    logits = np.array([[0.0, np.log(3)], [1000.0, 1000.0], [-1000.0, 0.0]])
    np.testing.assert_allclose(softmax(logits), [[0.25, 0.75], [0.5, 0.5], [0, 1]], atol=1e-12)


def test_one_logit_is_a_sigmoid():
    np.testing.assert_allclose(softmax(np.array([[0.0], [np.log(3)]])), [[0.5], [0.75]])


def test_a_second_derivative_is_asked_for_by_the_rules():
    a = np.ones((1, 2, 3))
    with pytest.raises(BadParameter, match="twice=True"):
        Evidence(a, a[None]).hessian(0, a)
    evidence = Evidence(a, a[None], lambda t, v: (t + 1) * v)
    assert (evidence.hessian(1, a) == 2).all()
    with pytest.raises(BadParameter, match=r"\(1, 2, 3\) numbers is multiplied by as many, not by \(1, 2\)"):
        evidence.hessian(0, a[..., 0])


def test_tokens_of_a_grid_are_put_back_into_it():
    tokens = Tokens(8, (2, 3), 1)  # a class token, 2 x 3 patches, and one more
    rows = np.arange(16).reshape(2, 8)
    assert tokens.in_image == slice(1, 7)
    assert tokens.grid_of(rows)[1].tolist() == [[9, 10, 11], [12, 13, 14]]
