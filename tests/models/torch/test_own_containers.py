"""Lists, dicts and sets of a network, and those that stand in for them."""

from collections import OrderedDict, defaultdict

import pytest

from seewhy.models.torch.own_containers import OwnContainers


def nothing_new(item):
    return item


MADE = {
    "list": lambda: [1, "a"],
    "dict": lambda: {"a": 1},
    "set": lambda: {1, 2},
    "ordered": lambda: OrderedDict(b=1, a=2),
    "default": lambda: defaultdict(list, a=1),
}


@pytest.mark.parametrize("kind", MADE)
@pytest.mark.parametrize("apart", [True, False])
def test_apart_each_is_a_copy_of_its_kind_and_else_the_very_same(kind, apart):
    value = MADE[kind]()
    own = OwnContainers(apart).of(value, nothing_new)
    assert own == value
    assert type(own) is type(value)
    assert (own is value) == (not apart)


def test_a_default_dict_still_makes_its_defaults():
    own = OwnContainers(True).of(defaultdict(list, a=1), nothing_new)
    assert own["b"] == []


@pytest.mark.parametrize("apart", [True, False])
def test_what_stands_in_for_a_thing_takes_its_place_also_among_keys_and_deeper_inside(apart):
    anew = lambda item: containers.of(item, anew) if isinstance(item, list | dict | tuple) else item.upper()  # noqa: E731
    containers = OwnContainers(apart)
    assert containers.of({"a": ["b", ("c",)]}, anew) == {"A": ["B", ("C",)]}
    assert containers.of(OrderedDict(b="a"), anew) == OrderedDict(B="A")


@pytest.mark.parametrize("apart", [True, False])
def test_two_that_share_one_still_do(apart):
    shared, containers = [1], OwnContainers(apart)
    anew = lambda item: containers.of(item, anew) if isinstance(item, list) else item  # noqa: E731
    first, second = (containers.of([shared], anew) for _ in range(2))
    assert first[0] is second[0]


def test_a_tuple_that_holds_nothing_new_is_itself():
    value = (1, "a")
    assert OwnContainers(True).of(value, nothing_new) is value


@pytest.mark.parametrize("kind", MADE)
@pytest.mark.parametrize("apart", [True, False])
def test_a_write_on_either_of_the_two_is_noticed(kind, apart):
    for write_on_own in (True, False):
        containers, value = OwnContainers(apart), MADE[kind]()
        own = containers.of(value, nothing_new)
        assert containers.same()
        written = own if write_on_own else value
        if isinstance(written, dict):
            written["a"] = object()
        else:
            (written.add if isinstance(written, set) else written.append)(object())
        assert not containers.same()
        assert containers.written() == ([id(value)] if write_on_own or not apart else [])
