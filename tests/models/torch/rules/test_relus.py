"""Rewired ReLUs in awkward places: out of reach, over their own input, at the image, in other threads; and afterwards."""

import warnings
from threading import Thread

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

import seewhy
from support import ask, networks
from support.references import pixels as by_hand
from support.relus import ALL, METHODS, K, X, expected, found, mixed, plain, statement, steps, warned, written

both = pytest.mark.parametrize("rule", METHODS)


class CheckpointFunction(torch.autograd.Function):
    """As code that was copied from torch's, or is older than that, brings it along."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return F.relu(x)

    @staticmethod
    def backward(ctx, g):
        with torch.enable_grad():
            x = ctx.saved_tensors[0].detach().requires_grad_()
            return torch.autograd.grad(F.relu(x), x, g)


with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # TorchScript is on its way out

    @torch.jit.script
    def scripted(x):
        return torch.relu(x)

    @torch.jit.script
    def scripted_more(x):
        return 2 * torch.relu(x + 1)

    @torch.jit.script
    def scripted_spelling(x):
        return (x + 1) * (x > -1)


ONE_CALL = {
    "scripted": scripted,
    "checkpointed in a way of its own": CheckpointFunction.apply,
    "dispatched": torch.ops.aten.relu,
}


@both
@pytest.mark.parametrize("name", ONE_CALL)
def test_a_relu_in_code_that_makes_no_calls_is_told_by_what_it_does(name, rule):
    """Alone, and beside one within reach; each time, though TorchScript optimises later runs."""
    for build in (written, mixed):
        network = build(ONE_CALL[name])
        for _ in range(3):
            ask.close(found(network, rule), expected(steps(network, by_hand.relu(rule))))
        assert not warned(network, rule)


@both
def test_relus_within_scripted_code_are_out_of_reach(rule):
    """Each time, though TorchScript optimises later runs."""
    for build in (written, mixed):
        network = build(scripted_more)
        for _ in range(3):
            with pytest.raises(seewhy.NotApplicable, match="where no rule reaches them"):
                found(network, rule)


def test_scripted_code_without_a_node_of_a_relu_is_warned_about():
    assert "code that the rule cannot look into, such as a scripted part" in warned(mixed(scripted_spelling))


RUN_ELSEWHERE = {
    "compiled": torch.compile(nn.ReLU(), backend="eager"),
    "compiled with autograd": torch.compile(nn.ReLU(), backend="aot_eager"),
    "checkpointed without reentry, run a second time on the way back": lambda x: checkpoint(F.relu, x, use_reentrant=False),
    "compiled and checkpointed": lambda x: checkpoint(RUN_ELSEWHERE["compiled"], x, use_reentrant=False),
}


@both
@pytest.mark.parametrize("name", RUN_ELSEWHERE)
@pytest.mark.filterwarnings("ignore:The .grad attribute:UserWarning")  # torch's own, while it compiles
def test_a_relu_that_torch_runs_itself_is_rewired_or_refused(name, rule):
    """Also where it was compiled before, for plain use, and is used plainly afterwards."""
    network, x = written(RUN_ELSEWHERE[name]), torch.tensor(X, requires_grad=True)
    for _ in range(2):
        ask.close(torch.autograd.grad(network(x)[:, 1].sum(), x)[0], expected(steps(network, by_hand.relu("plain")))[1])
        try:
            maps = found(network, rule)
        except (seewhy.NotApplicable, seewhy.BadNetwork):
            continue
        ask.close(maps, expected(steps(network, by_hand.relu(rule))))
        assert not warned(network, rule)


class Own(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x.clamp(min=0)

    @staticmethod
    def backward(ctx, g):
        return g * (ctx.saved_tensors[0] > 0)


class Swish(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x.sigmoid()

    @staticmethod
    def backward(ctx, g):
        x = ctx.saved_tensors[0]
        return g * x.sigmoid() * (1 + x * (1 - x.sigmoid()))


@both
def test_a_custom_function_that_is_a_relu_is_led_by_the_rule(rule):
    for network in (written(Own.apply), mixed(Own.apply)):
        ask.close(found(network, rule), expected(steps(network, by_hand.relu(rule))))
        assert not warned(network, rule)


def test_another_custom_function_is_warned_about():
    network = mixed(Swish.apply)
    assert "1 custom autograd functions pass the gradient as they do" in warned(network)
    ask.close(found(network, "guided"), expected(steps(network, by_hand.relu("guided"), by_hand.plain(F.silu))))


class Aside(nn.Module):
    """Its ReLUs are nowhere between the image and the scores."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.fc = nn.Conv2d(3, 8, 3), nn.Linear(8, K)
        self.table = nn.Parameter(torch.randn(8))

    def forward(self, x):
        with torch.no_grad():
            loudness = F.relu(x).mean((1, 2, 3))[:, None]
        return self.fc(self.conv1(x).mean((2, 3)) * loudness + torch.relu(self.table))


