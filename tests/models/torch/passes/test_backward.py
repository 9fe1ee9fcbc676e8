"""Gradients of several explained scores at once: those of each alone, in whatever batches they go back."""

import numpy as np
import pytest
import torch
from torch import nn

import seewhy
from seewhy.models.torch.passes import backward
from seewhy.models.torch.passes.backward import TRAINED, gradients

RNG = torch.Generator().manual_seed(0)
X = torch.randn(2, 3, dtype=torch.float64, generator=RNG)
W = torch.randn(4, 3, dtype=torch.float64, generator=RNG)
TARGETS = np.array([np.eye(4)[[i, (i + 1) % 4]] for i in range(3)])  # (3, 2, 4): another class of each image


class Alone(torch.autograd.Function):
    """The exponential function, whose way back takes no batch of gradients."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x.exp()

    @staticmethod
    def backward(ctx, *grads):
        assert grads[0].sum().item() != np.inf  # reads a value, which a batch of gradients does not have
        return grads[0] * ctx.saved_tensors[0].exp()


@pytest.fixture
def x():
    return X.clone().requires_grad_()


@pytest.mark.parametrize("at_once", [1, 2, 3, 8])
@pytest.mark.parametrize("exp", [torch.exp, Alone.apply])
def test_every_target_has_its_own_gradient(at_once, exp, x):
    scores = exp(x @ W.T)
    (found,) = gradients(scores, [x], TARGETS, at_once)
    expected = np.einsum("tnk,nk,kc->tnc", TARGETS, (X @ W.T).exp().numpy(), W.numpy())
    assert found is not None
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-12)


def test_what_nothing_connects_has_none(x):
    other = torch.ones(3, requires_grad=True)
    found = gradients(x @ W.T, [other, x], TARGETS, 2)
    assert found[0] is None
    assert found[1] is not None
    assert gradients((x @ W.T).detach(), [x, other], TARGETS) == [None, None]


def test_the_graph_stays_where_another_call_is_to_come(x):
    scores = (x @ W.T).exp()
    first = gradients(scores, [x], TARGETS, 2, keep=True)
    again = gradients(scores, [x], TARGETS, 2)
    assert first[0] is not None
    assert again[0] is not None
    torch.testing.assert_close(first[0], again[0])
    with pytest.raises(seewhy.BadNetwork, match="way back"):
        gradients(scores, [x], TARGETS, 2)


class Failing(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, *grads):
        raise RuntimeError("no way back\nand more lines")


def test_a_way_back_that_fails_is_told_in_its_first_line(x):
    with pytest.raises(seewhy.BadNetwork, match=r"failed: no way back\. Is a part of it checkpointed or compiled\?"):
        gradients(Failing.apply(x), [x], TARGETS[:, :, :3])


@pytest.mark.parametrize(("threads", "advice"), [(1, "checkpointed or compiled"), (2, "trained in another thread")])
def test_weights_that_were_written_over_meanwhile_are_told(threads, advice, x, monkeypatch):
    monkeypatch.setattr(backward, "active_count", lambda: threads)
    weight = nn.Parameter(W.clone())
    scores = x @ weight.T
    with torch.no_grad():
        weight.mul_(2)
    with pytest.raises(seewhy.BadNetwork, match=advice):
        gradients(scores, [x], TARGETS)
    assert advice not in TRAINED or "deepcopy" in TRAINED


def test_memory_that_runs_out_is_no_fault_of_the_network(x, monkeypatch):
    monkeypatch.setattr(backward, "out_of_memory", lambda error: True)
    with pytest.raises(RuntimeError, match="no way back") as caught:
        gradients(Failing.apply(x), [x], TARGETS[:, :, :3], 2)
    assert not isinstance(caught.value, seewhy.BadNetwork)
