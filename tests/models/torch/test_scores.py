"""What networks return, and what of it are scores."""

import numpy as np
import pytest
import torch
from torch import nn

import seewhy
from seewhy.models.torch.scores import chosen
from support import networks
from support.ask import close

X = networks.images(2, *networks.SIDES, seed=11)


def values(maps) -> np.ndarray:
    return np.stack([m.values for m in maps])


@pytest.fixture
def network():
    return networks.pooled().double()


@pytest.fixture
def expected(network):
    return values(seewhy.grad_cam(seewhy.wrap(network), X, target=1))


class Output(dict):
    """Like a ModelOutput: a mapping with attributes."""

    __getattr__ = dict.__getitem__


@pytest.mark.parametrize(
    "pack",
    [
        lambda s: {"logits": s, "hidden": s},
        lambda s: {"out": s},
        lambda s: (s, s * 2),
        lambda s: Output(logits=s, loss=None),
        lambda s: s[:, :, None, None],
    ],
    ids=["logits", "the only matrix", "tuple", "attributes", "1x1 space"],
)
def test_what_networks_return(pack, network, expected):
    got = seewhy.grad_cam(seewhy.wrap(networks.Gives(network, pack)), X, target=1)
    np.testing.assert_array_equal(values(got), expected)


@pytest.mark.parametrize(
    ("pack", "words"),
    [
        (lambda s: {"a": s, "b": s}, r"dict with a: \(1, 5\), b: \(1, 5\).*output="),
        (lambda s: s[:, :, None, None].expand(-1, -1, 4, 4), "dense output"),
        (lambda s: "cat", "str"),
        (lambda s: s.sum(), "for 2 images"),
    ],
)
def test_what_is_no_score(pack, words, network):
    with pytest.raises(seewhy.BadNetwork, match=words):
        seewhy.grad_cam(seewhy.wrap(networks.Gives(network, pack)), X)


def test_one_image_of_a_network_that_squeezes(network, expected):
    model = seewhy.wrap(networks.Gives(network, lambda s: s.squeeze()))
    close(seewhy.grad_cam(model, X[:1], target=1)[0].values, expected[0], rel=1e-5)


def test_a_network_compiled_in_place_is_read_all_the_same(network, expected):
    network.compile(backend="eager")
    call = network._compiled_call_impl
    np.testing.assert_array_equal(values(seewhy.grad_cam(seewhy.wrap(network), X, target=1)), expected)
    assert network._compiled_call_impl is call is not None


def test_heads_and_queries_are_no_picture():
    class Heads(nn.Module):
        def __init__(self):
            super().__init__()
            self.body, self.norm = networks.tokens(), nn.LayerNorm(64)

        def forward(self, x):
            return self.body(x) + 0 * self.norm(x.new_ones(len(x), 3, 197, 64)).sum((1, 2, 3))[:, None]

    with pytest.raises(seewhy.NotApplicable, match="does not see the image"):
        seewhy.grad_cam(seewhy.wrap(Heads().double()), X, layer="norm")


def test_a_linear_layer_called_by_keyword():
    class Keyword(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.fc = nn.Conv2d(3, 4, 3), nn.Linear(4, 2)

        def forward(self, x):
            return self.fc(input=self.conv(x).relu().mean((2, 3)))

    network = Keyword().double()
    model = seewhy.wrap(network)
    assert len(seewhy.grad_cam(model, X)) == 2
    maps = seewhy.cam(model, X, target=1)
    a = network.conv(torch.as_tensor(X)).relu()
    expected = torch.einsum("nchw,c->nhw", a, network.fc.weight[1]).relu()
    np.testing.assert_allclose(values(maps), expected.detach(), atol=1e-6)


def test_the_tensor_that_is_chosen_is_the_network_s_own():
    a, b = torch.zeros(2), torch.ones(2)
    assert chosen((a, b), None) is a
    assert chosen((a, b), 1) is b
    assert chosen({"x": a}, "x") is a
    assert chosen({"x": a}, "y") == {"x": a}
    assert chosen(a, None) is a
    assert chosen((a, b), lambda out: out[1] * 2) is a