@both
@pytest.mark.parametrize("network", [lambda: written(Swish.apply), lambda: networks.made(Aside, 0)], ids=["custom", "aside"])
def test_a_relu_that_no_gradient_passes_is_not_rewired(network, rule):
    """Nothing was rewired: the maps would be the plain gradient's."""
    with pytest.raises(seewhy.NotApplicable):
        found(network(), rule)


class Residual(nn.Module):
    """y = relu(x + conv(relu(conv(x)))), the sum and both ReLUs in place or not."""

    def __init__(self, inplace: bool) -> None:
        super().__init__()
        self.stem, self.conv1, self.conv2 = (nn.Conv2d(c, 5, 3, padding=1) for c in (3, 5, 5))
        self.fc, self.inplace = nn.Linear(5, K), inplace

    def forward(self, x):
        x = F.relu(self.stem(x), self.inplace)
        y = self.conv2(F.relu(self.conv1(x), self.inplace))
        if not self.inplace:
            return self.fc((x + y).relu().mean((2, 3)))
        y += x
        y.relu_()
        return self.fc(y.mean((2, 3)))


@both
@pytest.mark.parametrize("inplace", [False, True])
def test_a_relu_over_a_residual_sum(inplace, rule):
    network = networks.made(lambda: Residual(inplace), 2)
    stem, conv1, conv2, fc = (by_hand.step_of(m, rule) for m in (network.stem, network.conv1, network.conv2, network.fc))
    relu = by_hand.relu(rule)
    way = [stem, relu, by_hand.residual(conv1, relu, conv2), relu, by_hand.mean(), by_hand.flat(), fc]
    ask.close(found(network, rule), expected(way))
    assert not warned(network, rule)


def half(rule):
    """A ReLU on the first three channels alone."""

    def step(x):
        y, back = by_hand.relu(rule)(x[:3])
        return np.concatenate([y, x[3:]]), lambda g: np.concatenate([back(g[:3]), g[3:]])

    return step


HALVES = {
    "a slice": statement(lambda x: x[:, :3].relu_()),
    "a slice, F": statement(lambda x: F.relu(x[:, :3], inplace=True)),
    "a slice, clamp_": statement(lambda x: x[:, :3].clamp_(min=0)),
    "a view of a slice": statement(lambda x: x.narrow(1, 0, 3).flatten(2).transpose(1, 2).relu_()),
    "assigned": statement(lambda x: x.__setitem__((slice(None), slice(3)), x[:, :3].relu())),
    "a chunk": lambda x: torch.cat([x[:, :3].relu(), x[:, 3:]], 1),
}


@both
@pytest.mark.parametrize("name", HALVES)
def test_a_relu_over_a_part_of_a_tensor(name, rule):
    network = written(HALVES[name])
    ask.close(found(network, rule), expected(steps(network, half(rule))))
    ask.far(found(network, rule), plain(network), rel=0.1)


@both
@pytest.mark.parametrize("write", [F.relu, statement(lambda x: x.relu_()), statement(lambda x: x.mul_(x.detach() > 0))])
def test_a_relu_at_the_image_itself(write, rule):
    """It writes over the image, which comes back to the person as it was."""
    network, x = nn.Sequential(networks.pooled()), X.copy()
    network.forward = lambda x: network[0](write(x))
    way = [by_hand.relu(rule), *by_hand.steps_of(network[0], rule)]
    ask.close(found(network, rule, x=x), expected(way))
    np.testing.assert_array_equal(x, X)
    given = torch.tensor(X)
    seewhy.METHODS[METHODS[rule]](seewhy.wrap(network), given, target=0)
    np.testing.assert_array_equal(given.numpy(), X)


def test_at_one_relu_guided_is_deconv_where_the_unit_was_on():
    network = networks.made(lambda: nn.Sequential(nn.ReLU(), nn.Flatten(), nn.Linear(X[0].size, K)), 0, *X.shape[2:])
    weights = network[2].weight.detach().numpy().reshape(K, 1, *X[0].shape)
    deconv = found(network, "deconv")
    ask.close(deconv, np.broadcast_to(weights.clip(min=0), (K, *X.shape)))
    ask.close(found(network, "guided"), deconv * (X > 0))


