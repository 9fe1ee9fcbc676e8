"""CAM's head is what it does: the weights that channels truly have in the scores, whatever code stands behind the layer."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

import seewhy
from seewhy.errors import NotApplicable
from seewhy.models.settings import Settings
from seewhy.models.torch.examination import examination
from seewhy.models.torch.head import head
from seewhy.models.torch.runner import Runner
from seewhy.targets.target import Class, Contrast, Top, weighted
from support import networks
from support.heads import EFFECTS, ByHand, C, Directions, Ending, K, X, hooked, made, norm, two_layers

TARGETS = [Class(1), Top(2), Contrast(0, 3, strength=0.5)]


@pytest.mark.parametrize("kind", EFFECTS)
def test_the_weights_are_those_that_channels_have_in_the_scores(kind):
    """w by hand; and Zhou et al.'s identity: the mean of sum_c w a, and a constant, are the score, image by image."""
    build, by_hand = EFFECTS[kind]
    network = made(build)
    result = head(Runner(network, Settings()), X, TARGETS, ["body"])
    with torch.no_grad():
        a, scores, w = (
            network.get_submodule("body")(torch.tensor(X)),
            network(torch.tensor(X)).flatten(1),
            by_hand(network).detach(),
        )
        constant = network.end(network.pool(torch.zeros_like(a))).flatten(1)[0]
    rows = torch.tensor(weighted(TARGETS, scores.numpy()))
    np.testing.assert_allclose(result.a["body"], a, rtol=1e-12)
    np.testing.assert_allclose(result.w, rows @ w, rtol=1e-9, atol=1e-12)
    means = torch.einsum("tnc,nchw->tnhw", torch.as_tensor(result.w), a).mean((2, 3))
    if not network._forward_hooks:  # whose hook `constant` did not pass
        np.testing.assert_allclose(means + rows @ constant, (rows * scores).sum(-1), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("kind", EFFECTS)
def test_the_map_is_cam(kind):
    build, by_hand = EFFECTS[kind]
    network = made(build)
    maps = seewhy.cam(seewhy.wrap(network), X, target=3, layer="body", signed=True)
    with torch.no_grad():
        expected = torch.einsum("c,nchw->nhw", by_hand(network)[3], network.get_submodule("body")(torch.tensor(X)))
    for one, other in zip(maps, expected, strict=True):
        np.testing.assert_allclose(one.values, other, rtol=1e-5, atol=1e-6 * float(other.abs().max()))


OTHERS: dict[str, tuple[Callable[[], nn.Module], str]] = {  # a network without CAM, and why
    "inputs of length one": (lambda: Ending(Directions(True)), "not linear"),
    "a layer between": (lambda: two_layers(nn.ReLU()), "not linear"),
    "a squeezed layer between": (lambda: two_layers(nn.Tanh()), "not linear"),
    "squares": (lambda: Ending(ByHand(lambda z, w: (z @ w.T) ** 2)), "not linear"),
    "a gate": (lambda: Ending(ByHand(lambda z, w: (z @ w.T) * z.sum(1, True).sigmoid())), "not linear"),
    "an attention over classes": (lambda: hooked(lambda y: y * y.softmax(1)), "not linear"),
    "softmax": (lambda: hooked(lambda y: y.softmax(1)), "not linear"),
    "log-softmax": (lambda: hooked(lambda y: y.log_softmax(1)), "not linear"),
    "bounded scores": (lambda: hooked(lambda y: y.clamp(-0.1, 0.1) + 0.5 * y), "not linear"),
    "a norm of layers": (lambda: Ending(nn.Sequential(nn.LayerNorm(C), nn.Linear(C, K))), "not linear"),
    "squares pooled": (lambda: Ending(nn.Linear(C, K), lambda a: (a**2).mean((2, 3)).sqrt()), "do not count alike"),
    "the maximum": (lambda: Ending(nn.Linear(C, K), lambda a: a.amax((2, 3))), "do not count alike"),
    "some cells": (lambda: Ending(nn.Linear(C, K), lambda a: a[:, :, 1:].mean((2, 3))), "do not count alike"),
    "all cells": (lambda: Ending(nn.LazyLinear(K), lambda a: a.flatten(1)), "do not count alike"),
    "a skip from the image": (lambda: Beside(), "does not pass through body"),
    "a skip from the layer before": (lambda: Beside(1), "does not pass through body"),
}  # fmt: skip


class Beside(nn.Module):
    """A linear layer of what two ways give, of which one goes past the body: from the image, or from its first layer."""

    def __init__(self, layers: int = 0) -> None:
        super().__init__()
        self.layers, self.body = layers, nn.Sequential(nn.Conv2d(3, C, 3), nn.ReLU())
        self.first = nn.Sequential(*[nn.Conv2d(3, 3, 1)] * layers)
        self.end, self.skip = nn.Linear(C, K), nn.Linear(3, K)

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        return self.end(self.body(x).mean((2, 3))) + self.skip(x.mean((2, 3)))


@pytest.mark.parametrize("kind", OTHERS)
def test_where_the_scores_are_not_linear_in_the_means_there_is_no_cam(kind):
    build, why = OTHERS[kind]
    torch.manual_seed(3)
    network = build().double()
    network(torch.tensor(X))  # of a lazy layer
    with pytest.raises(NotApplicable, match=why) as raised:
        seewhy.cam(seewhy.wrap(network.eval()), X, target=3, layer="body")
    assert "grad-cam" in str(raised.value) or "hires-cam" in str(raised.value)


def test_a_relu_right_behind_the_layer_is_taken_along():
    """As in densenet: what is pooled is the ReLU, and weights are those of live channels."""
    network = made(lambda: Ending(ByHand(lambda z, w: z @ w.T), lambda a: a.relu().mean((2, 3)), relu=False))
    maps = seewhy.cam(seewhy.wrap(network), X, target=2, layer="body", signed=True)
    with torch.no_grad():
        a = network.get_submodule("body")(torch.tensor(X)).relu()
        expected = torch.einsum("c,nchw->nhw", network.end.w[2], a)
    for one, other in zip(maps, expected, strict=True):
        np.testing.assert_allclose(one.values, other, rtol=1e-5, atol=1e-6 * float(other.abs().max()))


class Convolutions(TorchDispatchMode):
    """Counts the images that run through convolutions."""

    def __init__(self) -> None:
        super().__init__()
        self.images = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.images += len(args[0]) if func is torch.ops.aten.convolution.default else 0
        return func(*args, **(kwargs or {}))


PASSES = {"a linear layer": (2, 2), "weight norm": (2, 2), "two layers": (9, 2), "a gate": (8, 8), "all cells": (4, 4)}


@pytest.mark.parametrize("kind", PASSES)
def test_passes(kind):
    """Of two images one pass where a linear layer is called, else a second with a graph.  To see whether scores are linear
    takes four more of a single image, none where the cells do not count alike, and where they are linear one of another image;
    once for a class of a network, of which the second pass alone is made from then on.
    """
    torch.manual_seed(3)
    network = (EFFECTS | OTHERS)[kind][0]().double()
    network(torch.tensor(X))
    runner, counts = Runner(network.eval(), Settings()), []
    runner.survey(torch.tensor(X[:1]))
    for x in (X, X[::-1].copy()):
        with Convolutions() as ran:
            try:
                head(runner, x, [Class(1)], ["body"])
            except NotApplicable:
                assert kind in OTHERS
        counts.append(ran.images)
    assert tuple(counts) == PASSES[kind]


@pytest.mark.parametrize("kind", ["a linear layer", "an output hook that rescales classes", "a sum of products"])
def test_the_doctor_knows_a_head_by_what_it_does(kind):
    model = seewhy.wrap(made(EFFECTS[kind][0]))
    assert "head" not in examination(model.runner, X[:1], model.layers(X[:1])).refused


@pytest.mark.parametrize("kind", ["a gate", "softmax", "the maximum"])
def test_the_doctor_refuses_what_is_no_head(kind):
    model = seewhy.wrap(made(OTHERS[kind][0]))
    assert "CAM needs" in examination(model.runner, X[:1], model.layers(X[:1])).refused["head"]


class Frozen(nn.Module):
    """A linear layer by hand, through which no gradient comes back."""

    def __init__(self) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.randn(K, C))

    def forward(self, z: Tensor) -> Tensor:
        with torch.no_grad():
            return z @ self.w.T


