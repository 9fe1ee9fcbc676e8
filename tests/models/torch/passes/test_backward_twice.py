"""Evidence asked a second time: the Hessian of a score toward a layer, times any numbers."""

import gc
import weakref

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

import seewhy
from seewhy import METHODS, Class
from seewhy.models.model import INPUT
from seewhy.models.rule import Balanced, guided
from support import ask, networks
from support.counting import entering
from support.states import state

X = networks.images(2, *networks.SIDES, seed=1)
TARGETS = [Class(1), Class(3)]
CURVED = {  # a network, what it explains, and a layer behind which it is curved
    "tokens": ("logits", "block1"), "lstm_head": ("logits", "act1"), "flat_head": ("probability", "conv2"),
    "nhwc": ("log-probability", "block1"), "pooled": ("probability", INPUT),
}  # fmt: skip


def evidence(name, scores, layers, x=X):
    model = seewhy.wrap(getattr(networks, name)().double(), scores=scores)
    return model.trace(x, TARGETS, layers, twice=True).evidence


def close(found, expected, rel=1e-9):
    ask.close(found.numpy(), expected.numpy(), rel)


def like(a, seed=0):
    return torch.tensor(np.random.default_rng(seed).standard_normal(tuple(a.shape)), dtype=a.dtype)


class From(nn.Module):
    """A network whose layer emits something else than it would."""

    def __init__(self, network, layer, a):
        super().__init__()
        self.network, self.layer, self.a = network, layer, a

    def forward(self, x):
        handle = self.network.get_submodule(self.layer).register_forward_hook(lambda *_: self.a)
        try:
            return self.network(x)
        finally:
            handle.remove()


@pytest.mark.parametrize("name", ["tokens", "lstm_head", "flat_head"])
def test_it_is_how_the_gradient_changes_along_v(name):
    """By differences: the gradient a little further along v, less that a little before, of the plain network."""
    scores, layer = CURVED[name]
    e = evidence(name, scores, [layer])[layer]
    network = getattr(networks, name)().double().eval()
    kept = []
    handle = network.get_submodule(layer).register_forward_hook(lambda _m, _i, out: kept.append(out.detach()))
    network(torch.tensor(X))
    handle.remove()
    raw = kept[0]
    v = like(e.a)
    along = v if name != "tokens" else torch.cat([torch.zeros_like(raw[:, :1]), v.flatten(2).mT], 1)  # no place of its own

    def gradient(step, t):
        a = (raw + step * along).requires_grad_()
        logits = From(network, layer, a)(torch.tensor(X))
        score = (logits if scores == "logits" else logits.softmax(1))[:, TARGETS[t].index].sum()
        return torch.autograd.grad(score, a)[0]

    for t in (0, 1):
        changed = (gradient(1e-5, t) - gradient(-1e-5, t)) / 2e-5
        changed = changed if name != "tokens" else changed[:, 1:].mT.reshape(e.a.shape)
        close(e.hessian(t, v), changed, rel=1e-6)


@pytest.mark.parametrize("name", CURVED)
def test_a_hessian_is_symmetric_and_linear(name):
    scores, layer = CURVED[name]
    e = evidence(name, scores, [layer])[layer]
    u, v = like(e.a, 1), like(e.a, 2)
    for t in (0, 1):
        hu, hv = e.hessian(t, u), e.hessian(t, v)
        close((u * hv).sum(), (v * hu).sum())
        close(e.hessian(t, 2 * u - 3 * v), 2 * hu - 3 * hv)
        assert hu.shape == e.a.shape
        assert not hu.requires_grad


def test_images_do_not_meet_in_it_and_layers_do_not_change_each_other():
    layers = ["patch", "block1", "block2.norm1"]
    together = evidence("tokens", "logits", layers)
    for layer in layers:
        e, v = together[layer], like(together[layer].a)
        alone = evidence("tokens", "logits", [layer], X[1:])[layer]
        close(e.hessian(1, v)[1:], alone.hessian(1, v[1:]))


def test_where_the_score_is_linear_in_the_layer_it_is_zero():
    e = evidence("pooled", "logits", ["act2"])["act2"]
    assert not e.hessian(0, like(e.a)).any()
    assert e.g.any()


def test_the_first_gradient_is_what_it_is_without():
    for name, (scores, layer) in CURVED.items():
        model = seewhy.wrap(getattr(networks, name)().double(), scores=scores)
        plain = model.trace(X, TARGETS, [layer]).evidence[layer]
        twice = evidence(name, scores, [layer])[layer]  # its attention runs step by step
        close(twice.a, plain.a)
        close(twice.g, plain.g)


def test_numpy_is_taken_and_another_shape_is_not():
    e = evidence("tokens", "logits", ["block1"])["block1"]
    v = like(e.a)
    np.testing.assert_array_equal(e.hessian(0, v.numpy()), e.hessian(0, v))
    with pytest.raises(seewhy.BadParameter, match=r"as many, not by \(2, 3\)"):
        e.hessian(0, torch.ones(2, 3))


@pytest.mark.parametrize("block", [torch.no_grad, torch.inference_mode, lambda: torch.autocast("cpu", torch.bfloat16)])
def test_it_minds_no_mode_that_the_caller_is_in(block):
    model = seewhy.wrap(networks.tokens().double())  # of float64 autocast casts nothing
    expected = evidence("tokens", "logits", ["block1"])["block1"]
    with block():
        e = model.trace(X, TARGETS, ["block1"], twice=True).evidence["block1"]
        found = e.hessian(0, e.a * 1)
    close(found, expected.hessian(0, expected.a))


