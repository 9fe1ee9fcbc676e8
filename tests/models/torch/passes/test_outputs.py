"""The activation in what a module returns, in whatever container, and another in its place."""

from collections import OrderedDict, namedtuple
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import seewhy
from seewhy.models.torch.passes.outputs import activation_of, emitted, tensors_in

Pair = namedtuple("Pair", "x y")


@dataclass(frozen=True)
class Record:
    x: Any
    y: Any


class Rows(list):
    """A list of a class of its own."""


def output_of_transformers(x, y):
    from transformers.modeling_outputs import BaseModelOutput  # takes a second to import

    return BaseModelOutput(last_hidden_state=x, hidden_states=(y,))


X, Y = torch.randn(2, 3, 4, 5), torch.randn(2, 3, 4, 5)
PACKED = {
    "tuple": lambda x, y: (x, y), "list": lambda x, y: [x, y], "dict": lambda x, y: {"x": x, "y": y}, "named": Pair,
    "record": Record, "ordered": lambda x, y: OrderedDict(x=x, y=y), "nested": lambda x, y: (None, {"x": [x]}, ((y,),)),
    "rows": lambda x, y: Rows([x, y]), "late": lambda x, y: (3, X.long(), x, y), "transformers": output_of_transformers,
}  # fmt: skip


@pytest.mark.parametrize("how", PACKED)
def test_what_a_layer_emitted_can_be_replaced_wherever_it_stands(how):
    output = PACKED[how](X, X)
    a, put_back = emitted(output, "layer")
    assert a is X
    back = put_back(Y)
    assert type(back) is type(output)
    assert [tensor is Y for tensor in tensors_in([back])] == [tensor is X for tensor in tensors_in([output])]
    assert sum(tensor is X for tensor in tensors_in([output])) == 2  # the output itself is as it was
    assert emitted(X, "layer")[1](Y) is Y


@pytest.mark.parametrize("how", PACKED)
def test_the_activation_is_what_the_module_made_not_what_it_handed_on(how):
    for given in [(X,), ([X],), ({"x": X},), (1, Record(X, 2))]:
        assert activation_of(PACKED[how](X, Y), given) is Y
        assert activation_of(PACKED[how](Y, X), given) is Y
        assert activation_of(PACKED[how](X, X), given) is X
    assert activation_of(X, (X,)) is X  # a layer that works in place
    assert activation_of(PACKED[how](X, Y), (X, Y)) is X


NO_ACTIVATION = {
    "nothing": None, "tuple": (), "list": [], "dict": {}, "whole numbers": X.long(), "whole numbers in a tuple": (X.long(),),
    "words": {"a": "b"}, "record": Record(None, 1),
}  # fmt: skip


@pytest.mark.parametrize("output", NO_ACTIVATION.values(), ids=NO_ACTIVATION)
def test_what_is_no_activation(output):
    assert activation_of(output) is None
    with pytest.raises(seewhy.BadParameter, match=r"Layer encoder emits .*, not an activation"):
        emitted(output, "encoder")


TAKEN = {
    "tuple": lambda o: o[1], "list": lambda o: o[1], "dict": lambda o: o["y"], "named": lambda o: o.y, "record": lambda o: o.y,
    "ordered": lambda o: o["y"], "nested": lambda o: o[2][0][0], "rows": lambda o: o[1], "late": lambda o: o[3],
    "transformers": lambda o: o.hidden_states[0],
}  # fmt: skip


class HandingOn(nn.Module):
    """A block that hands its first input on beside what it makes of the second, as the parallel blocks of timm's CoaT do."""

    def __init__(self, how, by_name):
        super().__init__()
        torch.manual_seed(0)
        self.how, self.by_name = how, by_name
        self.first, self.second = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 3)
        self.block, self.fc = Block(how), nn.Linear(4, 3)

    def forward(self, x):
        x = self.first(x).relu()
        y = self.second(x).relu()
        output = self.block(x=x, y=y) if self.by_name else self.block(x, y)
        return self.fc(TAKEN[self.how](output).mean((2, 3)))


class Block(nn.Module):
    def __init__(self, how):
        super().__init__()
        self.how, self.conv = how, nn.Conv2d(4, 4, 3)

    def forward(self, x, y):
        return PACKED[self.how](x, self.conv(y))


@pytest.mark.parametrize("by_name", [False, True])
@pytest.mark.parametrize("how", PACKED)
def test_a_module_with_a_container_of_outputs_is_read_at_what_it_made(how, by_name):
    x = np.random.default_rng(0).normal(size=(2, 3, 12, 11))
    network = HandingOn(how, by_name).double().eval()
    model = seewhy.wrap(network)
    with torch.no_grad():
        a = network.block.conv(network.second(network.first(torch.as_tensor(x)).relu()).relu()).numpy()
    grad_cam = np.einsum("k,nkhw->nhw", network.fc.weight.detach()[1], a) / a[0, 0].size
    for layer in ("block", None):
        for method in (seewhy.grad_cam, seewhy.hires_cam):
            maps = method(model, x, target=1, layer=layer, signed=True)
            assert {m.source.layer for m in maps} <= {"block", "block.conv"}
            np.testing.assert_allclose([m.values for m in maps], grad_cam, atol=1e-6)
        blocked, inner = (seewhy.explain(model, x, "score-cam", target=1, layer=each) for each in (layer, "block.conv"))
        np.testing.assert_allclose(blocked[0].values, inner[0].values, atol=1e-6)
