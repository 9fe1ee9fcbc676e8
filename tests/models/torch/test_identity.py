"""A network's identity is another after every edit, and stays over what is none: modes, passes, and counters it keeps."""

import pickle

import numpy as np
import pytest
import torch
from torch import nn

import seewhy
from seewhy.models.torch.identity import NUMBERS, Memory, Structure, Watch
from support import networks
from support.edited import EDITS, VITS
from support.standins import Plain, X, made

CHANGES = {**EDITS, **VITS}
NO_EDITS = ("frozen weights", "train mode", "train mode of one layer")


@pytest.mark.parametrize("name", CHANGES)
def test_an_edit_makes_another_network_of_it(name):
    edit = CHANGES[name]
    network, watch = edit.start(), Watch()
    before = watch.state(network)
    assert watch.state(network) is before
    edit.of(network)
    after = watch.state(network)
    assert (after.identity is before.identity) == (name in NO_EDITS)
    assert watch.state(network) is after


def test_numbers_written_into_weights_leave_the_structure_as_it_is():
    network, watch = networks.pooled(), Watch()
    before = watch.state(network)
    with torch.no_grad():
        network.fc.weight.mul_(2)
    after = watch.state(network)
    assert after.structure is before.structure
    assert after.identity is not before.identity
    network.train()
    last = watch.state(network)
    assert last.structure is not after.structure
    assert last.structure.token is after.structure.token
    assert last.identity is after.identity


def test_weights_that_lie_elsewhere_are_noticed():
    weights = nn.Parameter(torch.ones(4))
    for edit in (torch.Tensor.clone, torch.Tensor.double, lambda w: w[2:]):
        before = Memory([weights])
        assert before.same()
        weights.data = edit(weights.data)
        assert not before.same()
        assert before.changes() == {(id(weights), NUMBERS)}


def test_of_tensors_made_in_inference_mode_nothing_is_counted():
    with torch.inference_mode():
        weights = torch.ones(3)
    assert Memory([weights]).same()


@pytest.mark.filterwarnings("ignore:.*torch.jit.*:FutureWarning", "ignore:.*torch.jit.*:DeprecationWarning")
def test_attributes_of_scripted_modules_are_looked_over():
    class Scaled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale, self.inner = 2, nn.Linear(2, 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.inner(x) * self.scale

    scripted = torch.jit.script(Scaled())
    structure = Structure(nn.Sequential(scripted, nn.ReLU()))
    assert structure.same()
    assert len(structure.tensors) == 2
    scripted.train(not scripted.training)
    assert structure.same()
    scripted.scale = 3
    assert not structure.same()
    assert structure.changes() == {(id(scripted._c), "")}


class Counting(Plain):
    """It counts its passes, keeps what it saw, and remembers sizes in a dict."""

    def __init__(self) -> None:
        super().__init__()
        self.passes, self.sizes, self.seen = 0, {}, None

    def forward(self, x):
        self.passes += 1
        self.sizes[len(self.sizes)] = tuple(x.shape)
        self.seen = x
        return super().forward(x)


def looks(model) -> int:
    return len({identity for identity, _ in model.runner.learned.surveys._values})


@pytest.mark.parametrize("lent", [False, True])
def test_what_a_network_writes_on_itself_makes_it_be_looked_at_twice_at_most(lent):
    network = made(Counting).eval()
    if lent:
        network.plain = network.forward
        network.forward = lambda x: network.plain(x)  # leads to the network, so no copy of modules can stand in for it
    model = seewhy.wrap(network)
    found = []
    for _ in range(5):
        seewhy.grad_cam(model, X)
        found.append(looks(model))
        network(torch.tensor(X))  # by the person's own hand
    assert found[-1] <= 2
    network.conv2 = nn.Conv2d(6, 6, 3, stride=2)
    (first,) = seewhy.grad_cam(model, X[:1])
    (second,) = seewhy.grad_cam(seewhy.wrap(network), X[:1])
    assert looks(model) == found[-1] + 1
    np.testing.assert_array_equal(first.values, second.values)


@pytest.mark.parametrize("lent", [False, True])
def test_what_a_first_pass_writes_once_is_an_edit(lent):
    class Ready(Plain):
        ready = False

        def forward(self, x):
            self.ready, was = True, self.ready
            return super().forward(x) if was else super().forward(x * 0.5)

    network = made(Ready).eval()
    if lent:
        network.plain = lambda: network
    model = seewhy.wrap(network)
    for _ in range(3):
        seewhy.grad_cam(model, X)  # more than one block of passes each
    assert {**model.layers(X)} == {**seewhy.wrap(network).layers(X)}
    assert looks(model) == 2


def test_nothing_of_it_travels():
    watch = Watch()
    watch.state(networks.pooled())
    watch.written["a"] += 1
    arrived = pickle.loads(pickle.dumps(watch))
    assert arrived.last is None
    assert not arrived.written
