"""A snapshot notices every other object among the attributes of modules, and nothing where they stay."""

import numpy as np
import pytest
import torch
from torch import nn

from seewhy.models.torch.snapshot import Snapshot, alike, equal, same_items
from support import networks


def snapshot(network: nn.Module) -> Snapshot:
    return Snapshot([module.__dict__ for module in network.modules()])


def one_number(network):
    network.scale = nn.Parameter(torch.ones(1))


EDITS = {
    "an attribute": ("stride", lambda network: setattr(network.conv1, "stride", (3, 3))),
    "an attribute more": ("more", lambda network: setattr(network.conv1, "more", 1)),
    "an attribute less": ("groups", lambda network: network.conv1.__dict__.pop("groups")),
    "a hook": ("_forward_hooks", lambda network: network.act1.register_forward_hook(print)),
    "a module": ("_modules", lambda network: setattr(network, "act1", nn.ReLU())),
    "a name": ("_modules", lambda network: network._modules.update(last=network._modules.pop("fc"))),
    "weights": ("_parameters", lambda network: setattr(network.fc, "weight", nn.Parameter(network.fc.weight.clone()))),
    "an equal number": ("_parameters", one_number),
    "an equal tensor": ("seen", lambda network: setattr(network, "seen", torch.ones(1))),
}


@pytest.mark.parametrize("edit", EDITS)
def test_an_edit_is_noticed_and_named(edit):
    name, change = EDITS[edit]
    network = networks.pooled()
    one_number(network)
    network.seen = torch.ones(1)
    before = snapshot(network)
    assert before.same()
    assert [*before.changes()] == []
    change(network)
    assert not before.same()
    assert [key for _, key in before.changes()] == [name]
    assert before.holds() == (name not in ("_forward_hooks", "_modules", "_parameters", "seen"))


def test_what_stays_is_the_same():
    network = networks.pooled()
    network.table, network.odd = np.arange(6), float("nan")
    before = snapshot(network)
    network.conv1.stride = (1, 1)  # equal
    with torch.no_grad():
        network.fc.weight.zero_()  # the same object
    network(torch.tensor(networks.images(1)))
    assert before.same()
    network.table = np.arange(6)
    assert not before.same(), "another array"


def test_what_cannot_be_compared_is_not_equal():
    assert not equal([np.arange(3)], [np.arange(3)])
    assert not equal([torch.arange(3)], [torch.arange(3)])
    held = np.arange(3)
    assert equal([held], [held])
    assert alike(2, 2)
    assert not alike(1, True)
    assert not alike(torch.ones(1), torch.ones(1))
    assert same_items({"a": held}, {"a": held})
    assert not same_items({"a": held, "b": 1}, {"b": 1, "a": held})
