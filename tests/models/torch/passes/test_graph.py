"""What of a pass's graph lies on the way from the scores to the image, and what the calls in it were."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from seewhy.models.torch.passes.graph import between, kind_of, rests_on_image

X = torch.arange(6.0).reshape(2, 3) - 2.5


def kinds(scores, *leaves):
    return sorted(kind_of(node) for node in between(scores, leaves))


@pytest.fixture
def x():
    return X.clone().requires_grad_()


def test_only_what_leads_to_the_leaf_lies_on_the_way(x):
    weight, other = nn.Parameter(torch.ones(3)), torch.ones(3, requires_grad=True)
    scores = (x * weight.exp()).relu() + other.sin()
    assert kinds(scores, x) == ["AccumulateGrad", "AddBackward", "MulBackward", "ReluBackward"]
    assert kinds(scores, weight) == ["AccumulateGrad", "AddBackward", "ExpBackward", "MulBackward", "ReluBackward"]
    assert kinds(scores, x, other).count("AccumulateGrad") == 2


def test_a_node_on_two_ways_comes_once(x):
    y = x.sigmoid()
    nodes = between(y.exp() + y.sin(), [x])
    assert len(nodes) == len({*nodes}) == 5
    assert [kind_of(node) for node in nodes].count("SigmoidBackward") == 1


def test_nothing_lies_between_what_is_not_connected(x):
    assert between(torch.ones(2, requires_grad=True) * 2, [x]) == []
    assert between(X, [x]) == []


def test_what_rests_on_more_than_parameters(x):
    weight = nn.Parameter(torch.ones(3))
    assert rests_on_image(x)
    assert rests_on_image(weight * x)
    assert rests_on_image(x.view(6).exp())
    assert not rests_on_image(weight)
    assert not rests_on_image(weight.exp() * 2)
    assert not rests_on_image(X)
    assert not rests_on_image((weight * x).detach())
    with torch.no_grad():
        view = weight[1:]
    assert not rests_on_image(view.requires_grad_())


class Doubled(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return 2 * x

    @staticmethod
    def backward(ctx, *grads):
        return 2 * grads[0]


class RuledLike(Doubled):
    pass


KINDS = {
    "ReluBackward": torch.relu,
    "clamp to zero": lambda x: x.clamp(min=0),
    "clamp_min to zero": lambda x: x.clamp_min(0),
    "maximum of zeros": lambda x: x.clamp(min=torch.zeros(3)),
}  # fmt: skip


@pytest.mark.parametrize("how", KINDS)
def test_a_relu_is_one_by_whatever_name(how, x):
    assert kind_of(KINDS[how](x).grad_fn) == "ReluBackward"


OTHERS = {
    "ClampBackward": lambda x: x.clamp(max=0),
    "ClampMinBackward": lambda x: x.clamp_min(0.5),
    "LeakyReluBackward": F.leaky_relu,
    "custom": Doubled.apply,
    "RuledLikeBackward": RuledLike.apply,
}  # fmt: skip


@pytest.mark.parametrize("kind", OTHERS)
def test_another_call_keeps_its_name(kind, x):
    made: Tensor = OTHERS[kind](x)
    assert kind_of(made.grad_fn) == kind
