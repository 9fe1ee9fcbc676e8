"""Signals, pictures and volumes through the same methods: each map derived a second time in one, two and three dimensions."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

import ask
import networks
import pixel_references
import references
import seewhy
from seewhy.errors import NotApplicable

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


LAYERS = [(name, layer) for name, net in NETS.items() for layer in net.layers]


@pytest.mark.parametrize("method", [*references.FROM_GRADIENTS, *references.FROM_ACTIVATIONS])
@pytest.mark.parametrize(("name", "layer"), LAYERS, ids=[f"{name}-{layer}" for name, layer in LAYERS])
def test_cams_of_every_layer(name, layer, method):
    """Their formulas do not ask how the places are arranged: those of a line of places must come out on the grid."""
    net = NETS[name]
    grid, asked = net.layers[layer], seewhy.METHODS[method]
    case = ask.case(net.network, net.images, TARGETS, [layer], gradients="gradients" in asked.shares)
    (found,) = ask.run(method, case).values()
    assert found.shape[-len(grid) :] == grid
    for t, i in np.ndindex(len(TARGETS), 2):
        a, g = evidence(net, layer, net.images[i], TARGETS[t])
        if method in references.FROM_GRADIENTS:
            line = references.FROM_GRADIENTS[method](a[..., None], g[..., None])
        else:
            line = references.FROM_ACTIVATIONS[method](a[..., None])
        scale = max(abs(a).max() * abs(g).max(), 1e-6)
        np.testing.assert_allclose(found[t, i], line.reshape(grid), rtol=1e-8, atol=1e-10 * scale)


@pytest.mark.parametrize("d", SPACES)
def test_cam_where_there_is_a_head_for_it(d):
    net = NETS[f"pooled {d}-D"]
    (found,) = ask.maps(net.network, "cam", net.images, TARGETS, ["5"]).values()
    w = net.network[-1].weight.detach().numpy()
    for t, i in np.ndindex(2, 2):
        ask.close(
            found[t, i], np.tensordot(w[TARGETS[t]], references.evidence(net.network, "5", net.images[i], w[0, :5])[0], 1)
        )
    with pytest.raises(NotApplicable, match="hires-cam"):
        seewhy.cam(seewhy.wrap(NETS[f"flat {d}-D"].network), NETS[f"flat {d}-D"].images)


@pytest.mark.parametrize("name", NETS)
def test_the_default_layer_and_where_its_cells_lie(name):
    """The last that has places; a cell's centre is that of the pixels that it was made of."""
    net = NETS[name]
    (found, _) = seewhy.grad_cam(seewhy.wrap(net.network), net.images, target=0, signed=True)
    assert (found.source.layer, found.values.shape) == (net.last, net.layers[net.last])
    strides = [size / cells for size, cells in zip(net.space, net.layers[net.last], strict=True)]
    if name not in ("recurrent",) and not name.startswith("averaged"):
        assert found.cells is not None
        assert [*found.cells.stride] == pytest.approx(strides)


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


@pytest.mark.parametrize(("method", "rule"), [("gradient", "plain"), ("guided-backprop", "guided"), ("deconvnet", "deconv")])
@pytest.mark.parametrize("name", CONVOLVED)
def test_gradients_and_their_rules(name, method, rule):
    net = NETS[name]
    found = ask.maps(net.network, method, net.images, TARGETS, ["input"])["input"]
    for t, i in np.ndindex(2, 2):
        ask.close(found[t, i], led_back(net, net.images[i], TARGETS[t], rule))
    if rule != "plain":
        ask.far(found, ask.maps(net.network, "gradient", net.images, TARGETS, ["input"])["input"])


