"""What else a network keeps beside its modules: hooks of its own methods, keys, ids, proxies, caches."""

import weakref

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

import seewhy
from seewhy.models.torch.standin import StandIn
from support import networks
from support.ask import close
from support.standins import Plain, X, made, values
from support.states import state

ELSEWHERE = {}


class Keeping(Plain):
    """A hook that is a method of its own writes what the forward pass reads."""

    def __init__(self):
        super().__init__()
        self.saved = torch.ones(2, 6, 10, 10)
        self.conv.register_forward_hook(self.keep)

    def keep(self, _module, _args, out):
        self.saved = F.dropout(out, 0.5, self.training)

    def middle(self, x):
        self.conv(x)
        return self.norm(self.saved).relu()


class KeepingByClosure(Keeping):
    def __init__(self):
        Plain.__init__(self)
        keep = self.keep
        self.conv.register_forward_hook(lambda *passed: keep(*passed))


class BackwardByMethod(Plain):
    """Its own method turns the gradient, by a number that it keeps."""

    def __init__(self):
        super().__init__()
        self.norm.register_full_backward_hook(self.turned)

    def turned(self, _module, into, _out):
        return tuple(one * (1.0 if self.training else -2.0) for one in into)


class Act(nn.Module):
    def __init__(self, parent):
        super().__init__()
        self.__dict__["parent"] = weakref.proxy(parent)

    def forward(self, x):
        return F.dropout(x.relu(), 0.5, self.parent.training)


class ByProxy(Plain):
    def __init__(self):
        super().__init__()
        self.act = Act(self)

    def middle(self, x):
        return self.act(self.norm(self.conv(x)))


class ByKey(Plain):
    def __init__(self):
        super().__init__()
        self.gains = {self.key(self.norm): 3.0}

    def key(self, module):
        return module

    def middle(self, x):
        for module in (self.conv, self.norm):
            x = module(x) * self.gains.get(self.key(module), 1.0)
        return F.dropout(x.relu(), 0.5, self.training)


class ByTuple(ByKey):
    def key(self, module):
        return (module, "gain")


class ById(ByKey):
    def key(self, module):
        return id(module)


class BySetOfIds(ById):
    def __init__(self):
        super().__init__()
        self.strong = {id(self.norm)}

    def middle(self, x):
        for module in (self.conv, self.norm):
            x = module(x) * (3.0 if id(module) in self.strong else 1.0)
        return F.dropout(x.relu(), 0.5, self.training)


class SlotsWithDefault(Plain):
    __slots__ = ("gain",)

    def __init__(self):
        super().__init__()
        self.gain = 3.0

    def middle(self, x):
        return super().middle(x) * getattr(self, "gain", -1.0)


class InArray(Plain):
    def __init__(self):
        super().__init__()
        self.all = np.array([self, None], dtype=object)

    def middle(self, x):
        return F.dropout(self.norm(self.conv(x)).relu(), 0.5, self.all[0].training)


class Sparse(Plain):
    def __init__(self):
        super().__init__()
        self.register_buffer("joins", torch.eye(6).flip(0).to_sparse())

    def middle(self, x):
        a = super().middle(x)
        return torch.sparse.mm(self.joins, a.transpose(0, 1).flatten(1)).view(6, len(a), *a.shape[2:]).transpose(0, 1)


class SparseRows(Sparse):
    def __init__(self):
        super().__init__()
        self.joins = self.joins.to_sparse_csr()


KINDS = [
    Keeping, KeepingByClosure, BackwardByMethod, ByProxy, ByKey, ByTuple, ById, BySetOfIds, SlotsWithDefault, InArray, Sparse,
    SparseRows,
]  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.filterwarnings("ignore:Sparse CSR.*:UserWarning", "ignore:.*backward hook.*:UserWarning")
def test_what_is_kept_beside_the_modules_is_of_the_stand_in_too(kind):
    with torch.no_grad():
        expected = made(kind).eval()(torch.from_numpy(X)).numpy()
    right = values(made(kind).eval())
    network = made(kind).train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    model = seewhy.wrap(network)
    for _ in range(2):  # before it is known how it runs, and after
        close(model.answer(X).scores, expected, rel=1e-5)
        for one, other in zip(values(network), right, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6 * np.abs(other).max())
    assert all(module.training for module in network.modules())
    for name, value in network.state_dict().items():
        assert torch.equal(value.to_dense(), before[name].to_dense()), name


def test_a_module_put_into_a_list_later():
    class Listing(Plain):
        def __init__(self):
            super().__init__()
            self.more = []

        def middle(self, x):
            a = self.conv(x)
            for module in self.more:
                a = module(a)
            return a.relu()

    network = made(Listing).train()
    network.norm.running_mean.fill_(0.5)
    before = network.norm.running_mean.clone()
    model = seewhy.wrap(network)
    model.answer(X)
    model.answer(X)
    network.more.append(network.norm)
    scores = model.answer(X).scores
    assert torch.equal(network.norm.running_mean, before)
    with torch.no_grad():
        np.testing.assert_array_equal(scores, network.eval()(torch.from_numpy(X)).numpy())


