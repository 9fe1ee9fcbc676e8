"""ReLUs that pass the gradient by another rule: however they are written, and whatever their clamp or leak."""

import warnings

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

import seewhy
from support import ask, networks
from support.references import pixels as by_hand
from support.relus import ALL, METHODS, X, expected, found, mixed, plain, statement, steps, warned, written


def zeros(x):
    return torch.zeros_like(x)


WAYS = {
    "nn.ReLU": nn.ReLU(),
    "nn.ReLU(inplace)": nn.ReLU(inplace=True),
    "nested": nn.Sequential(nn.Sequential(nn.ReLU())),
    "F.relu": F.relu,
    "F.relu(inplace=)": lambda x: F.relu(x, inplace=True),
    "F.relu(x, True)": lambda x: F.relu(x, True),
    "F.relu(input=)": lambda x: F.relu(input=x),
    "F.relu_": F.relu_,
    "torch.relu": torch.relu,
    "torch.relu_": torch.relu_,
    "x.relu()": lambda x: x.relu(),
    "y = x.relu_()": lambda x: x.relu_(),
    "x.relu_()": statement(lambda x: x.relu_()),
    "x.clamp(min=0)": lambda x: x.clamp(min=0),
    "torch.clamp(x, 0)": lambda x: torch.clamp(x, 0),
    "torch.clamp(input=)": lambda x: torch.clamp(input=x, min=0, max=None),
    "clamp by a tensor": lambda x: x.clamp(min=torch.zeros(())),
    "x.clamp_(min=0)": statement(lambda x: x.clamp_(min=0)),
    "x.clip(0)": lambda x: x.clip(0),
    "x.clamp_min(0)": lambda x: x.clamp_min(0),
    "x.clamp_min_(0)": statement(lambda x: x.clamp_min_(0)),
    "F.threshold": lambda x: F.threshold(x, 0, 0),
    "F.threshold_": statement(lambda x: F.threshold_(x, 0, 0)),
    "nn.Threshold": nn.Threshold(0, 0),
    "nn.Threshold(inplace)": nn.Threshold(0, 0, True),
    "F.hardtanh": lambda x: F.hardtanh(x, 0, 1e30),
    "F.hardtanh_": statement(lambda x: F.hardtanh_(x, 0, 1e30)),
    "F.leaky_relu": lambda x: F.leaky_relu(x, 0.0),
    "F.leaky_relu(inplace)": lambda x: F.leaky_relu(x, 0.0, True),
    "torch.maximum": lambda x: torch.maximum(x, zeros(x)),
    "torch.maximum, zero first": lambda x: torch.maximum(torch.zeros(()), x),
    "torch.max of two": lambda x: torch.max(x, zeros(x)),
    "x.max(zero)": lambda x: x.max(torch.tensor(0.0)),
    "torch.where": lambda x: torch.where(x > 0, x, 0),
    "torch.where, tensors": lambda x: torch.where(x > 0, x, zeros(x)),
    "x.where": lambda x: x.where(x > 0, 0),
    "x * (x > 0)": lambda x: x * (x > 0),
    "(x > 0) * x": lambda x: (x > 0) * x,
    "x * (x > 0).float()": lambda x: x * (x > 0).float(),
}


@pytest.mark.parametrize("rule", METHODS)
@pytest.mark.parametrize("way", WAYS)
def test_one_relu_however_it_is_written(way, rule):
    network = written(WAYS[way])
    maps = expected(steps(network, by_hand.relu(rule)))
    ask.close(found(network, rule), maps)
    ask.far(maps, expected(steps(network, by_hand.relu("plain"))), rel=0.1)
    assert not warned(network, rule)


@pytest.mark.parametrize("rule", METHODS)
@pytest.mark.parametrize(
    "wrapper", [lambda n: torch.compile(n, backend="eager"), nn.DataParallel], ids=["compiled", "parallel"]
)
def test_a_network_inside_a_wrapper(wrapper, rule):
    network = written(F.relu)
    ask.close(found(wrapper(network), rule), expected(steps(network, by_hand.relu(rule))))


