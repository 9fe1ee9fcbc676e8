"""Networks of other frameworks that run on torch."""

from copy import deepcopy

import torch
from torch import nn

import seewhy
from seewhy.models.torch.adapted import AdaptedNetwork, LeftOff


class Ended(AdaptedNetwork):
    """A network that leaves a sigmoid off."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(12, 2)

    def forward(self, x):
        self.ended.value = LeftOff("sigmoid", "the sigmoid is left off")
        return self.linear(x.flatten(1))


def test_what_a_network_ran_without_is_told_and_read_by_it():
    network = Ended()
    assert network.left_off == LeftOff()
    model, x = seewhy.wrap(network.eval()), torch.randn(1, 3, 2, 2)
    answer = model.answer(x)
    assert answer.notes == ("the sigmoid is left off",)
    assert torch.allclose(torch.tensor(answer.probabilities), torch.tensor(answer.scores).sigmoid())
    identity = model.runner.call.identity
    model.answer(x)
    assert model.runner.call.identity is identity
    assert deepcopy(network).ended is network.ended
