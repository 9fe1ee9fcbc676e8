"""Which call of torch a function is, in all its spellings."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from seewhy.models.torch.passes.torch_calls import bound, known_as, name_of, spelled


def test_a_name_stands_for_functions_and_methods_in_place_and_not():
    assert spelled("relu", "relu_") == {F.relu, F.relu_, torch.relu, torch.relu_, Tensor.relu, Tensor.relu_}
    assert spelled("softmax") == {F.softmax, torch.softmax, torch.special.softmax, Tensor.softmax}
    assert spelled("__matmul__") == {Tensor.__matmul__}


def test_what_no_module_has_stands_for_nothing():
    assert spelled("no_such_call") == spelled() == set()


def test_what_only_bears_the_name_is_no_call():
    assert torch.half not in spelled("half")
    assert spelled("half") == {Tensor.half}


NAMED = {torch.relu_: "relu_", Tensor.add: "add", Tensor.__add__: "__add__", F.linear: "linear", Tensor.T.__get__: "T"}


@pytest.mark.parametrize("fn", NAMED, ids=NAMED.get)
def test_the_name_of_a_call(fn):
    assert name_of(fn) == NAMED[fn]


ATEN = torch.ops.aten
KNOWN = {
    ATEN.linear.default: F.linear, ATEN.addmm.default: torch.addmm, ATEN.conv2d.default: torch.conv2d,
    ATEN.add.Tensor: torch.add, ATEN.relu: torch.relu, ATEN.batch_norm.default: torch.batch_norm, F.linear: F.linear, len: len,
    ATEN.scaled_dot_product_attention.default: F.scaled_dot_product_attention,
}  # fmt: skip


@pytest.mark.parametrize("fn", KNOWN, ids=str)
def test_an_operator_is_known_as_the_function(fn):
    assert known_as(fn) is KNOWN[fn]


def test_what_has_no_name_has_an_empty_one():
    assert name_of(object()) == ""


def test_arguments_are_bound_by_place_and_by_name():
    assert bound(("input", "dim", "dtype"), (1, 2), {"dtype": 3}) == {"input": 1, "dim": 2, "dtype": 3}
    assert bound(("input", "dim"), (), {"dim": 2, "out": 4}) == {"dim": 2, "out": 4}
