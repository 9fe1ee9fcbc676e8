"""Networks that hold on to their own modules in odd ways: explained in eval mode all the same, and given back as they were."""

import functools
import weakref

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils import parametrizations

import seewhy
from seewhy.models.torch.standin import CannotStandIn, StandIn
from support.standins import Plain, X, made, values
from support.states import state


class InList(Plain):
    def __init__(self):
        super().__init__()
        self.steps = [self.conv, {"norm": self.norm}, (self.conv2, [self.drop])]

    def forward(self, x):
        a = self.steps[1]["norm"](self.steps[0](x)).relu()
        return self.fc(self.steps[2][1][0](self.steps[2][0](a).relu().mean((2, 3))))


class ByMethod(Plain):
    def __init__(self):
        super().__init__()
        self.run, self.later = self.middle, functools.partial(self.finish, scale=1.0)

    def finish(self, a, scale):
        return self.fc(self.drop(self.conv2(a).relu().mean((2, 3)))) * scale

    def forward(self, x):
        return self.later(self.run(x))


class ByWeakReference(Plain):
    def __init__(self):
        super().__init__()
        self.norm_too = weakref.ref(self.norm)

    def middle(self, x):
        return F.dropout(self.norm_too()(self.conv(x)).relu(), 0.5, self.norm_too().training)


class ByLambda(Plain):
    def __init__(self):
        super().__init__()
        self.act = lambda a: F.dropout(a.relu(), 0.5, self.training)

    def middle(self, x):
        return self.act(self.norm(self.conv(x)))


class Engine:
    def __init__(self, network):
        self.network = network

    def __call__(self, x):
        return Plain.middle(self.network, x)


class ByEngine(Plain):
    def __init__(self):
        super().__init__()
        self.engine = Engine(self)

    def middle(self, x):
        return self.engine(x)


class ByReading(Plain):
    """The helper runs no module; it only looks at the mode."""

    def __init__(self):
        super().__init__()
        self.engine = Engine(self)

    def middle(self, x):
        return F.dropout(self.norm(self.conv(x)).relu(), 0.5, self.engine.network.training)


class ByGlobal(Plain):
    def middle(self, x):
        return HELD[id(self.norm.weight)](self.conv(x)).relu()

    def __init__(self):
        super().__init__()
        HELD[id(self.norm.weight)] = self.norm


HELD = {}


class Swallowing(ByGlobal):
    def middle(self, x):
        try:
            return super().middle(x)
        except BaseException:  # noqa: BLE001 - what a test is about
            return self.norm(self.conv(x)).relu() * 0


class Patched(Plain):
    def __init__(self):
        super().__init__()
        plain = self.forward
        self.forward = lambda x: plain(x)


class Slotted(Plain):
    __slots__ = ("more",)

    def __init__(self):
        super().__init__()
        self.more = 1.0

    def middle(self, x):
        return super().middle(x) * self.more


class Parametrized(Plain):
    def __init__(self):
        super().__init__()
        parametrizations.weight_norm(self.conv)
        parametrizations.spectral_norm(self.conv2)


class SpectralByHook(Plain):
    def __init__(self):
        super().__init__()
        nn.utils.spectral_norm(self.conv)


class Hooked(Plain):
    def __init__(self):
        super().__init__()
        self.norm.register_forward_hook(lambda module, args, out: F.dropout(out, 0.5, module.training))
        self.conv.register_forward_pre_hook(lambda module, args, kwargs: (args, kwargs), with_kwargs=True)


class Shared(Plain):
    def __init__(self):
        super().__init__()
        self.again = nn.ModuleList([self.norm, self.norm])

    def middle(self, x):
        return F.dropout(self.again[1](self.conv(x)).relu(), 0.5, self.training)


class Compiled(Plain):
    def __init__(self):
        super().__init__()
        self.conv2 = torch.compile(self.conv2, backend="eager")
        self.norm.compile(backend="eager")


class Half(nn.Module):
    """Plain, in parts of which no copy can be made."""

    def __init__(self):
        super().__init__()
        self.scripted = torch.jit.script(nn.Sequential(nn.Conv2d(3, 6, 3), nn.Dropout(0.5)))
        self.conv, self.fc = nn.Conv2d(6, 6, 3), nn.Linear(6, 4)

    def forward(self, x):
        return self.fc(self.conv(self.scripted(x)).relu().mean((2, 3)))


