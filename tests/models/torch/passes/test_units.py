"""Units as scores: what single channels of a layer find, read where the network stops."""

from typing import NamedTuple

import numpy as np
import pytest
import torch
from torch import nn
from torch.testing import assert_close

import seewhy
from seewhy import Unit
from seewhy.models.torch.passes.units import End, unit_scores
from seewhy.models.torch.places.layout import Layout, Located
from support import ask, layouts, networks
from support.dimensions import SPACES, bold, pointwise

X = torch.as_tensor(networks.images(2, 12, 12, seed=3)).float()


class Whole(NamedTuple):
    """A stand-in for the runner of the whole network: it knows how each layer lies, and nothing else."""

    layout: Layout | None

    def following(self, layers, x):
        """Nothing has to be followed: it is known already."""

    def located(self, layer, a, x):
        return Located(tuple(a.shape), self.layout)


class Repeating(nn.Module):
    """The same convolution three times, and an end that must not run."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.end = nn.Conv2d(3, 3, 3, padding=1), Failing()

    def forward(self, x):
        return self.end(self.conv(self.conv(self.conv(x))))


class Failing(nn.Module):
    def forward(self, x):
        raise AssertionError("what lies behind the layer ran")


MAPS = layouts.first(3, (12, 12))


def scores(end, calls=3, network=None):
    network = network or Repeating()
    return network, unit_scores(lambda: network(X), network, X, end, calls)


def activation(network, calls):
    a = X
    for _ in range(calls):
        a = network.conv(a)
    return a


@pytest.mark.parametrize(("layer", "calls"), [("conv", 3), ("conv", 2), ("conv#1", 3), ("conv#2", 3)])
def test_the_call_that_is_meant_is_read(layer, calls):
    network, found = scores(End(layer, "sum", Whole(MAPS)), calls)
    assert_close(found, activation(network, int(layer[5:] or calls)).sum((2, 3)))


PLACES = {"sum": lambda a: a.sum((2, 3)), "max": lambda a: a.amax((2, 3)), (4, 7): lambda a: a[:, :, 4, 7],
          (-1, 0): lambda a: a[:, :, 11, 0]}  # fmt: skip


@pytest.mark.parametrize("at", PLACES, ids=str)
def test_the_place_that_is_meant_is_read(at):
    network, found = scores(End("conv", at, Whole(MAPS)), 1)
    assert_close(found, PLACES[at](activation(network, 1)))


def test_of_equal_maxima_one_place_has_the_gradient():
    network = nn.Sequential(nn.Identity())
    x = torch.ones(1, 2, 3, 3, requires_grad=True)
    found = unit_scores(lambda: network(x), network, x, End("0", "max", Whole(layouts.first(2, (3, 3)))), 1)
    (g,) = torch.autograd.grad(found.sum(), x)
    assert g.flatten(2).sum(2).tolist() == [[1, 1]]
    assert int((g != 0).sum()) == 2


def test_tokens_of_no_place_are_left_out():
    network, x = nn.Sequential(nn.Identity()), torch.randn(2, 5, 3, generator=torch.Generator().manual_seed(0))
    found = unit_scores(lambda: network(x), network, x, End("0", "sum", Whole(layouts.tokens(3, (2, 2), before=1))), 1)
    assert_close(found, x[:, 1:].sum(1))


def test_vectors_are_their_own_units():
    network, x = nn.Sequential(nn.Flatten(), nn.Linear(3 * 144, 4)), X
    found = unit_scores(lambda: network(x), network, x, End("1", "max", Whole(None)), 1)
    assert_close(found, network(x))


def test_what_has_no_place_has_no_units():
    with pytest.raises(seewhy.NotApplicable, match=r"conv emits \(2, 3, 12, 12\) for 2 images"):
        scores(End("conv", "max", Whole(None)))


@pytest.mark.parametrize("at", [(1, 2, 3), (12, 0), (1,), "mean", 3])
def test_a_place_that_the_layer_does_not_have(at):
    with pytest.raises(seewhy.BadParameter, match=r"whose grid is \(12, 12\)"):
        scores(End("conv", at, Whole(MAPS)))


def test_a_layer_that_does_not_run_so_often():
    network = nn.Sequential(nn.Conv2d(3, 3, 1))
    with pytest.raises(seewhy.NoSuchName, match="runs 1 times"):
        unit_scores(lambda: network(X), network, X, End("0", "max", Whole(MAPS)), 2)


CELLS = {1: (5,), 2: (1, 4), 3: (1, 2, 3)}


@pytest.mark.parametrize("d", SPACES)
def test_a_unit_in_a_cell_of_any_grid(d):
    cell = CELLS[d]
    network = bold(lambda: pointwise(d))
    x = torch.tensor(np.random.default_rng(d).normal(size=(1, 2, *SPACES[d])), requires_grad=True)
    (g,) = torch.autograd.grad(network.get_submodule("1")(network.get_submodule("0")(x))[(0, 1, *cell)], x)
    unit = Unit.parse(f"unit:1:1:{','.join(map(str, cell))}")
    assert (unit, str(unit)) == (Unit("1", 1, at=cell), f'unit:"1":1:{",".join(map(str, cell))}')
    (m,) = seewhy.gradient(seewhy.wrap(network), x.detach().numpy(), target=unit, reduce="sum")
    ask.close(m.values, g[0].sum(0).numpy(), 1e-6)
    wrong = (*cell, 0)
    with pytest.raises(seewhy.BadParameter, match="whose grid is"):
        seewhy.gradient(seewhy.wrap(network), x.detach().numpy(), target=Unit("1", 1, at=wrong))
    for text in ("unit:1:1:1,", "unit:1:1:,1", "unit:1:1:-1"):
        with pytest.raises(seewhy.BadParameter, match="unit:LAYER:CHANNEL"):
            Unit.parse(text)
