"""Small networks of signals, pictures and volumes, the grids of their layers, and their gradients by hand."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from support import networks
from support.references import cams as references

Floats = NDArray[np.float64]
SPACES = {1: (24,), 2: (8, 12), 3: (4, 6, 8)}
TARGETS = (0, 3)


class Net(NamedTuple):
    """A network, the images that it takes, and layers of it with the grids that they have."""

    network: nn.Module
    space: tuple[int, ...]
    layers: dict[str, tuple[int, ...]]

    @property
    def images(self) -> Floats:
        return np.random.default_rng(self.space).normal(0.2, 1, (2, 2, *self.space))

    @property
    def last(self) -> str:
        return [*self.layers][-1]


def of(d: int, kind: str) -> Any:
    """nn.Conv1d of (1, "Conv")"""
    return getattr(nn, f"{kind}{d}d")


def convs(d: int) -> list[nn.Module]:
    """(n, 2, *space) -> (n, 8, *space / 2), the last ReLU called 5."""
    pool = of(d, "MaxPool")(2)
    return [of(d, "Conv")(2, 6, 3, padding=1), of(d, "BatchNorm")(6), nn.ReLU(), pool, of(d, "Conv")(6, 8, 3, padding=1),
            nn.ReLU()]  # fmt: skip


def pooled(d: int) -> nn.Module:
    return nn.Sequential(*convs(d), of(d, "AdaptiveAvgPool")(1), nn.Flatten(), nn.Linear(8, 5))


def flat(d: int) -> nn.Module:
    count = 8 * int(np.prod([side // 2 for side in SPACES[d]]))
    return nn.Sequential(*convs(d), nn.Flatten(), nn.Linear(count, 12), nn.ReLU(), nn.Linear(12, 5))


def averaged(d: int) -> nn.Module:
    """Strides, grouped channels and mean pooling; nothing is a power of two."""
    return nn.Sequential(
        of(d, "Conv")(2, 6, 3, stride=2, padding=1), nn.ReLU(), of(d, "AvgPool")(2, 1), of(d, "Conv")(6, 8, 2, groups=2),
        nn.ReLU(), of(d, "AdaptiveMaxPool")(1), nn.Flatten(), nn.Linear(8, 5),
    )  # fmt: skip


class Recurrent(nn.Module):
    """A GRU over the features of a signal; what it says last is read."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.act = nn.Conv1d(2, 6, 5, stride=2, padding=2), nn.ReLU()
        self.rnn, self.fc = nn.GRU(6, 7, batch_first=True), nn.Linear(7, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.rnn(self.act(self.conv(x)).transpose(1, 2))[0][:, -1])


