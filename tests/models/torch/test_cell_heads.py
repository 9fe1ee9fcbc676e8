"""Heads for cells: their scores by hand, gradients, and a network that keeps what it is."""

import numpy as np
import pytest
import torch
from torch import nn

import seewhy
from seewhy.models.torch.cell_heads import CellHeads
from support.small import small_network

X = np.random.default_rng(0).standard_normal((2, 3, 16, 16))


def network():
    return small_network((5, 4), padding=1, stride=2).double()


def test_the_scores_of_a_cell_are_the_heads_of_its_part_of_the_layer():
    model = seewhy.wrap(network(), name="small")
    heads = model.with_cell_heads("3", 2, X)
    scores = heads.answer(X).scores
    assert scores.shape == (2, 12)
    x = torch.as_tensor(X).requires_grad_()
    a = network()[:4](x)
    for j in range(4):
        top, left = j // 2 * 4, j % 2 * 4
        part = network()[4:](a[:, :, top : top + 4, left : left + 4])
        assert scores[:, 3 * j : 3 * j + 3] == pytest.approx(part.detach().numpy())
        pixels, at = torch.autograd.grad(part[:, 1].sum(), [x, a], retain_graph=True)
        trace = heads.trace(X, [seewhy.Class(3 * j + 1)], ["network.3", "input"])
        assert trace.evidence["network.3"].a.numpy() == pytest.approx(a.detach().numpy())
        assert trace.evidence["network.3"].g[0].numpy() == pytest.approx(at.numpy())
        assert trace.evidence["input"].g[0].numpy() == pytest.approx(pixels.numpy())
    assert not any(module._forward_hooks for module in model.network.modules())
    assert model.answer(X).scores == pytest.approx(network()(torch.as_tensor(X)).detach().numpy())


def test_its_weights_are_those_of_the_network_once():
    own = network()
    heads = CellHeads(own, own[3], 2, "small")
    assert [*map(id, heads.parameters())] == [*map(id, own.parameters())]
    assert "network.3" in dict(heads.named_modules())


def test_what_the_grid_does_not_divide_is_refused():
    model = seewhy.wrap(network(), name="small")
    with pytest.raises(seewhy.SeewhyError, match="3 x 3 cells do not divide"):
        model.with_cell_heads("3", 3, X)
    with pytest.raises(seewhy.NotApplicable, match="gives classes"):
        model.upto("3").with_cell_heads("1", 2, X)
    twice = nn.Sequential(nn.Conv2d(3, 3, 1), nn.ReLU(), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()).double().eval()
    twice[2] = twice[1]
    with pytest.raises(seewhy.NotApplicable, match="several times"):
        seewhy.wrap(twice).with_cell_heads("1#2", 2, X)
