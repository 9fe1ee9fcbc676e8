"""Random weights are the same every time, and leave the random numbers of everybody else alone."""

import random

import numpy as np
import pytest
import torch

import seewhy
from seewhy.errors import BadParameter
from seewhy.models.zoo.drawing import drawing, drawing_torch, left_as_drawn, seeded
from seewhy.models.zoo.sources import Request

SPECS = ["demo/honest", "timm/test_resnet", "torchvision/squeezenet1_1"]


def state() -> tuple:
    return random.getstate(), str(np.random.get_state(legacy=False)), torch.get_rng_state().tolist()


def weights(model) -> np.ndarray:
    return np.concatenate([weight.detach().numpy().ravel() for weight in model.network.parameters()])


@pytest.mark.parametrize("spec", SPECS)
def test_the_same_seed_gives_the_same_network_and_moves_no_stream(spec):
    before = state()
    first, again, other = (seewhy.load(spec, weights="random", options=o) for o in ({}, {"seed": 0}, {"seed": 1}))
    assert state() == before
    assert np.array_equal(weights(first), weights(again))
    assert not np.array_equal(weights(first), weights(other))
    assert [model.weights for model in (first, again, other)] == ["random, seed 0", "random, seed 0", "random, seed 1"]


def test_a_constructor_that_fails_moves_no_stream():
    before = state()
    with pytest.raises(ZeroDivisionError), drawing_torch(3):
        _ = torch.rand(3), random.random(), np.random.rand(), 1 / 0
    assert state() == before


def test_python_numpy_and_torch_draw_from_the_seed():
    def drawn(seed):
        with drawing_torch(seed):
            return random.random(), float(np.random.rand()), float(torch.rand(()))

    assert drawn(5) == drawn(5) != drawn(6)
    with drawing(5):
        assert random.random() == drawn(5)[0]


@pytest.mark.parametrize("seed", [-1, 0.5, "x", 2**64])
def test_a_seed_is_a_whole_number(seed):
    with pytest.raises(BadParameter, match="seed is a whole number"):
        seewhy.load("demo/honest", weights="random", options={"seed": seed})


def test_a_seed_of_weights_that_are_not_drawn_is_refused():
    with pytest.raises(BadParameter, match=r'seed=3 .* demo/honest has none here.* weights="random"'):
        seewhy.load("demo/honest", options={"seed": 3})


def test_the_constructor_does_not_see_the_seed():
    draws = seeded(Request("x/y", "y", options={"seed": 3, "depth": 2}))
    assert (draws.seed, draws.request.options) == (3, {"depth": 2})
    assert seeded(Request("x/y", "y")).seed == 0


def test_the_layers_that_were_left_as_they_were_drawn_are_found():
    def blank():
        return torch.nn.Sequential(torch.nn.Conv2d(3, 4, 1), torch.nn.BatchNorm2d(4), torch.nn.Conv2d(4, 4, 1))

    with drawing_torch(2):
        network = blank()
    assert left_as_drawn(network, blank, 2) == ["0", "2"]
    with torch.no_grad():
        network[0].weight[0, 0] += 1
    assert left_as_drawn(network, blank, 2) == ["2"]
    network[2].weight.requires_grad_(False)  # fixed, such as sines at places: nothing that is learned
    assert left_as_drawn(network, blank, 2) == []