class Transformer(nn.Module):
    """Over patches of a signal, a picture or a volume; a class token is read, or the mean of all."""

    def __init__(self, space: tuple[int, ...], side: int, cls: bool, width: int = 20) -> None:
        super().__init__()
        d, count = len(space), int(np.prod([size // side for size in space]))
        self.patch = of(d, "Conv")(2, width, side, stride=side)
        self.cls = nn.Parameter(torch.randn(1, 1, width)) if cls else None
        self.where = nn.Parameter(torch.randn(1, count + cls, width) / 2)
        self.block1, self.block2 = networks.Block(width), networks.Block(width)
        self.norm, self.fc = nn.LayerNorm(width), nn.Linear(width, 5)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.patch(x).flatten(2).transpose(1, 2)
        tokens = tokens if self.cls is None else torch.cat([self.cls.expand(len(x), -1, -1), tokens], 1)
        tokens = self.norm(self.block2(self.block1(tokens + self.where)))
        return self.fc(tokens.mean(1) if self.cls is None else tokens[:, 0])


def bold(build: Callable[[], nn.Module], seed: int = 3) -> nn.Module:
    """Seeded, float64, in eval mode; weights twice torch's, BatchNorms that are no identity."""
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        network = build().double().eval()
        for parameter in network.parameters():
            if parameter.ndim > 1:
                parameter.mul_(2)
        for norm in network.modules():
            if isinstance(norm, nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d):
                nn.init.uniform_(norm.running_mean, -0.3, 0.3)
                nn.init.uniform_(norm.running_var, 0.3, 2)
                nn.init.uniform_(norm.bias, -0.5, 0.5)
        return network


def half(space: tuple[int, ...], by: int = 2) -> tuple[int, ...]:
    return tuple(side // by for side in space)


def transformer(space: tuple[int, ...], side: int, cls: bool, layers: tuple[str, ...]) -> Net:
    return Net(bold(lambda: Transformer(space, side, cls)), space, dict.fromkeys(layers, half(space, side)))


def made() -> dict[str, Net]:
    nets = {}
    for d, space in SPACES.items():
        fine, side = half(space), 2 if d == 3 else 4
        nets[f"pooled {d}-D"] = Net(bold(lambda d=d: pooled(d)), space, {"0": space, "2": space, "3": fine, "5": fine})
        nets[f"flat {d}-D"] = Net(bold(lambda d=d: flat(d)), space, {"2": space, "5": fine})
        nets[f"tokens {d}-D"] = transformer(space, side, False, ("patch", "block1", "norm"))
    for d, space in {2: (12, 18), 3: (6, 8, 11)}.items():
        odd = tuple((side + 1) // 2 - 2 for side in space)
        layers = {"1": tuple((side + 1) // 2 for side in space), "4": odd}
        nets[f"averaged {d}-D"] = Net(bold(lambda d=d: averaged(d), seed=5), space, layers)
    nets["class token 2-D"] = transformer(SPACES[2], 4, True, ("block1", "block2.norm1"))
    nets["class token 3-D"] = transformer((8, 12, 16), 4, True, ("block1", "block2.norm1"))
    nets["recurrent"] = Net(bold(Recurrent), SPACES[1], {"conv": half(SPACES[1]), "rnn": half(SPACES[1])})
    return nets


NETS = made()
CONVOLVED = [name for name in NETS if name.startswith(("pooled", "flat", "averaged"))]
PLAIN = [name for name in NETS if name.startswith(("pooled", "flat"))]


def evidence(net: Net, layer: str, image: Floats, target: int) -> tuple[Floats, Floats]:
    """The layer's activation and gradient of one image, (c, places)."""
    a, g = references.evidence(net.network, layer, image, np.eye(5)[target])
    grid = net.layers[layer]
    if a.shape[1:] == grid:
        return a.reshape(len(a), -1), g.reshape(len(g), -1)
    first = len(a) - int(np.prod(grid))  # the class token
    return a[first:].T, g[first:].T


class Ruled(nn.Module):
    """A ReLU in whose place one stands that passes gradient by a rule of its own."""

    def __init__(self, rule: str) -> None:
        super().__init__()
        self.rule = rule

    def forward(self, x: Tensor) -> Tensor:
        y = x.clamp(min=0)
        if y.requires_grad:
            on = (x > 0).detach()
            y = Through.apply(x, on, self.rule)
        return y


class Through(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, on: Tensor, rule: str) -> Tensor:
        ctx.on, ctx.rule = on, rule
        return x * on

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        g = grads[0]
        return (g * ctx.on if ctx.rule == "plain" else g * (g > 0) * (ctx.on if ctx.rule == "guided" else 1)), None, None


def led_back(net: Net, image: Floats, target: int, rule: str = "plain") -> Floats:
    """The gradient at one image, ReLUs replaced by modules that know the rule."""
    network = nn.Sequential(*(Ruled(rule) if isinstance(part, nn.ReLU) else part for part in net.network))
    x = torch.tensor(image[None], requires_grad=True)
    return torch.autograd.grad(network(x)[0, target], x)[0][0].numpy()


def pointwise(d: int) -> nn.Module:
    """Average pooling before or behind a convolution of kernel 1."""
    conv = of(d, "Conv")
    return nn.Sequential(conv(2, 7, 3, padding=1), nn.ReLU(), of(d, "AdaptiveAvgPool")(1), conv(7, 5, 1), nn.Flatten())