@pytest.mark.parametrize("d", SPACES)
def test_the_switches_of_max_pooling(d):
    """All that comes back to a window goes to its largest pixel, whatever the rule."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        head = nn.Linear(2 * int(np.prod(half(SPACES[d]))), 5).double()
    network = nn.Sequential(nn.ReLU(), of(d, "MaxPool")(2), nn.Flatten(), head)
    x = np.random.default_rng(d).normal(1, 1, (1, 2, *SPACES[d]))
    found = ask.maps(network, "deconvnet", x, [1], ["input"])["input"][0, 0]
    expected = np.zeros_like(x[0])
    weights = head.weight.detach().numpy()[1].reshape(2, *half(SPACES[d]))
    for c, *cell in np.ndindex(*weights.shape):
        window = (c, *(slice(2 * i, 2 * i + 2) for i in cell))
        after = np.maximum(x[0][window], 0)
        place = np.unravel_index(after.argmax(), after.shape)
        expected[window][place] = max(weights[(c, *cell)], 0)
    ask.close(found, expected)


@pytest.mark.parametrize("name", [*PLAIN, "recurrent", "tokens 1-D", "tokens 3-D"])
def test_what_is_made_of_gradients(name):
    net = NETS[name]
    steps = list(net.network) if isinstance(net.network, nn.Sequential) else None
    plain = net if steps else net._replace(network=nn.Sequential(net.network))
    image, own = net.images[1], lambda x: led_back(plain, x, 3)
    found = {m: ask.maps(net.network, m, net.images, [3], ["input"], **few)["input"][0, 1] for m, few in PIXELS.items()}
    copies = pixel_references.noisy(image, 3)
    gradients = [own(copy) for copy in copies]
    mean = sum(gradients) / 3
    ask.close(found["input-x-gradient"], image * own(image))
    ask.close(found["smooth-grad"], mean)
    ask.close(found["smooth-grad-squared"], sum(g**2 for g in gradients) / 3)
    ask.close(found["var-grad"], sum((g - mean) ** 2 for g in gradients) / 3)
    whole = sum(w * own(alpha * image) for alpha, w in pixel_references.NODES["gauss-legendre"](3))
    ask.close(found["integrated-gradients"], image * whole)
    mirrored = seewhy.method.lookup("augment(gradient)").using(flips=True, scales=(1,))
    both = ask.run(mirrored, ask.case(net.network, net.images, [3], ["input"], gradients=False, pixels=True))["input"][0, 1]
    ask.close(both, (own(image) + np.flip(own(np.flip(image, -1).copy()), -1)) / 2)


PIXELS: dict[str, dict[str, Any]] = {
    "input-x-gradient": {}, "smooth-grad": {"samples": 3}, "smooth-grad-squared": {"samples": 3}, "var-grad": {"samples": 3},
    "integrated-gradients": {"steps": 3},
}  # fmt: skip


@pytest.mark.parametrize("method", ["guided-backprop", "deconvnet", "guided-grad-cam"])
@pytest.mark.parametrize("name", ["tokens 1-D", "tokens 3-D"])
def test_what_a_transformer_is_refused_and_what_to_ask_for(name, method):
    net = NETS[name]
    with pytest.raises(NotApplicable, match="ask for gradient"):
        seewhy.METHODS[method](seewhy.wrap(net.network), net.images, target=0)


@pytest.mark.parametrize("d", SPACES)
def test_units_of_any_grid(d):
    net = NETS[f"pooled {d}-D"]
    for where, read in {"max": torch.max, "sum": torch.sum}.items():
        (m,) = seewhy.gradient(seewhy.wrap(net.network), net.images[:1], target=seewhy.Unit("3", 2, at=where), reduce="sum")
        x = torch.tensor(net.images[:1], requires_grad=True)
        (g,) = torch.autograd.grad(read(net.network[:4](x)[0, 2]), x)
        ask.close(m.values, g[0].sum(0).numpy(), 1e-6)


@pytest.mark.parametrize("d", SPACES)
def test_a_single_channel_is_no_place(d):
    """(n, 1, *space): the image itself, whose only channel comes first."""
    network = bold(
        lambda: nn.Sequential(of(d, "Conv")(1, 4, 3), nn.ReLU(), nn.Flatten(2), nn.AdaptiveMaxPool1d(1), nn.Flatten())
    )
    x = np.random.default_rng(d).normal(size=(2, 1, *SPACES[d]))
    leaf = torch.tensor(x, requires_grad=True)
    (g,) = torch.autograd.grad(network(leaf)[:, 2].sum(), leaf)
    ask.close(ask.values(seewhy.gradient(seewhy.wrap(network), x, target=2, reduce="sum")), g[:, 0].numpy(), 1e-6)
