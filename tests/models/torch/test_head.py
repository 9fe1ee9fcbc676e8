"""CAM's head is what it does: the weights that channels truly have in the scores, whatever code stands behind the layer."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import parametrizations, parametrize
from torch.utils._python_dispatch import TorchDispatchMode

import seewhy
from seewhy.errors import NotApplicable
from seewhy.models.settings import Settings
from seewhy.models.torch.examination import examination
from seewhy.models.torch.head import head
from seewhy.models.torch.runner import Runner
from seewhy.targets.target import Class, Contrast, Top, weighted
from support import networks

X = networks.images(2, *networks.SIDES, seed=11)
TARGETS = [Class(1), Top(2), Contrast(0, 3, strength=0.5)]
C, K = 6, 5
S = torch.tensor([2.0, -1.0, 0.5, -3.0, 1.5], dtype=torch.float64)
T = torch.linspace(-2, 2, C, dtype=torch.float64)


class Ending(nn.Module):
    """A body that emits maps; what pools them, and what makes scores of that."""

    def __init__(self, end: Any, pool: Callable[[Tensor], Tensor] = lambda a: a.mean((2, 3)), relu: bool = True) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, C, 3, stride=2), nn.ReLU() if relu else nn.Identity())
        self.end, self.pool = end, pool

    def forward(self, x: Tensor) -> Tensor:
        return self.end(self.pool(self.body(x)))


class AddedLow(nn.Linear):
    """A low-rank update beside the weights of the class that it is one of, as LoRA has it."""

    def __init__(self) -> None:
        super().__init__(C, K)
        self.down, self.up = nn.Parameter(torch.randn(2, C)), nn.Parameter(torch.randn(K, 2))

    def forward(self, input: Tensor) -> Tensor:
        return super().forward(input) + 2 * F.linear(F.linear(input, self.down), self.up)


class AddedInPlace(AddedLow):
    def forward(self, input: Tensor) -> Tensor:
        out = F.linear(input, self.weight, self.bias)
        out += 2 * (input @ self.down.T @ self.up.T)
        return out


class Around(nn.Module):
    """The same around a layer whose weights it shows as its own."""

    def __init__(self) -> None:
        super().__init__()
        self.base = nn.Linear(C, K)
        self.weight, self.bias = self.base.weight, self.base.bias
        self.down, self.up = nn.Linear(C, 2, bias=False), nn.Linear(2, K, bias=False)

    def forward(self, z: Tensor) -> Tensor:
        return self.base(z) + 2 * self.up(self.down(z))


class Directions(nn.Linear):
    """Weights of length one; with `both`, inputs too, which is not linear."""

    def __init__(self, both: bool) -> None:
        super().__init__(C, K, bias=False)
        self.both = both

    def forward(self, input: Tensor) -> Tensor:
        return 4 * F.linear(F.normalize(input) if self.both else input, F.normalize(self.weight))


class Elsewhere(nn.Linear):
    """Its `weight` plays no part."""

    def __init__(self) -> None:
        super().__init__(C, K)
        self.real = nn.Parameter(torch.randn(C, K))

    def forward(self, input: Tensor) -> Tensor:
        return torch.addmm(self.bias, input, self.real)


class ByHand(nn.Module):
    """A linear layer written out: made(z, w)."""

    def __init__(self, made: Callable[[Tensor, Tensor], Tensor]) -> None:
        super().__init__()
        self.w, self.made = nn.Parameter(torch.randn(K, C)), made

    def forward(self, z: Tensor) -> Tensor:
        return self.made(z, self.w)


class Doubled(nn.Module):
    def forward(self, w: Tensor) -> Tensor:
        return w * w


def norm(count: int) -> nn.Module:
    layer = nn.BatchNorm1d(count)
    assert layer.running_mean is not None
    assert layer.running_var is not None
    layer.running_mean.normal_()
    layer.running_var.uniform_(0.5, 2)
    nn.init.normal_(layer.weight)
    return layer


def scale(layer: Any) -> Tensor:
    return layer.weight / (layer.running_var + layer.eps).sqrt()


def hooked(hook: Callable[[Tensor], Tensor], before: bool = False, whole: bool = False) -> nn.Module:
    network = Ending(nn.Linear(C, K))
    module = network if whole else network.end
    if before:
        module.register_forward_pre_hook(lambda _m, args: (hook(args[0]),))
    else:
        module.register_forward_hook(lambda _m, _args, out: hook(out))
    return network


def patched() -> nn.Module:
    network, own = Ending(nn.Linear(C, K)), None
    own = network.end.forward
    network.end.forward = lambda input: own(input) * S
    return network


def changed(change: Callable[[nn.Linear], Any]) -> nn.Module:
    network = Ending(nn.Linear(C, K))
    change(network.end)
    return network


def convolved() -> nn.Module:
    return Ending(nn.Conv2d(C, K, 1), lambda a: a.mean((2, 3), keepdim=True))


def classes_first() -> nn.Module:
    """A score map for each class, pooled."""
    return Ending(lambda s: s.mean((2, 3)), nn.Conv2d(C, K, 1))


def two_layers(between: nn.Module) -> nn.Module:
    return Ending(nn.Sequential(nn.Linear(C, 7), between, nn.Linear(7, K)))


def product(layers: nn.Sequential) -> Tensor:
    return layers[2].weight @ layers[0].weight


EFFECTS: dict[str, tuple[Callable[[], nn.Module], Callable[[Any], Tensor]]] = {  # a network, and its weights (k, c) by hand
    "a linear layer": (lambda: Ending(nn.Linear(C, K)), lambda n: n.end.weight),
    "a pointwise convolution": (convolved, lambda n: n.end.weight[:, :, 0, 0]),
    "a low-rank update in a subclass": (lambda: Ending(AddedLow()), lambda n: n.end.weight + 2 * n.end.up @ n.end.down),
    "the same in place": (lambda: Ending(AddedInPlace()), lambda n: n.end.weight + 2 * n.end.up @ n.end.down),
    "the same around a layer": (
        lambda: Ending(Around()), lambda n: n.end.base.weight + 2 * n.end.up.weight @ n.end.down.weight
    ),
    "weights of length one": (lambda: Ending(Directions(False)), lambda n: 4 * F.normalize(n.end.weight)),
    "another weight": (lambda: Ending(Elsewhere()), lambda n: n.end.real.T),
    "a product": (lambda: Ending(ByHand(lambda z, w: z @ w.T)), lambda n: n.end.w),
    "einsum": (lambda: Ending(ByHand(lambda z, w: torch.einsum("nc,kc->nk", z, w) + 1)), lambda n: n.end.w),
    "a sum of products": (lambda: Ending(ByHand(lambda z, w: (z[:, None] * w).sum(-1))), lambda n: n.end.w),
    "an output hook that rescales classes": (lambda: hooked(lambda y: y * S), lambda n: S[:, None] * n.end.weight),
    "one in place": (lambda: hooked(lambda y: y.mul_(S)), lambda n: S[:, None] * n.end.weight),
    "one on the network": (lambda: hooked(lambda y: y * S, whole=True), lambda n: S[:, None] * n.end.weight),
    "one that changes classes' order": (lambda: hooked(lambda y: y.flip(1)), lambda n: n.end.weight.flip(0)),
    "one that masks a class": (lambda: hooked(lambda y: y * (S > 0)), lambda n: (S > 0)[:, None] * n.end.weight),
    "one that centres scores": (lambda: hooked(lambda y: y - y.mean(1, True)), lambda n: n.end.weight - n.end.weight.mean(0)),
    "an input hook": (lambda: hooked(lambda z: z * T, before=True), lambda n: n.end.weight * T),
    "a forward of the instance": (patched, lambda n: S[:, None] * n.end.weight),
    "weight norm": (lambda: changed(parametrizations.weight_norm), lambda n: n.end.weight),
    "spectral norm": (lambda: changed(parametrizations.spectral_norm), lambda n: n.end.weight),
    "a weight made of another": (
        lambda: changed(lambda m: parametrize.register_parametrization(m, "weight", Doubled())),
        lambda n: n.end.parametrizations.weight.original ** 2,
    ),
    "two layers": (lambda: two_layers(nn.Dropout()), lambda n: product(n.end)),
    "a temperature": (lambda: Ending(nn.Sequential(nn.Linear(C, K), Divided(0.07))), lambda n: n.end[0].weight / 0.07),
    "a norm before": (lambda: Ending(nn.Sequential(norm(C), nn.Linear(C, K))), lambda n: n.end[1].weight * scale(n.end[0])),
    "a norm behind": (
        lambda: Ending(nn.Sequential(nn.Linear(C, K), norm(K))), lambda n: scale(n.end[1])[:, None] * n.end[0].weight
    ),
    "a sum over space": (lambda: Ending(nn.Linear(C, K), lambda a: a.sum((2, 3))), lambda n: n.end.weight * cells(n)),
    "classes pooled": (classes_first, lambda n: n.pool.weight[:, :, 0, 0]),
}  # fmt: skip


class Divided(nn.Module):
    def __init__(self, by: float) -> None:
        super().__init__()
        self.by = by

    def forward(self, y: Tensor) -> Tensor:
        return y / self.by


def cells(network: nn.Module) -> int:
    with torch.no_grad():
        return network.get_submodule("body")(torch.tensor(X))[0, 0].numel()


def made(build: Callable[[], nn.Module]) -> Any:
    torch.manual_seed(3)
    return build().double().eval()


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