def test_half_precision_is_given_back_in_float32():
    network = networks.tokens().bfloat16()
    e = seewhy.wrap(network).trace(X.astype(np.float32), TARGETS, ["block1"], twice=True).evidence["block1"]
    right = evidence("tokens", "logits", ["block1"])["block1"]
    found = e.hessian(0, e.a)
    assert found.dtype == torch.float32
    close(found, right.hessian(0, right.a), rel=0.1)


def test_frozen_weights_do_not_matter():
    network = networks.tokens().double().requires_grad_(False)
    e = seewhy.wrap(network).trace(X, TARGETS, ["block1"], twice=True).evidence["block1"]
    right = evidence("tokens", "logits", ["block1"])["block1"]
    np.testing.assert_array_equal(e.hessian(0, e.a), right.hessian(0, right.a))


def test_the_graph_is_kept_only_where_it_is_asked_for_and_goes_with_the_evidence():
    model = seewhy.wrap(networks.tokens().double())
    plain = model.trace(X, TARGETS, ["block1"]).evidence["block1"]
    with pytest.raises(seewhy.BadParameter, match="twice=True"):
        plain.hessian(0, plain.a)
    made = []

    class Seen(nn.Module):
        def __init__(self):
            super().__init__()
            self.network = networks.tokens().double()

        def forward(self, x):
            out = self.network(x)
            made.append(weakref.ref(out))
            return out + 0

    model = seewhy.wrap(Seen())
    model.layers(X)
    gc.collect()
    gc.disable()  # what goes now goes at once
    try:
        trace = model.trace(X, TARGETS, ["network.block1"], twice=True)
        e = trace.evidence["network.block1"]
        e.hessian(0, e.a)
        node = weakref.ref(e.again)
        del trace, e
        assert node() is None
        assert made[-1]() is None
    finally:
        gc.enable()


class Fused(nn.Module):
    """Attention by the fused kernel, which has no second derivative of its own."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.fc = nn.Conv2d(3, 8, 3, padding=1), nn.Linear(8, 5)

    def forward(self, x):
        rows = self.conv(x).flatten(2).mT[:, None]
        return self.fc(F.scaled_dot_product_attention(rows, rows, rows)[:, 0].mean(1))


def test_fused_attention_is_taken_in_steps():
    network = Fused().eval()
    model = seewhy.wrap(network)
    e = model.trace(X.astype(np.float32), TARGETS, ["conv"], twice=True).evidence["conv"]
    assert e.hessian(0, e.a).any()
    a = e.a.clone().requires_grad_()
    with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
        score = From(network, "conv", a)(torch.tensor(X, dtype=torch.float32))[:, 1].sum()
        (g,) = torch.autograd.grad(score, a, create_graph=True)
    close(e.hessian(0, e.a), torch.autograd.grad(g, a, e.a)[0], rel=1e-4)


class OnlyOnce(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x**2

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, g):
        return 2 * ctx.saved_tensors[0] * g


class Once(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.act, self.fc = nn.Conv2d(3, 4, 3), nn.ReLU(inplace=True), nn.Linear(4, 5)

    def forward(self, x):
        return self.fc(OnlyOnce.apply(self.act(self.conv(x))).mean((2, 3)))


@pytest.fixture
def curved():
    """A method of second derivatives."""

    @seewhy.from_gradients(twice=True)
    def curved_cam(a, g, hessian):
        """sum_c H a.

        Source: this test.

        Caveat: none.
        """
        return hessian(a).sum(1)

    yield curved_cam
    del METHODS["curved-cam"]


def test_what_has_no_second_derivative_is_refused_and_comes_back_as_it_was(curved):
    network = Once().double().train()
    model, before = seewhy.wrap(network), state(network)
    with pytest.raises(seewhy.NotApplicable, match=r"no second derivative \(OnlyOnce.*grad-cam, need none"):
        curved(model, X)
    assert state(network) == before
    assert seewhy.grad_cam(model, X)[0].values.any()
    says = {verdict.method: verdict for verdict in seewhy.doctor(model, X[:1]).methods}
    assert "no second derivative" in says["curved-cam"].why
    assert says["grad-cam"].works


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_a_rule_and_a_network_in_one_piece_have_none(curved):
    model = seewhy.wrap(networks.pooled())
    for rule in (guided, Balanced()):
        with pytest.raises(seewhy.NotApplicable, match="the plain gradient"):
            model.trace(X, TARGETS, ["act1"], rule, twice=True)
    with pytest.raises(seewhy.NotApplicable, match="libra balances plain gradients"):
        seewhy.libra(curved)(model, X)
    with pytest.raises(seewhy.BadParameter, match="the plain gradient"):
        seewhy.from_gradients(rule=guided, twice=True)
    sealed = seewhy.wrap(torch.jit.trace(networks.pooled(), torch.tensor(X)))
    with pytest.raises(seewhy.NotApplicable, match="no second derivative can be asked of it"):
        sealed.trace(X, TARGETS, [INPUT], twice=True)


def test_a_method_of_second_derivatives_shares_the_trace_and_gives_the_graph_back(curved, monkeypatch):
    from seewhy.explaining.case import Case

    cases, init = [], Case.__init__
    monkeypatch.setattr(Case, "__init__", lambda self, *args, **more: (cases.append(self), init(self, *args, **more))[1])
    model = seewhy.wrap(networks.tokens())
    model.layers(X)
    with entering(model.network.patch) as passes:
        maps = seewhy.explain(model, X, ["grad-cam", curved, "hires-cam"], target=[0, 1])
    assert passes == [2]
    assert all(evidence.again is None for case in cases for evidence in case.trace.evidence.values())
    assert [each.source.method for each in maps[:3]] == ["grad-cam", "curved-cam", "hires-cam"]
    np.testing.assert_array_equal(maps[1].values, curved(model, X, target=[0, 1])[0].values)
    assert curved.whole
    assert "three times" in curved.cost