@pytest.mark.parametrize("rule", METHODS)
def test_a_relu_called_three_times(rule):
    network = networks.reused()
    convs = [by_hand.step_of(module, rule) for module in (network.conv1, network.conv2, network.conv3)]
    way = [step for conv in convs for step in (conv, by_hand.relu(rule))]
    ask.close(found(network, rule), expected([*way, by_hand.mean(), by_hand.flat(), by_hand.step_of(network.fc, rule)]))


CLAMPED = {
    "nn.ReLU6": (nn.ReLU6(), 0, 6),
    "F.relu6": (F.relu6, 0, 6),
    "F.relu6(inplace)": (lambda x: F.relu6(x, inplace=True), 0, 6),
    "clamp(0, 6)": (lambda x: x.clamp(0, 6), 0, 6),
    "clamp_(0, 6)": (statement(lambda x: x.clamp_(min=0, max=6)), 0, 6),
    "nn.Hardtanh": (nn.Hardtanh(), -1, 1),
    "F.hardtanh(-1, 1)": (lambda x: F.hardtanh(x, -1.0, 1.0, True), -1, 1),
    "F.hardtanh(0, 2)": (lambda x: F.hardtanh(x, max_val=2.0, min_val=0.0), 0, 2),
    "nn.Threshold(1, 0)": (nn.Threshold(1.0, 0.0), 1, np.inf),
}


@pytest.mark.parametrize("way", CLAMPED)
def test_guided_stops_at_the_clamp_which_deconv_ignores(way):
    """Guided: positive gradient of units between the bounds; deconvnet: positive gradient.  Neither is the plain gradient."""
    write, low, high = CLAMPED[way]
    network = written(write, bold=3)
    shape = (lambda z: z if z > low else 0.0) if high == np.inf else None
    ways = {rule: steps(network, by_hand.relu(rule, low, high, shape)) for rule in (*METHODS, "plain")}
    ask.close(plain(network), expected(ways["plain"]))
    for rule in METHODS:
        ask.close(found(network, rule), expected(ways[rule]))
        ask.far(expected(ways[rule]), expected(ways["plain"]), rel=0.1)
    if high < np.inf:  # units at the clamp make a difference
        open_above = steps(network, by_hand.relu("guided", low, np.inf, lambda z: min(max(z, low), high)))
        ask.far(expected(ways["guided"]), expected(open_above))


def captum(kind, network, t):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        library = pytest.importorskip("captum.attr")
        return getattr(library, kind)(network).attribute(torch.tensor(X), target=t).numpy()


@pytest.mark.parametrize(("kind", "rule"), [("GuidedBackprop", "guided"), ("Deconvolution", "deconv")])
def test_captum_rewires_modules_and_nothing_else(kind, rule):
    """Equal where every ReLU is a module; theirs is the plain gradient, unsaid, where it is a function or a ReLU6."""
    for t in ALL:
        ask.close(found(written(nn.ReLU()), rule, [t])[0], captum(kind, written(nn.ReLU()), t))
    for network in (written(F.relu), written(nn.ReLU6(), bold=3)):
        ask.close(captum(kind, network, 1), plain(network)[1])
        ask.far(found(network, rule, [1])[0], plain(network)[1], rel=0.1)


LEAKY = {
    "nn.LeakyReLU": (nn.LeakyReLU(0.2), lambda z: z if z > 0 else 0.2 * z),
    "F.leaky_relu_": (statement(lambda x: F.leaky_relu_(x, 0.2)), lambda z: z if z > 0 else 0.2 * z),
    "nn.PReLU": (nn.PReLU().double(), lambda z: z if z > 0 else 0.25 * z),
    "nn.RReLU": (nn.RReLU(0.1, 0.3), lambda z: z if z > 0 else 0.2 * z),
    "nn.ELU": (nn.ELU(1.5), lambda z: z if z > 0 else 1.5 * np.expm1(z)),
    "F.elu(inplace)": (lambda x: F.elu(x, 1.5, True), lambda z: z if z > 0 else 1.5 * np.expm1(z)),
    "nn.CELU": (nn.CELU(2.0), lambda z: z if z > 0 else 2 * np.expm1(z / 2)),
    "nn.SELU": (nn.SELU(), lambda z: 1.0507009873554805 * (z if z > 0 else 1.6732632423543772 * np.expm1(z))),
}