def test_with_nothing_negative_on_the_way_back_guided_is_the_gradient():
    """All weights behind the first ReLU positive: no gradient is to be stopped."""
    network = networks.pooled()
    for name in ("conv2", "fc"):
        getattr(network, name).weight.data.abs_()
    ask.close(found(network, "guided"), plain(network))
    ask.far(found(network, "deconv"), plain(network))


@both
def test_max_pooling_leads_back_to_its_switches(rule):
    """The whole mass lies at each window's largest place, on or not."""

    def build():
        return networks.stack(("pool1", nn.MaxPool2d(2)), *networks.convs(nn.ReLU(), nn.ReLU()), *networks.gap())

    network, x = networks.made(build, 0, 8, 12), networks.images(2, 8, 12, seed=4)
    maps = found(network, rule, x=x)
    ask.close(maps, expected(by_hand.steps_of(network, rule), x))
    windows = x.reshape(2, 3, 4, 2, 6, 2)
    largest = (windows == windows.max((3, 5), keepdims=True)).reshape(x.shape)
    assert largest.mean() == 0.25
    assert not maps[:, ~largest].any()
    assert maps[:, largest].any()


@both
@pytest.mark.parametrize("toy", ["bn_dropout", "flat_head", "squeezed", "dead_channels", "relu6", "inplace", "pointwise_head"])
def test_toy_networks_by_hand(toy, rule):
    """All classes in one batched backward pass, and each by itself."""
    network, x = getattr(networks, toy)(), networks.images(2, seed=6)
    way = by_hand.steps_of(network, rule)
    maps = found(network, rule, x=x)
    ask.close(maps, expected(way, x))
    for t in ALL:
        ask.close(found(network, rule, [t], x)[0], maps[t], rel=1e-12)
    weights = lambda scores: np.tile([1.0, -0.5, 0, 0.25, 0], (len(scores), 1))  # noqa: E731 - a rule is no linear map
    ask.close(found(network, rule, [weights], x)[0], [by_hand.led_back(way, one, [1, -0.5, 0, 0.25, 0]) for one in x])


@both
def test_in_any_grad_mode_and_with_frozen_weights(rule):
    network = networks.bn_dropout()
    maps = found(network, rule)
    network.requires_grad_(False)
    ask.close(found(network, rule), maps)
    for mode in (torch.no_grad, torch.inference_mode):
        with mode():
            ask.close(found(network, rule), maps)
    ask.close(found(network.train(), rule), maps)
    assert network.training


@both
def test_nothing_stays_rewired_even_after_an_error(rule):
    network, x = networks.inplace(), torch.tensor(X, requires_grad=True)

    def own_gradient():
        return torch.autograd.grad(network(x)[:, 1].sum(), x)[0].numpy()

    before = own_gradient()
    found(network, rule)
    np.testing.assert_array_equal(own_gradient(), before)
    network.fc.register_forward_hook(lambda *_: 1 / 0)
    with pytest.raises(seewhy.BadNetwork, match="ZeroDivisionError"):
        found(network, rule)
    network.fc._forward_hooks.clear()
    np.testing.assert_array_equal(own_gradient(), before)
    with pytest.raises(seewhy.NotApplicable):
        found(networks.signed_features(), rule)
    np.testing.assert_array_equal(own_gradient(), before)
    assert all(p.grad is None for p in network.parameters())
    assert not any(m._forward_hooks or m._backward_hooks or m._forward_pre_hooks for m in network.modules())


@both
def test_another_thread_meanwhile_is_not_rewired(rule):
    """While seewhy runs the network, somebody else's thread runs it too, and gets its plain gradient."""
    network, others = networks.pooled(), []
    x = torch.tensor(X, requires_grad=True)
    before = torch.autograd.grad(network(x)[:, 1].sum(), x)[0].numpy()
    maps = found(network, rule)

    def other():
        mine = torch.tensor(X, requires_grad=True)
        others.append(torch.autograd.grad(network(mine)[:, 1].sum(), mine)[0].numpy())

    def meanwhile(*_):
        handle.remove()
        thread = Thread(target=other)
        thread.start()
        thread.join()

    handle = network.conv2.register_forward_hook(meanwhile)
    ask.close(found(network, rule), maps)
    assert len(others) == 1
    np.testing.assert_array_equal(others[0], before)
    ask.far(maps[1], before, rel=0.1)
