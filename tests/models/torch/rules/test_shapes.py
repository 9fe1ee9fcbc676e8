"""ReLUs in spellings that no list knows are told by what they do; what only looks like one is left alone."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

import seewhy
from seewhy.models.rule import guided
from seewhy.models.torch.rules.relu_rules import Rewiring
from seewhy.models.torch.rules.shapes import Earlier, ReluShape, shape_of
from support import ask
from support.references import pixels as by_hand
from support.relus import METHODS, expected, found, mixed, statement, steps, warned, written


def zeros(x):
    return torch.zeros_like(x)


def one(x):
    return torch.ones((), dtype=x.dtype)


def set_below(x):
    x = x * 1
    x[x < 0] = 0
    return x


def set_in_a_view(x):
    flat = x.flatten(1)
    flat[flat < 0] = 0
    return x


def doubled_and_halved(x):
    x.add_(x.abs())
    x.div_(2)
    return x


def by_numpy_mask(x):
    return x * torch.from_numpy(x.detach().numpy() > 0)


def with_channels_last(x):
    x = x.permute(0, 2, 3, 1)
    return (x * (x > 0).long()).permute(0, 3, 1, 2)


SPELLED = {
    "x * (x > 0).long()": lambda x: x * (x > 0).long(),
    "x * (x > 0).int() * 2 / 2": lambda x: x * (x > 0).int() * 2 / 2,
    "stack, amax": lambda x: torch.stack([x, zeros(x)]).amax(0),
    "cat, max over an axis": lambda x: torch.cat([x[..., None], zeros(x)[..., None]], -1).max(-1)[0],
    "sort": lambda x: torch.sort(torch.stack([x, zeros(x)]), 0).values[1],
    "(x + |x|) / 2": lambda x: (x + x.abs()) / 2,
    "(x + sqrt(x x)) / 2": lambda x: (x + (x * x).sqrt()) * 0.5,
    "in place": doubled_and_halved,
    "x - min(x, 0)": lambda x: x - x.clamp(max=0),
    "-min(-x, 0)": lambda x: -(-x).clamp(max=0),
    "where(x <= 0, 0, x)": lambda x: torch.where(x <= 0, 0, x),
    "x where(x > 0, 1, 0)": lambda x: x * torch.where(x > 0, 1.0, 0.0),
    "x sign(x).clamp(0)": lambda x: x * x.sign().clamp(0),
    "x (sign(x) + 1) / 2": lambda x: x * (torch.sign(x) + 1) / 2,
    "heaviside": lambda x: x * torch.heaviside(x.detach(), torch.zeros((), dtype=x.dtype)),
    "heaviside of x itself": lambda x: x * torch.heaviside(x, torch.zeros((), dtype=x.dtype)),
    "relu(sign(x)) x": lambda x: x.sign().clamp(min=0) * x,
    "addcmul of a step": lambda x: torch.addcmul(zeros(x), torch.heaviside(x, torch.zeros((), dtype=x.dtype)), x),
    "ceil of a clamp": lambda x: x.clamp(0, 1).ceil().clamp(max=1) * x,
    "a step by squares": lambda x: x * (x > 0) * x / x.abs().clamp(min=1e-30),
    "maximum(x, 0 x)": lambda x: x.maximum(0 * x),
    "fmax": lambda x: torch.fmax(x, torch.zeros((), dtype=x.dtype)),
    "masked_fill": lambda x: x.masked_fill(x < 0, 0),
    "masked_fill by not": lambda x: x.masked_fill(~(x > 0), 0),
    "x[x < 0] = 0": set_below,
    "in a view of it": set_in_a_view,
    "index_put": lambda x: x.index_put((x < 0,), torch.zeros((), dtype=x.dtype)),
    "mul_ by a mask": statement(lambda x: x.mul_((x > 0).long())),
    "addcmul": lambda x: torch.addcmul(zeros(x), x, (x > 0).to(x.dtype)),
    "lerp": lambda x: torch.lerp(zeros(x), x, (x > 0).to(x.dtype)),
    "einsum": lambda x: torch.einsum("bchw,bchw->bchw", x, (x > 0).to(x.dtype)),
    "vmap": lambda x: torch.func.vmap(lambda row: row * (row > 0).long())(x),
    "a mask of x.data": lambda x: x * (x.data > 0),
    "a mask of numpy's": by_numpy_mask,
    "channels last": with_channels_last,
    "in two chunks": lambda x: torch.cat([part * (part > 0).long() for part in x.chunk(2, 1)], 1),
}


@pytest.mark.parametrize("rule", METHODS)
@pytest.mark.parametrize("way", SPELLED)
def test_a_relu_that_no_list_knows(way, rule):
    """Alone, and beside one that is told by its name."""
    for network in (written(SPELLED[way]), mixed(SPELLED[way])):
        maps = expected(steps(network, by_hand.relu(rule)))
        ask.close(found(network, rule), maps)
        ask.far(maps, expected(steps(network, by_hand.relu(rule), by_hand.relu("plain"))), rel=0.1)
        assert not warned(network, rule)


MOVED = {  # there, and back
    "movedim": (lambda x: x.movedim(1, -1), lambda x: x.movedim(-1, 1)),
    "permute, contiguous": (lambda x: x.permute(0, 2, 3, 1).contiguous(), lambda x: x.permute(0, 3, 1, 2).contiguous()),
    "flatten": (lambda x: x.flatten(2), lambda x: x.unflatten(2, (6, -1))),
    "mT": (lambda x: x.mT, lambda x: x.mT),
    "half the channels": (lambda x: torch.stack(x.chunk(2, 1)), lambda x: torch.cat(x.unbind(), 1)),
    "halved and doubled": (lambda x: x.movedim(1, 3) / 2, lambda x: x.movedim(3, 1) * 2),
    "flip, clone": (lambda x: x.flip(3), lambda x: x.flip(3).clone()),
    "nothing but a sum": (lambda x: x + 0, lambda x: x + 0),
    "of other numbers": (lambda x: x.to(torch.complex128).real, lambda x: x.double()),
}
RELUS = {"relu": F.relu, "leaky": lambda x: F.leaky_relu(x, 0.25), "unlisted": SPELLED["x * (x > 0).long()"]}


@pytest.mark.parametrize("relu", RELUS)
@pytest.mark.parametrize("way", MOVED)
def test_a_relu_of_moved_values_is_led_once(way, relu):
    """Two branches read what it gives, one of them before it is moved back; what comes of both is summed, then led."""
    (there, back), conv1, conv2 = MOVED[way], nn.Conv2d(3, 6, 3, padding=1).double(), nn.Conv2d(6, 4, 3).double()
    x = torch.from_numpy(np.random.default_rng(1).normal(size=(2, 3, 6, 8))).requires_grad_()

    def score(a):
        return -there(a).pow(2).sum() + conv2(a).tanh().sum() * 3

    def led(image):
        a = RELUS[relu](there(conv1(image)))
        return -a.pow(2).sum() + conv2(back(a)).tanh().sum() * 3

    with Rewiring(guided, nn.Identity()):
        given = torch.autograd.grad(led(x), x)[0]
    h = conv1(x)
    a = (F.leaky_relu(h, 0.25) if relu == "leaky" else h.relu()).detach().requires_grad_()
    g = torch.autograd.grad(score(a), a)[0]
    torch.testing.assert_close(given, torch.autograd.grad(h, x, g.clamp(min=0) * (h > 0))[0])


LEAKY = {  # and its value
    "where(x > 0, x, 0.1 x)": (lambda x: torch.where(x > 0, x, 0.1 * x), lambda z: z if z > 0 else 0.1 * z),
    "max(x, 0.2 x)": (lambda x: torch.max(x, 0.2 * x), lambda z: z if z > 0 else 0.2 * z),
    "0.55 x + 0.45 |x|": (lambda x: 0.55 * x + 0.45 * x.abs(), lambda z: z if z > 0 else 0.1 * z),
    "ELU": (lambda x: torch.where(x > 0, x, x.exp() - 1), lambda z: z if z > 0 else np.expm1(z)),
}


@pytest.mark.parametrize("rule", METHODS)
@pytest.mark.parametrize("way", LEAKY)
def test_leaks_written_by_hand_are_no_signal(way, rule):
    write, value = LEAKY[way]
    network = mixed(write)
    ask.close(found(network, rule), expected(steps(network, by_hand.relu(rule), by_hand.relu(rule, shape=value))))
    assert not warned(network, rule)


@pytest.mark.parametrize("rule", METHODS)
def test_a_relu_with_a_slope_of_its_own(rule):
    network = mixed(lambda x: torch.where(x > 0, 1.5 * x, 0.3 * x))
    leaky = by_hand.relu(rule, shape=lambda z: z if z > 0 else 0.2 * z)

    def scaled(x):
        y, back = leaky(x)
        return 1.5 * y, lambda g: back(1.5 * g)

    ask.close(found(network, rule), expected(steps(network, by_hand.relu(rule), scaled)))


@pytest.mark.parametrize("rule", METHODS)
@pytest.mark.parametrize(
    "write",
    [lambda x: x * x * (x > 0), lambda x: torch.where(x > 0, (x * x).log1p(), 0), lambda x: (x > 0) * (torch.cosh(x) - 1)],
    ids=["squared", "log1p", "cosh"],
)
def test_what_is_off_below_and_curved_above_is_told_with_its_place(write, rule):
    said = warned(mixed(write), rule)
    assert "off below zero as a ReLU is, but curved above" in said
    assert " in the network's own forward" in said


def inside(write):
    class Activation(nn.Module):
        def forward(self, x):
            return write(x)

    return nn.Sequential(nn.Identity(), Activation())


def test_the_place_is_the_module_that_calls():
    assert "curved above, and passed by the plain gradient: mul in write.1" in warned(mixed(inside(lambda x: x * x * (x > 0))))


SMOOTH = {
    "exp": lambda x: torch.log(1 + torch.exp(x)),
    "logaddexp": lambda x: torch.logaddexp(x, zeros(x)),
    "Sigmoid": lambda x: x * torch.sigmoid(x),
    "erf": lambda x: x * (1 + torch.erf(x / 2**0.5)) / 2,
    "log1p": lambda x: torch.log1p(x * x),
    "Tanh": lambda x: x / 2 * (1 + torch.tanh(0.8 * (x + 0.045 * x**3))),
}


@pytest.mark.parametrize("name", SMOOTH)
def test_smooth_units_written_by_hand_are_named(name):
    network = mixed(SMOOTH[name])
    assert f"1 {name} have no state in which they are off" in warned(network)
    with pytest.raises(seewhy.NotApplicable, match=name):
        found(written(SMOOTH[name]), "guided")


ALONE = {  # the same as `nothing of a ReLU` makes of the rule
    "an attention mask": lambda x: (
        (x.flatten(2) @ x.flatten(2).mT).masked_fill(torch.ones(8, 8).tril() == 0, -9.0).softmax(-1) @ x.flatten(2)
    ).unflatten(2, x.shape[2:]),
    "padding by where": lambda x: torch.where(torch.arange(x.shape[3]) < 2, x, 0),
    "a gate": lambda x: x * F.hardtanh(x.mean((2, 3), keepdim=True).detach()),
    "max-pooling": lambda x: F.max_pool2d(x, 3, 1, 1),
    "a residual sum": lambda x: x + x.flip(1),
    "a scale of each channel": lambda x: x * torch.linspace(0, 1, x.shape[1])[:, None, None].to(x.dtype),
    "the absolute value": lambda x: x.abs(),
    "the smaller of two": lambda x: torch.minimum(x, x.flip(2)),
    "a bound": lambda x: x.clamp(max=0.1),
    "a dead zone": lambda x: F.hardshrink(x, 0.05),
}


@pytest.mark.parametrize("rule", METHODS)
@pytest.mark.parametrize("name", ALONE)
def test_what_is_no_relu_keeps_its_gradient_and_says_nothing(name, rule):
    network = mixed(ALONE[name])
    ask.close(found(network, rule), expected(steps(network, by_hand.relu(rule), by_hand.plain(ALONE[name]))))
    assert not warned(network, rule)


@pytest.mark.parametrize("build", ["resnet18", "densenet121", "squeezenet1_1", "shufflenet_v2_x0_5", "mobilenet_v2"])
def test_known_networks_get_no_warning_and_nothing_is_told_by_its_shape(build, monkeypatch):
    models = pytest.importorskip("torchvision.models")
    torch.manual_seed(0)
    network = getattr(models, build)(weights=None).eval()
    told = []
    monkeypatch.setattr(Rewiring, "_by_rule", lambda _self, shape, y: told.append(shape) or y)
    (heatmap,) = seewhy.guided_backprop(seewhy.wrap(network), np.random.default_rng(0).normal(size=(1, 3, 64, 64)), target=0)
    assert not heatmap.source.warnings
    assert not told


def test_a_weights_own_relu_is_none_of_the_images():
    x, w = torch.randn(2, 6, requires_grad=True), nn.Parameter(torch.randn(6))
    with Rewiring(guided, nn.Identity()):
        y = x * 1 * (w * (w > 0).long())
    assert torch.equal(torch.autograd.grad(y.sum(), x)[0], (w * (w > 0)).detach().expand(2, 6))


def test_the_shape_of_a_few_numbers():
    x = torch.tensor([-2.0, -1.0, 0.0, 1.0, 3.0])

    def shape(y):
        return shape_of(torch.tensor(y), [Earlier(x, x._version)])

    assert shape([0.0, 0.0, 0.0, 1.0, 3.0]) == ReluShape(x, 1.0)
    assert shape([-0.2, -0.1, 0.0, 2.0, 6.0]) == ReluShape(x, 2.0)
    assert shape([0.0, 0.0, 0.0, 1.0, 9.0]) == ReluShape(x, None)
    assert shape([-2.0, -1.0, 0.0, 1.0, 3.0]) is None
    assert shape([2.0, 1.0, 0.0, 1.0, 3.0]) is None
    assert shape([0.0, 1.0, 0.0, 1.0, 3.0]) is None
    assert shape([-2.0, -1.0, 0.0, 0.0, 0.0]) is None
    x += 1  # written over: it is another tensor now
    assert shape_of(torch.tensor([0.0, 0.0, 1.0, 2.0, 4.0]), [Earlier(x, 0)]) is None
