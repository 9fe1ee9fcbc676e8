"""Networks of other frameworks that run on torch."""

from copy import deepcopy

import torch
from torch import nn

import seewhy
from seewhy.models.torch.adapted import AdaptedLayer, AdaptedNetwork, LeftOff, is_linear


class Ended(AdaptedNetwork):
    """A network that leaves a sigmoid off."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(12, 2)

    def forward(self, x):
        y = self.linear(x.flatten(1))
        self.leave_off([(y, LeftOff("sigmoid", "the sigmoid is left off"))])
        return y


def test_what_a_network_ran_without_is_told_and_read_by_it():
    network = Ended()
    assert network.left_off(None) == LeftOff()
    model, x = seewhy.wrap(network.eval()), torch.randn(1, 3, 2, 2)
    answer = model.answer(x)
    assert answer.notes == ("the sigmoid is left off",)
    assert torch.allclose(torch.tensor(answer.probabilities), torch.tensor(answer.scores).sigmoid())
    identity = model.runner.call.identity
    model.answer(x)
    assert model.runner.call.identity is identity
    assert deepcopy(network).ended is network.ended


def test_of_several_outputs_each_has_its_own():
    network, a, b, c = Ended(), torch.zeros(1), torch.zeros(1), torch.zeros(1)
    softmax, sigmoid = LeftOff("softmax", "one"), LeftOff("sigmoid", "other")
    network.leave_off([(a, softmax), (b, sigmoid), ("text", sigmoid)])
    assert [network.left_off(each) for each in (a, b, c)] == [softmax, sigmoid, LeftOff()]
    network.leave_off([(a, softmax), (b, softmax)])
    assert network.left_off(c) == softmax


def test_a_layer_of_another_framework_says_what_it_is():
    assert (AdaptedLayer().linear, AdaptedLayer().weight, is_linear(AdaptedLayer()), is_linear(nn.Linear(1, 1))) == (
        False, None, False, True,
    )  # fmt: skip
