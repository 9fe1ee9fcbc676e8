"""Does a score rest on a layer: known by how the network was made, and told alike by its torch twin."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

import seewhy
from seewhy.errors import NotApplicable
from seewhy.models.backend.model import BackendModel
from seewhy.models.settings import Settings
from support.numpy_backend import LAYERS, NumpyNetwork, torch_twin

X = np.random.default_rng(3).normal(size=(1, 3, 12, 10))
CLASS = np.eye(3)


def as_made(_net: Any) -> None: ...


def unread(net: Any) -> None:
    """The second class has no weight on anything."""
    net.fc.weight[1] = 0


def stopped(net: Any) -> None:
    """Behind conv2 all is cut off, save for values that are far larger than usual."""
    net.conv2.bias -= 30


def shut(net: Any) -> None:
    """Nothing comes through conv2."""
    net.conv2.weight.zero_()


@pytest.mark.parametrize(
    ("edit", "weights", "resting"),
    [
        (as_made, CLASS[1], {"input", *LAYERS}),
        (unread, CLASS[1], set()),
        (unread, CLASS[0], {"input", *LAYERS}),
        (unread, CLASS[1] - CLASS[2], {"input", *LAYERS}),
        (stopped, CLASS[0], {"input", *LAYERS}),
        (shut, CLASS[0], {"conv2", "relu2"}),
    ],
    ids=["as made", "a class without weight", "its neighbour", "both", "cut off", "shut"],
)
def test_a_score_rests_on_what_other_values_change_it_by(edit: Callable[[Any], None], weights: Any, resting: set[str]) -> None:
    net = torch_twin()
    with torch.no_grad():
        edit(net)
    by_hand: Any = BackendModel(NumpyNetwork(net), Settings("by hand"))
    twin: Any = seewhy.wrap(net)
    for model in (by_hand, twin):
        assert {layer for layer in ("input", *LAYERS) if model.rests(X, weights, layer)} == resting


def test_where_no_other_values_can_be_put_the_score_may_rest_on_the_layer() -> None:
    class Sealed(NumpyNetwork):
        def behind(self, image: Any, layer: str) -> Any:
            raise NotApplicable("it cannot be edited")

    net = torch_twin()
    with torch.no_grad():
        unread(net)
    model: Any = BackendModel(Sealed(net), Settings("by hand"))
    assert model.rests(X, CLASS[1], "conv1")
    assert not model.rests(X, CLASS[1], "input")