KINDS = [
    Plain, InList, ByMethod, ByWeakReference, ByLambda, ByEngine, ByReading, ByGlobal, Swallowing, Patched, Slotted,
    Parametrized, SpectralByHook, Hooked, Shared, Compiled,
]  # fmt: skip
LENT = {
    ByLambda,
    ByEngine,
    ByReading,
    Patched,
    Slotted,
}  # that lead to their own modules, or keep things, where no copy can follow


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.filterwarnings("ignore:.*weight_norm.*:FutureWarning", "ignore:.*spectral_norm.*:FutureWarning")
def test_a_network_in_train_mode_is_explained_in_eval_mode_and_comes_back_as_it_was(kind):
    network = made(kind).eval()
    right = values(network)
    assert all(one.any() for one in right)
    network.train()
    before = state(network)
    for _ in range(2):  # before it is known how it runs, and after
        for one, other in zip(values(network), right, strict=True):
            np.testing.assert_array_equal(one, other)
    assert state(network) == before


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.filterwarnings("ignore:.*spectral_norm.*:FutureWarning")
def test_which_networks_are_lent(kind):
    network = made(kind).eval()
    if kind in LENT:
        with pytest.raises(CannotStandIn):
            StandIn(network)
        return
    stand_in = StandIn(network).network
    own = {id(module) for module in network.modules()}
    assert not any(id(module) in own for module in stand_in.modules())
    for a, b in zip(network.parameters(), stand_in.parameters(), strict=True):
        assert a is b
    for a, b in zip(network.buffers(), stand_in.buffers(), strict=True):
        assert a.data_ptr() == b.data_ptr()
    assert [name for name, _ in network.named_modules()] == [name for name, _ in stand_in.named_modules()]


@pytest.mark.filterwarnings("ignore:.*torch.jit.*:FutureWarning", "ignore:.*torch.jit.*:DeprecationWarning")
def test_scripted_parts_are_run_as_they_are():
    network = made(Half).train()
    model = seewhy.wrap(network)
    first, again = (seewhy.grad_cam(model, X, target=1, layer="conv")[0].values for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert network.scripted.training
    assert network.training


def test_what_is_changed_after_wrapping_is_seen():
    network = made(Plain).eval()
    model = seewhy.wrap(network)
    seen = []

    def differs():
        fresh = seewhy.grad_cam(seewhy.wrap(network), X, target=1, layer="conv")[0].values
        seen.append(seewhy.grad_cam(model, X, target=1, layer="conv")[0].values)
        np.testing.assert_array_equal(seen[-1], fresh)
        return len(seen) < 2 or (seen[-1] != seen[-2]).any()

    assert differs()
    with torch.no_grad():
        network.conv2.weight.mul_(-1)
    assert differs(), "weights"
    network.conv2 = nn.Conv2d(6, 6, 3)
    assert differs(), "a module"
    network.norm.running_mean = network.norm.running_mean + 1
    assert differs(), "a buffer"
    network.norm.running_var.data = network.norm.running_var + 3
    assert differs(), "a buffer's memory"
    network.fc.weight = nn.Parameter(network.fc.weight.detach() * -2)
    assert differs(), "a parameter"
    network.norm.eps = 5.0
    assert differs(), "an attribute"
    network.conv2.register_forward_hook(lambda module, args, out: out.tanh())
    assert differs(), "a hook"
    network.middle = lambda x: network.norm(network.conv(x)).tanh()
    assert differs(), "a method of its own"
    network.load_state_dict(made(Plain).state_dict())
    assert differs(), "loaded weights"
    network.double()
    x = X.astype(np.float64)
    assert seewhy.grad_cam(model, x, target=1, layer="conv")[0].values.any()


def test_numbers_that_a_network_writes_on_itself_are_kept_and_what_lies_beside_tensors_is_not():
    class Counting(Plain):
        calls, name, last, keeps = 0, "", None, False

        def forward(self, x):
            self.calls += 1
            self.name = "ran"
            if self.keeps:
                self.last = x
            return super().forward(x)

    network = made(Counting)
    seewhy.grad_cam(seewhy.wrap(network), X, target=1)
    first = network.calls
    assert first > 0
    seewhy.grad_cam(seewhy.wrap(network), X, target=1)
    assert network.calls == 2 * first
    assert network.name == "ran"
    network.keeps = True
    mine = network.last = torch.zeros(1)  # what a training step keeps
    seewhy.grad_cam(seewhy.wrap(network), X, target=1)
    assert network.last is mine
    assert network.calls == 2 * first


def test_a_failure_of_the_network_is_its_own_and_no_reason_to_lend_it():
    network = made(Plain).train()
    model = seewhy.wrap(network)
    with pytest.raises(seewhy.BadNetwork, match="failed on an input of shape"):
        seewhy.grad_cam(model, X[:, :2], target=1)
    seewhy.grad_cam(model, X, target=1)
    assert model.runner.call.tries.spares
    assert not model.runner.call.tries.past


def test_a_stand_in_is_made_once_for_a_network_that_stays_as_it_is():
    network = made(Plain)
    network.names = {"conv": [1, 2], "more": {"a", "b"}}
    model = seewhy.wrap(network)
    seewhy.grad_cam(model, X, target=1)
    (first,) = model.runner.call.tries.spares
    seewhy.grad_cam(model, X, target=1)
    assert model.runner.call.tries.spares == [first]


def test_the_network_is_the_person_s_own_outside():
    network = made(Plain)
    model = seewhy.wrap(network)
    seewhy.grad_cam(model, X, target=1)
    assert model.network is network
    assert model.upto("conv").network is network
