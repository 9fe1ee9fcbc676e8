"""A sigmoid at the end is told from the graph of the scores, and without one from the calls that made them."""

import pytest
import torch

from seewhy.errors import BadNetwork
from seewhy.models.torch.sigmoids import by_sigmoid, ends_in_sigmoid

X = torch.linspace(-2, 2, 24).reshape(2, 3, 4)

ENDS = {  # how scores are made, and whether a sigmoid is the last that made them
    "sigmoid": (lambda x: x.sum(2).sigmoid(), True),
    "hard": (lambda x: torch.nn.functional.hardsigmoid(x.sum(2)), True),
    "in place": (lambda x: x.sum(2).sigmoid_(), True),
    "by name": (lambda x: torch.special.expit(x.sum(2)), True),
    "cut off": (lambda x: x.sigmoid().flatten(1)[:, :5], True),
    "of two heads": (lambda x: torch.cat([x.sum(2).sigmoid(), x.mean(2).sigmoid()], 1), True),
    "one head of two": (lambda x: torch.cat([x.sum(2).sigmoid(), x.mean(2).clamp(0, 1)], 1), False),
    "log-sigmoid": (lambda x: torch.nn.functional.logsigmoid(x.sum(2)), False),
    "a gate": (lambda x: (x.sigmoid() * x).sum(2), False),
    "a clamp": (lambda x: x.sum(2).clamp(0, 1), False),
    "a softmax": (lambda x: x.sum(2).softmax(1), False),
}


@pytest.mark.parametrize("how", ENDS)
def test_from_the_graph(how):
    run, ends = ENDS[how]
    assert ends_in_sigmoid(run(X.clone().requires_grad_().clone())) == ends
    assert by_sigmoid(run, X) == ends


@pytest.mark.parametrize("how", ["sigmoid", "hard", "in place", "by name", "log-sigmoid", "a gate", "a clamp", "a softmax"])
@pytest.mark.parametrize("cut", ["no graph", "fails with one"])
def test_from_the_calls_where_there_is_no_graph(how, cut):
    run, ends = ENDS[how]

    def without(x):
        if cut == "fails with one" and torch.is_grad_enabled():
            raise BadNetwork("it runs without a graph alone")
        with torch.no_grad():
            return run(x)

    assert by_sigmoid(without, X) == ends
