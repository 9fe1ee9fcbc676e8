"""The default layer of each of several targets on one image, and what an aim reads of a network's output."""

from collections import OrderedDict
from dataclasses import dataclass

import numpy as np
import pytest
import torch

import seewhy
from seewhy import Class, Contrast
from seewhy.errors import OneByOne
from seewhy.models.torch.defaults import parts_read
from support.branches import TWO_HEADED, Cat, Dispatched, made, photos

X = photos(1)


def names(defaults):
    return [default and default[0] for default in defaults]


@pytest.mark.parametrize("kind", TWO_HEADED)
def test_the_default_of_each_target_is_the_last_layer_that_a_gradient_of_its_number_reaches(kind):
    model = seewhy.wrap(made(kind))
    targets = [Class(1), Class(4), Contrast(0, against=3), Contrast(0, against=2)]
    assert names(model.defaults(X, targets)) == ["a", "b", "stem", "a"]
    assert names([model.default(X)]) == ["b"]
    assert model.apart(X)


def test_a_number_that_rests_on_no_layer_has_the_usual_default():
    network = made(Cat)
    with torch.no_grad():
        network.of_a.weight.zero_()
    model = seewhy.wrap(network)
    assert names(model.defaults(X, [Class(0), Class(3)])) == ["b", "b"]
    (empty,) = seewhy.explain(model, X, "grad-cam", target=0)
    assert not empty.values.any()
    assert "zero gradient" in empty.source.warnings[-1]


def test_images_that_take_ways_of_their_own_are_asked_for_one_by_one():
    model = seewhy.wrap(made(Dispatched))
    model.default(X)
    with pytest.raises(OneByOne, match="image by image"):
        model.default(photos(3))
    with pytest.raises(OneByOne, match="image by image"):
        model.trace(photos(3), [Class(0)], [None])
    assert len(seewhy.explain(model, photos(3), "grad-cam", target=0)) == 3


@dataclass
class Output:
    left: torch.Tensor
    right: torch.Tensor


LEFT, RIGHT = torch.ones(1, 2, 3), torch.zeros(1, 2, 3)


@pytest.mark.parametrize("output", [
    (LEFT, RIGHT), [LEFT, {"right": RIGHT}], OrderedDict(left=LEFT, right=RIGHT), Output(LEFT, RIGHT), ((LEFT,), (None, RIGHT)),
])  # fmt: skip
def test_an_aim_is_known_by_the_tensors_that_it_reads(output):
    assert parts_read(output, lambda _: LEFT[0].sum() if RIGHT.shape else None) == {0}
    assert parts_read(output, lambda _: torch.stack([RIGHT, RIGHT]).sum()) == {1}
    assert parts_read(output, lambda _: np.asarray((LEFT + RIGHT).sum())) == {0, 1}
    assert parts_read(output, lambda _: None) == frozenset()