@pytest.mark.parametrize("rule", METHODS)
@pytest.mark.parametrize("way", LEAKY)
def test_a_leak_is_no_signal(way, rule):
    """LeakyReLU, PReLU, ELU, CELU, SELU: positive gradient where x > 0, as of a ReLU; what leaks below does not count."""
    write, shape = LEAKY[way]
    network = written(write).eval()
    maps = expected(steps(network, by_hand.relu(rule, shape=shape)))
    ask.close(found(network, rule), maps)
    ask.far(maps, plain(network), rel=0.1)


SMOOTH = {"SiLU": nn.SiLU(), "GELU": nn.GELU(), "Mish": nn.Mish(), "Softplus": nn.Softplus(), "Tanh": nn.Tanh(),
          "Sigmoid": nn.Sigmoid(), "Hardswish": nn.Hardswish(), "LogSigmoid": nn.LogSigmoid(),
          "GLU": lambda x: F.glu(torch.cat([x, x], 1), 1)}  # fmt: skip


@pytest.mark.parametrize("rule", METHODS)
@pytest.mark.parametrize("name", SMOOTH)
def test_without_a_relu_there_is_no_rule_and_beside_one_it_is_said(name, rule):
    """The plain gradient is never handed out under the other name."""
    with pytest.raises(seewhy.NotApplicable, match=name):
        found(written(SMOOTH[name]), rule)
    network = mixed(SMOOTH[name])
    assert f"1 {name} have no state in which they are off" in warned(network, rule)
    ask.close(found(network, rule), expected(steps(network, by_hand.relu(rule), by_hand.plain(SMOOTH[name]))))


@pytest.mark.parametrize("toy", ["signed_features", "tokens"])
def test_whole_networks_of_smooth_units_are_refused(toy):
    for rule in METHODS:
        with pytest.raises(seewhy.NotApplicable, match="ask for gradient"):
            found(getattr(networks, toy)(), rule, x=networks.images(2))


NOT_RELUS = {
    "clamp(min=1e-6)": lambda x: x.clamp(min=1e-6),
    "clamp(max=0.1)": lambda x: x.clamp(max=0.1),
    "abs": lambda x: x.abs(),
    "max over an axis": lambda x: x * torch.max(x, dim=1, keepdim=True).values,
    "amax": lambda x: x - x.amax(1, keepdim=True),
    "a gate": lambda x: x * (x.mean((2, 3), keepdim=True) + 1),
    "a mask of its own": lambda x: x * (torch.arange(x.shape[1])[:, None, None] % 2),
    "a mask that lets all pass": lambda x: x.sigmoid() * torch.ones_like(x),
    "maximum of two": lambda x: torch.maximum(x, x.flip(1)),
    "where by another": lambda x: torch.where(x.flip(1) > 0, x, 0),
    "dropout": nn.Dropout(0.5),
}


@pytest.mark.parametrize("name", NOT_RELUS)
def test_what_is_no_relu_passes_the_plain_gradient(name):
    network = mixed(NOT_RELUS[name])
    for rule in METHODS:
        way = steps(network, by_hand.relu(rule), by_hand.plain(NOT_RELUS[name]))
        ask.close(found(network, rule), expected(way))
        assert ("Sigmoid" in warned(network, rule)) == bool(warned(network, rule)) == ("lets all" in name)
        with pytest.raises(seewhy.NotApplicable):
            found(written(NOT_RELUS[name]), rule)
