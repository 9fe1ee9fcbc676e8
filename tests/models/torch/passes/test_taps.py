"""Reading a network while it runs: what a tap keeps, that nothing stays behind, and what can and cannot be read."""

from threading import Thread

import numpy as np
import pytest
import torch
from torch import nn
from torch.testing import assert_close

import seewhy
from seewhy.models.torch.passes.taps import (
    Stop,
    Tap,
    every_module,
    hooked,
    last_modules,
    modules_of,
    offloaded,
    ordered_gradients,
    recorded,
    unwrapped,
    watched,
)
from support import networks
from support.threads import together

RNG = torch.Generator().manual_seed(0)
X = torch.randn(2, 3, 6, 6, generator=RNG)


class Net(nn.Module):
    """A convolution that runs twice, and a ReLU that writes over what it made."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.relu, self.same = nn.Conv2d(3, 3, 1), nn.ReLU(inplace=True), nn.Identity()

    def forward(self, x):
        return self.relu(self.conv(self.relu(self.conv(self.same(x)))))


@pytest.fixture
def network():
    return Net()


def hooks(network):
    return sum(len(module._forward_hooks) + len(module._forward_pre_hooks) for module in network.modules())


def test_a_tap_keeps_what_in_place_layers_write_over(network):
    tap = Tap("conv#1", network)
    with torch.no_grad(), recorded([tap], grad=False):
        network(X)
        assert hooks(network) == 1
    assert_close(tap.check(), network.conv(X))
    assert (tap.check() < 0).any()
    assert not tap.check().requires_grad
    assert hooks(network) == 0


def test_without_a_number_the_last_call_is_read_and_said(network):
    tap = Tap("conv", network)
    with torch.no_grad(), recorded([tap], grad=False):
        network(X)
    assert_close(tap.check(), network.conv(network.conv(X).relu()))
    assert tap.notes == ("conv runs 2 times in one pass; the last call is read (conv#1 is the first)",)


def test_the_first_tap_becomes_a_leaf_and_the_next_rest_on_it(network):
    first, last = Tap("conv#1", network), Tap("relu#2", network)
    with torch.no_grad(), recorded([first, last], grad=True):
        out = network(X)
    assert first.check().is_leaf
    (g,) = torch.autograd.grad(out.sum(), first.check(), retain_graph=True)
    a = first.check().detach().clone().requires_grad_()
    (expected,) = torch.autograd.grad(network.conv(a.relu()).relu().sum(), a)
    assert_close(g, expected)
    (g,) = torch.autograd.grad(out.sum(), last.check())
    assert_close(g, torch.ones_like(g))


def test_a_pass_stops_once_it_is_done(network):
    tap = Tap("conv#1", network)
    with pytest.raises(Stop), torch.no_grad(), recorded([tap], grad=False, done=lambda: tap.activation is not None):
        network(X)
    assert tap.calls == 1
    assert hooks(network) == 0


def test_where_cells_lie_is_asked_of_what_the_layer_made(network):
    class Locating:
        asked: list = []  # noqa: RUF012

        def moment(self, tensor):
            self.asked.append(tensor.detach().clone())
            return len(self.asked)

    tap = Tap("conv#1", network)
    with torch.no_grad(), recorded([tap], grad=False, follow=Locating()):
        network(X)
    assert tap.moment == 1
    assert_close(Locating.asked[0], network.conv(X))


def test_a_layer_that_hands_on_its_input_says_so_if_that_is_written_over(network):
    tap = Tap("same", network)
    with torch.no_grad(), recorded([tap], grad=False):
        y = network.same(X)
    assert tap.notes == ()
    y.add_(0)
    assert "hands on its input" in tap.notes[0]


def test_a_layer_that_nobody_knows_is_asked_back(network):
    with pytest.raises(seewhy.NoSuchName, match="conv"):
        Tap("conf", network)
    for wrong in ("conv#0", "conv#x", "conv#-1", "conv#" + 10 * "9"):
        with pytest.raises(seewhy.BadParameter, match="which call is read"):
            Tap(wrong, network)
    with pytest.raises(seewhy.NoSuchName, match="it does not run"):
        Tap("conv", network).check()
    tap = Tap("conv#3", network)
    with torch.no_grad(), recorded([tap], grad=False):
        network(X)
    with pytest.raises(seewhy.NoSuchName, match="it runs 2 times"):
        tap.check()


def test_hooks_are_gone_after_a_failure(network):
    with pytest.raises(RuntimeError, match="channels"), hooked([(network.conv, lambda *_: None)]):
        network(X[:, :2])
    with pytest.raises(ValueError, match="unpack"), hooked([(network.conv, lambda *_: None), (network.relu,)]):  # type: ignore[list-item]
        pass
    assert hooks(network) == 0


def test_hooks_leave_other_threads_alone(network):
    calls = []
    with hooked([(network.conv, lambda *_: calls.append(1))]):
        other = Thread(target=network, args=(X,))
        other.start()
        other.join()
        assert calls == []
        network(X)
    assert calls == [1, 1]


def test_before_a_watched_module_runs_in_this_thread_it_is_told_and_nothing_is_set_on_it(network):
    told, order = [], []
    network.conv.register_forward_pre_hook(lambda *_: order.append("runs"))
    before = hooks(network)
    with watched([network.conv, network.relu], lambda: (told.append(1), order.append("told"))):
        assert hooks(network) == before
        other = Thread(target=network, args=(X,))
        other.start()
        other.join()
        assert told == []
        with watched([network.relu], lambda: told.append("inner")):
            network(X)
        network.conv(X)
    network(X)
    assert told == [1, "inner", 1, "inner", 1]
    assert order == ["runs"] * 2 + ["told", "runs"] * 3 + ["runs"] * 2
    assert not nn.modules.module._global_forward_pre_hooks


def test_threads_that_watch_at_once_are_each_told_of_their_own(network):
    modules, told = [nn.Identity() for _ in range(8)], [[] for _ in range(8)]

    def watch(i):
        for _ in range(200):
            with watched([modules[i]], lambda: told[i].append(i)):
                for module in modules:
                    module(X)

    together(*(lambda i=i: watch(i) for i in range(8)))
    assert told == [[i] * 200 for i in range(8)]
    assert not nn.modules.module._global_forward_pre_hooks


class Listed(nn.Module):
    """Its blocks stand in a plain container, so that torch does not know them."""

    def __init__(self, pack) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.stem, self.fc, self.blocks = nn.Conv2d(3, 4, 3), nn.Linear(4, 2), pack([nn.Conv2d(4, 4, 3), nn.Conv2d(4, 4, 3)])

    def forward(self, x):
        x = self.stem(x).relu()
        for block in self.blocks.values() if isinstance(self.blocks, dict) else self.blocks:
            x = block(x).relu()
        return self.fc(x.mean((2, 3)))


@pytest.mark.parametrize("pack", [list, tuple, lambda blocks: dict(enumerate(blocks))])
@pytest.mark.parametrize("method", ["grad-cam", "score-cam", "ablation-cam"])
def test_layers_in_plain_containers_are_read_as_those_in_a_module_list(pack, method):
    model, known = seewhy.wrap(Listed(pack).eval()), seewhy.wrap(Listed(nn.ModuleList).eval())
    x = np.random.default_rng(0).normal(size=(2, 3, 12, 11)).astype(np.float32)
    assert [*model.layers(x)] == [*known.layers(x)] == ["stem", "blocks.0", "blocks.1", "fc"]
    for layer in (None, "blocks.0"):
        maps, right = (seewhy.explain(each, x, method, target=1, layer=layer) for each in (model, known))
        assert [m.source.layer for m in maps] == [layer or "blocks.1"] * 2
        for found, expected in zip(maps, right, strict=True):
            np.testing.assert_array_equal(found.values, expected.values)
    with pytest.raises(seewhy.NoSuchName, match=r"Closest: blocks\.1"):
        seewhy.grad_cam(model, x, layer="blocks.11")


def test_modules_by_name_and_one_after_the_other(network):
    outer = nn.Sequential(network, network, nn.Identity())
    assert [*modules_of(outer)] == ["", "0", "0.conv", "0.relu", "0.same", "2"]
    assert len([*every_module(outer)]) == 10  # the shared ones as often as they are used
    assert {*every_module(outer)} == {*outer.modules()}
    network.add_module("input", nn.Identity())
    assert "input" not in modules_of(network)
    assert offloaded(network) == []


def test_what_wraps_a_network_is_taken_off(network):
    assert unwrapped(network) is network
    assert unwrapped(nn.DataParallel(network)) is network
    compiled = nn.Module()  # torch.compile makes one like it
    compiled._orig_mod = nn.DataParallel(network)
    assert unwrapped(compiled) is network


def test_gradients_reach_a_norm_in_memory_order():
    norm = nn.BatchNorm2d(3).eval()
    x = X[:1].clone().requires_grad_()
    with ordered_gradients(norm, 1) as odd:
        y = norm(x).flatten(2).transpose(1, 2)
        y.backward(torch.arange(108.0).reshape(1, 36, 3))
    assert odd == [True]
    scale = norm.weight.detach() / (1 + norm.eps) ** 0.5
    expected = torch.arange(108.0).reshape(1, 36, 3).transpose(1, 2).reshape(1, 3, 6, 6) * scale[:, None, None]
    assert_close(x.grad, expected)
    with ordered_gradients(norm, 2) as odd:  # of several images nothing goes wrong
        assert len(norm._forward_hooks) == 0
    assert odd == []


def test_the_last_modules_are_the_innermost_and_what_ends_with_them():
    network = nn.Sequential(nn.Conv2d(3, 3, 1), nn.Sequential(nn.ReLU(), nn.Flatten()), nn.Linear(3, 2))
    assert last_modules(network, 2) == ["1", "1.1", "2"]
    assert last_modules(nn.Conv2d(3, 1, 1), 2) == []


def test_a_network_that_is_one_layer_is_explained():
    """It has no modules inside; its own gradient at the image is known: the weights, over all pixels of the mask."""
    network = nn.Conv2d(3, 1, 1, bias=False).double()
    model = seewhy.wrap(network, scores="logits")
    mask = np.zeros((6, 6), bool)
    mask[1:3, 2:5] = True
    (heatmap,) = seewhy.gradient(model, X[:1].double(), target=seewhy.Region(None, mask))
    expected = mask / mask.sum() * network.weight.detach().numpy().reshape(3, 1, 1)
    np.testing.assert_allclose(heatmap.channels, expected, atol=1e-7)
    with pytest.raises(seewhy.SeewhyError, match="layer"):
        seewhy.grad_cam(model, X[:1].double(), target=seewhy.Region(None, mask))


class Emits(nn.Module):
    def __init__(self, change, back) -> None:
        super().__init__()
        self.conv, self.odd, self.back, self.fc = nn.Conv2d(3, 4, 3, padding=1), Changed(change), back, nn.Linear(4, 5)

    def forward(self, x):
        return self.fc(self.back(self.odd(self.conv(x))).mean((2, 3)))


class Changed(nn.Module):
    def __init__(self, change) -> None:
        super().__init__()
        self.change = change

    def forward(self, x):
        return self.change(x)


def quantised(x):
    return torch.quantize_per_tensor(x.float(), 0.1, 10, torch.quint8)


ODD = {
    "complex numbers": (torch.fft.fft2, lambda x: torch.fft.ifft2(x).real),
    "quantised numbers": (
        lambda x: torch.quantize_per_tensor(x.float(), 0.1, 10, torch.quint8),
        lambda x: x.dequantize().double(),
    ),
    "int64 numbers": (lambda x: (10 * x).round().long(), lambda x: x.double() / 10),
    "bool numbers": (lambda x: x > 0, lambda x: x.double()),
}


@pytest.mark.filterwarnings("ignore:torch.quantize_per_tensor")
@pytest.mark.parametrize("method", ["grad-cam", "eigen-cam", "score-cam", "ablation-cam", "recipro-cam", "excitation-backprop"])
@pytest.mark.parametrize("kind", ODD)
def test_a_layer_that_emits_no_activation_says_what_it_emits(kind, method):
    model = seewhy.wrap(networks.made(lambda: Emits(*ODD[kind]), 0))
    with pytest.raises(seewhy.BadParameter, match=rf"Layer odd emits {kind}.*Ask for a layer before or behind it"):
        seewhy.explain(model, networks.images(1), methods=method, target=1, layer="odd")