def test_another_way_through_the_network_for_larger_images():
    class BySize(Plain):
        def __init__(self):
            super().__init__()
            ELSEWHERE["norm"] = self.norm

        def middle(self, x):
            norm = self.norm if x.shape[-1] <= 12 else ELSEWHERE["norm"]
            return norm(self.conv(x)).relu()

    network = made(BySize).train()
    before = network.norm.running_mean.clone()
    model = seewhy.wrap(network)
    large = networks.images(2, 16, 16, seed=4).astype(np.float32)
    seewhy.grad_cam(model, X, target=1)
    found = seewhy.grad_cam(model, large, target=1)[0].values
    assert torch.equal(network.norm.running_mean, before)
    np.testing.assert_array_equal(found, seewhy.grad_cam(seewhy.wrap(network.eval()), large, target=1)[0].values)


def test_a_cache_and_its_length_stay_together():
    class Caching(Plain):
        def __init__(self):
            super().__init__()
            self.length, self.cache = 0, torch.zeros(0)

        def forward(self, x):
            assert len(self.cache) == self.length
            self.cache, self.length = torch.cat([self.cache, torch.zeros(1)]), self.length + 1
            return super().forward(x)

    network = made(Caching)
    model = seewhy.wrap(network)
    for _ in range(2):
        seewhy.grad_cam(model, X, target=1)
    network(torch.from_numpy(X))
    assert network.length == len(network.cache)


def test_a_network_that_cleans_up_is_not_cleaned_up_with_its_stand_in():
    class Cleaning(Plain):
        def __init__(self):
            super().__init__()
            self.handle = self.conv.register_forward_hook(lambda module, args, out: out * 2)

        def __del__(self):
            self.handle.remove()

    network = made(Cleaning)
    seewhy.grad_cam(seewhy.wrap(network), X, target=1)
    network.eps = 1  # another stand-in
    seewhy.grad_cam(seewhy.wrap(network), X, target=1)
    assert network.conv._forward_hooks


def test_layers_that_learn_their_sizes_from_the_first_image():
    class Lazy(Plain):
        def __init__(self):
            super().__init__()
            self.conv2, self.norm = nn.LazyConv2d(6, 3), nn.LazyBatchNorm2d()

    network = made(Lazy)
    model = seewhy.wrap(network)
    first, again = (seewhy.grad_cam(model, X, target=1)[0].values for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert network.conv2.in_channels == 6


class MadeLate(Plain):
    """Its head is made as it first runs, and drawn then."""

    def __init__(self):
        super().__init__()
        self.late = None

    def forward(self, x):
        pooled = self.conv(x).relu().mean((2, 3))
        if self.late is None:
            self.late = nn.Linear(pooled.shape[1], 4)
        return self.late(pooled)


def test_a_layer_that_the_network_makes_as_it_first_runs_is_its_own_from_then_on():
    network = MadeLate().eval()
    model = seewhy.wrap(network)
    first = seewhy.grad_cam(model, X[:1], target=1)[0]
    assert isinstance(network.late, nn.Linear)
    again = seewhy.grad_cam(model, X[:1], target=1)[0]
    np.testing.assert_array_equal(first.values, again.values)
    with torch.no_grad():
        assert again.source.score == pytest.approx(float(network(torch.as_tensor(X[:1]))[0, 1]), rel=1e-5)


class Settings:
    def __init__(self):
        self.dropout, self.names = None, {"a": [None]}


class ByClosure(Plain):
    """Its function reads what is no module, and nothing."""

    def __init__(self):
        super().__init__()
        settings, nothing = Settings(), None
        self.settings = settings
        self.act = lambda a: a.relu() if settings.dropout is nothing else a

    def middle(self, x):
        return F.dropout(self.act(self.norm(self.conv(x))), 0.5, self.training)


def transformer():
    transformers = pytest.importorskip("transformers")
    sizes = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8}
    return transformers.ViTForImageClassification(transformers.ViTConfig(**sizes, image_size=12, patch_size=4))


@pytest.mark.parametrize("make", [ByClosure, transformer])
def test_what_holds_none_leads_to_no_module_by_that(make):
    network = made(make).train()
    before, model = state(network), seewhy.wrap(network)
    maps = [seewhy.METHODS[name](model, X, target=1)[0].values for name in ("grad-cam", "gradient") for _ in range(2)]
    assert state(network) == before
    assert model.runner.call.tries.spares, "something stood in for it"
    right = [seewhy.METHODS[name](seewhy.wrap(network.eval()), X, target=1)[0].values for name in ("grad-cam", "gradient")]
    for one, other in zip(maps, [right[0]] * 2 + [right[1]] * 2, strict=True):
        np.testing.assert_array_equal(one, other)


def test_which_networks_share_nothing_that_is_written_beside_tensors():
    assert StandIn(made(Plain)).apart
    assert StandIn(made(transformer)).apart
    assert StandIn(made(ByKey)).apart
    assert StandIn(made(Keeping)).apart, "its hook is a method of its own"
    assert not StandIn(made(ByClosure)).apart
    hooked = made(Plain)
    hooked.conv.register_forward_hook(lambda *_: None)
    assert not StandIn(hooked).apart


def test_writes_on_tensors_beside_the_weights_are_counted():
    network = made(Plain)
    network.table, network.tables = torch.zeros(2), [torch.zeros(2)]
    stand_in = StandIn(network)
    counts = [stand_in.writes_beside()]
    for tensor in (stand_in.network.table, stand_in.network.tables[0], stand_in.network.norm.running_mean):
        tensor.add_(1)
        counts.append(stand_in.writes_beside())
    assert counts == [*range(counts[0], counts[0] + 4)]
    network.norm.running_mean.add_(1)  # as a training thread does
    assert stand_in.writes_beside() == counts[-1]
    assert stand_in.writes() == StandIn(network).writes()
