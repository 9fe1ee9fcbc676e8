"""Layers by name, channels by number: what is taken, and what is refused in words."""

from typing import Any

import numpy as np
import pytest

from seewhy.errors import BadParameter
from seewhy.inside.asked_names import layer_name, layer_names, numbers_asked


def test_names_come_once_and_in_their_order() -> None:
    assert layer_names("b") == ["b"]
    assert layer_names(("b", "a", "b")) == ["b", "a"]
    assert (layer_names(None), layer_name(None), layer_name("b")) == (None, None, "b")


@pytest.mark.parametrize("layer", [5, [], [5], "", {"a"}, ["a", None], b"a"], ids=repr)
def test_what_is_no_name_is_refused(layer: Any) -> None:
    with pytest.raises(BadParameter, match="give the name of a layer"):
        layer_names(layer)
    with pytest.raises(BadParameter, match="one layer is asked for"):
        layer_name(layer)


@pytest.mark.parametrize("given", [[2, 0], (2, 0), np.array([2, 0]), [np.int8(2), np.uint64(0)]], ids=repr)
def test_numbers_come_as_they_are_asked_for(given: Any) -> None:
    found = numbers_asked(given, 3, "who: channels", "conv", "channel")
    assert found == [2, 0]
    assert {type(each) for each in found} == {int}


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ([3], "channels=[3]: there is no channel 3; conv has channels 0 to 2."),
        ([-1], "there is no channel -1;"),
        ([True], "there is no channel True;"),
        ([1.0], "there is no channel 1.0;"),
        ([], "the list is empty"),
        (np.array([], int), "the list is empty"),
        (2, "channels=2: it is no list of numbers"),
        ("12", "it is no list of numbers"),
        (np.array([[1]]), "it is no list of numbers"),
    ],
    ids=lambda each: repr(each),
)
def test_others_are_refused(given: Any, says: str) -> None:
    with pytest.raises(BadParameter) as caught:
        numbers_asked(given, 3, "channels", "conv", "channel")
    assert says in str(caught.value)
