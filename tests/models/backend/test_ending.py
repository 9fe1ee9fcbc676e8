"""What is pooled before the last linear layer, and the gradient toward it."""

import numpy as np
import pytest
import torch

from seewhy.errors import NotApplicable
from seewhy.models.backend.ending import closed_form, pooled

A = np.random.default_rng(0).normal(size=(2, 4, 3, 5))
W = np.random.default_rng(1).normal(size=(2, 2, 4))


@pytest.mark.parametrize("relu", [False, True])
def test_the_closed_form_is_autograds(relu):
    a = torch.tensor(A, requires_grad=True)
    mean = (a.relu() if relu else a).mean((2, 3))
    found = pooled(A, mean.detach().numpy(), "layer", "net")
    np.testing.assert_allclose(found.a, A.clip(min=0) if relu else A)
    gradients = closed_form(W, found.slope)
    for t in range(2):
        (g,) = torch.autograd.grad((mean * torch.tensor(W[t])).sum(), a, retain_graph=True)
        np.testing.assert_allclose(gradients[t], g, rtol=1e-12)


def test_what_is_not_pooled_is_refused():
    with pytest.raises(NotApplicable, match=r"right after block; in net something else"):
        pooled(A, A.max((2, 3)), "block", "net")