def test_where_no_gradient_comes_back_what_needs_none_is_named():
    with pytest.raises(NotApplicable, match=r"no linear layer makes the scores.* no gradient comes back to body .*recipro-cam"):
        seewhy.cam(seewhy.wrap(made(lambda: Ending(Frozen()))), X, target=3, layer="body")


def test_of_an_edited_network_it_is_found_out_anew():
    network = made(lambda: two_layers(nn.Identity()))
    model = seewhy.wrap(network)
    seewhy.cam(model, X, target=3, layer="body")
    network.end[1] = nn.ReLU()
    with pytest.raises(NotApplicable, match="not linear"):
        seewhy.cam(model, X, target=3, layer="body")


def test_layers_of_weights_of_their_own_are_asked_one_by_one():
    network = made(lambda: Ending(nn.Sequential(norm(C), nn.Linear(C, K))))
    network.body.append(nn.Conv2d(C, C, 1, groups=C).double())  # scales channels, so that "body.1" weighs otherwise
    with pytest.raises(NotApplicable, match="one layer"):
        head(Runner(network, Settings()), X, [Class(1)], ["body.1", "body.2"])
    assert head(Runner(network, Settings()), X, [Class(1)], ["body.1"]).w.shape == (1, 2, C)


def test_the_head_makes_the_score_of_pooled_activations():
    network = networks.pooled()
    result = head(Runner(network, Settings()), X, TARGETS, ["act2"])
    weight, bias = network.fc.weight.detach(), network.fc.bias.detach()
    np.testing.assert_allclose(result.w[0], weight[[1, 1]], rtol=1e-12)
    np.testing.assert_allclose(result.w[2], (weight[0] - 0.5 * weight[3]).expand(2, -1), rtol=1e-12)
    pooled = torch.as_tensor(result.a["act2"]).mean((2, 3))
    made = (pooled * torch.as_tensor(result.w)).sum(-1) + torch.tensor(result.weights) @ bias
    scores = network(torch.tensor(X)).detach()
    rows = torch.tensor(weighted(TARGETS, scores.numpy()))
    np.testing.assert_allclose(made, (rows * scores).sum(-1), rtol=1e-9)


def test_where_more_than_pooling_lies_before_the_last_layer_there_is_no_head():
    with pytest.raises(NotApplicable):
        head(Runner(networks.flat_head(), Settings()), X, TARGETS, ["act2"])
    with pytest.raises(NotApplicable, match="this model explains probability"):
        head(Runner(networks.pooled(), Settings(scores="probability")), X, TARGETS, ["act2"])
