"""Networks that end in what weighs channels, each with the weights (k, c) that channels have in its scores, by hand."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import parametrizations, parametrize

from support import networks

X = networks.images(2, *networks.SIDES, seed=11)
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
