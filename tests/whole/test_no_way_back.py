"""Networks through which no gradient comes back: methods that need none give what they give of the same network with one."""

import numpy as np
import pytest
import torch
from torch import nn

import seewhy
from support import networks

X = networks.images(1, 12, 12, seed=4)


class WithoutBackward(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x * 1.0


class BadBackward(WithoutBackward):
    @staticmethod
    def backward(ctx, *grads):
        raise ValueError("not written yet")


class WrongBackward(WithoutBackward):
    @staticmethod
    def backward(ctx, *grads):
        return grads[0][:, :1]


def written_over(x):
    y = x.sigmoid()
    y.mul_(1)  # which the sigmoid's derivative is made of
    return x + y - y


def in_numpy(x):
    return torch.from_numpy(x.numpy() * 1.0)  # fails where a graph is recorded


def into(x):
    return torch.mul(x, 1.0, out=torch.empty_like(x))  # so does this


def in_parts(x):
    a, b = x.chunk(2, 1)
    a.mul_(1)  # and this
    return torch.cat([a, b], 1)


def frozen(x):
    with torch.no_grad():
        return x * 1.0


def apart(x):
    return x.detach() * 1.0


class Through(nn.Module):
    """Two convolutions, between and behind which `operation` gives what it is given; `end` makes scores of logits."""

    def __init__(self, operation, end=torch.clone):
        super().__init__()
        torch.manual_seed(2)
        self.first, self.body, self.fc = nn.Conv2d(3, 6, 3), nn.Conv2d(6, 6, 3), nn.Linear(6, 4)
        self.operation, self.end = operation, end

    def forward(self, x):
        a = self.body(self.first(x).relu()).relu()
        return self.end(self.operation(self.fc(self.operation(a).mean((2, 3)))))


FAILING = {  # on the way back, or already on the way there where a graph is recorded
    "an autograd function without a way back": WithoutBackward.apply, "one whose way back raises": BadBackward.apply,
    "one whose way back is wrong": WrongBackward.apply, "numpy": in_numpy, "out=": into, "a view written over": in_parts,
}  # fmt: skip
CUT = {"no_grad": frozen, "detach": apart}
SQUARES = np.arange(12)[:, None] // 4 * 3 + np.arange(12) // 4
METHODS = {
    "score-cam": {}, "is-cam": {"samples": 2}, "ss-cam": {"samples": 2}, "ablation-cam": {}, "recipro-cam": {}, "eigen-cam": {},
    "occlusion": {"window": 4, "stride": 4}, "rise": {"masks": 12}, "lime": {"samples": 12, "segments": SQUARES},
}  # fmt: skip


def asked(method, network, scores):
    model = seewhy.wrap(network.double().eval(), scores=scores)
    layer = {} if method in ("occlusion", "rise", "lime") else {"layer": "body"}
    options = {"signed": True} if "signed" in seewhy.METHODS[method].defaults else {}
    return seewhy.METHODS[method].using(**METHODS[method])(model, X, target=1, **layer, **options)[0]


@pytest.mark.parametrize("operation", [*FAILING, *CUT])
@pytest.mark.parametrize(
    ("end", "scores"), [(torch.clone, "logits"), (torch.sigmoid, "logits"), (torch.sigmoid, "probability")]
)
@pytest.mark.filterwarnings("ignore")
def test_methods_that_need_no_way_back_give_what_they_give_where_there_is_one(operation, end, scores):
    """Scores between 0 and 1 are those of a sigmoid, which is found out without a graph where there is none."""
    for method in METHODS:
        here = asked(method, Through((FAILING | CUT)[operation], end), scores)
        there = asked(method, Through(lambda x: x * 1.0, end), scores)
        assert there.values.any(), method
        np.testing.assert_allclose(here.values, there.values, rtol=1e-5, atol=1e-9, err_msg=method)
        assert here.source.probability == pytest.approx(there.source.probability), method
        assert here.source.score == pytest.approx(there.source.score), method


@pytest.mark.parametrize("operation", FAILING)
@pytest.mark.parametrize("method", ["grad-cam", "gradient", "integrated-gradients"])
def test_methods_that_need_one_say_what_does_not(operation, method):
    model = seewhy.wrap(Through(FAILING[operation]).double().eval())
    with pytest.raises(seewhy.BadNetwork, match=r"failed"):
        seewhy.METHODS[method](model, X, target=1)
