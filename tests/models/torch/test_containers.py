"""What modules hold in lists, dicts, helper objects, functions and classes is looked over, and what leads far away is not."""

from collections import OrderedDict, deque
from functools import partial
from types import SimpleNamespace
from weakref import ref

import pytest
import torch
from torch import nn

from seewhy.models.torch.containers import Containers, slots_of


class Slots:
    __slots__ = ("held", "unset")

    def __init__(self, held) -> None:
        self.held = held


class Layer(nn.Module):
    rate = 0.5

    def forward(self, x):
        return x


def closure(held):
    return lambda x: (x, held)


def method_of(held):
    class Owner:
        def __init__(self) -> None:
            self.held = held

        def run(self):
            return self.held

    return Owner().run


def appended(held) -> None:
    held.append(1)


INSIDE = {
    "a list": lambda held: held,
    "a list in a tuple": lambda held: (1, (2, held)),
    "a list in a dict": lambda held: {"a": held},
    "a list in an ordered dict": lambda held: OrderedDict(a=held),
    "a list in an object": lambda held: SimpleNamespace(held=held),
    "a list in an object in an object": lambda held: SimpleNamespace(inner=SimpleNamespace(held=held)),
    "a list in slots": Slots,
    "a list that a function took along": closure,
    "a list in a function's defaults": lambda held: lambda x, held=held: (x, held),
    "a list in a partial": lambda held: partial(print, held),
    "the owner of a method": method_of,
    "a list in a module that no other holds": lambda held: SimpleNamespace(step=nn.Sequential(nn.ReLU()), held=[held]),
}


@pytest.mark.parametrize("kind", INSIDE)
def test_what_is_changed_in_place_is_noticed(kind):
    held = [0]
    containers = Containers([INSIDE[kind](held)], {})
    assert containers.same()
    assert [*containers.changes()] == []
    held.append(1)
    assert not containers.same()
    assert [*containers.changes()] == [id(held)]
    held.pop()
    assert containers.same()
    ignoring = Containers([INSIDE[kind](held)], {}, {id(held)})
    held.append(1)
    assert ignoring.same()


EDITS = {
    "a set": (set(), lambda value: value.add(1)),
    "a deque": (deque([1]), lambda value: value.append(2)),
    "a dict": ({}, lambda value: value.update(a=1)),
    "an attribute": (SimpleNamespace(a=1), lambda value: setattr(value, "a", 2)),
    "a slot": (Slots(1), lambda value: setattr(value, "held", 2)),
    "a module that no other holds": (Layer(), lambda value: setattr(value, "rate", 2)),
}


@pytest.mark.parametrize("kind", EDITS)
def test_another_value_is_noticed(kind):
    value, change = EDITS[kind]
    containers = Containers([value], {})
    change(value)
    assert not containers.same()
    assert [*containers.changes()] == [id(value)]


def test_a_method_or_value_put_on_the_class_of_a_module_is_noticed(monkeypatch):
    module = Layer()
    containers = Containers([], {id(module): module})
    monkeypatch.setattr(Layer, "rate", 0.25)
    assert [*containers.changes()] == [id(Layer)]
    assert not containers.same()


def test_slots_of_modules_are_looked_over():
    class Slotted(nn.Module):
        __slots__ = ("more",)

    module = Slotted()
    containers = Containers([], {id(module): module})
    assert containers.same()
    module.more = 2
    assert not containers.same()
    assert slots_of(Slotted) == ["more"]
    assert slots_of(nn.ReLU) == []


def test_tensors_are_told_and_what_is_far_away_is_not_looked_at():
    far = [0]
    tensor = torch.ones(2)
    deep = SimpleNamespace(a=SimpleNamespace(b=SimpleNamespace(held=far)))
    module = Layer()
    module.held = far
    values = [deep, ref(module), module, torch, Layer, [tensor, {"again": tensor}]]
    containers = Containers(values, {id(module): module})
    assert containers.tensors == [tensor]
    far.append(1)
    assert containers.same()
    rounds = []
    rounds.append(rounds)
    assert Containers([rounds], {}).same() is not None  # it comes to an end
