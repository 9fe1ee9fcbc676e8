"""What every method keeps, tested over all of them."""

import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from torch import nn

import networks
import seewhy
from seewhy import METHODS, PerImage, Top
from seewhy.method import lookup

NAMES = list(METHODS)
NETS = ("pooled", "flat_head", "inplace", "bn_dropout", "tokens", "nhwc", "lstm_head", "signed_features", "dead_channels")


def values(maps) -> np.ndarray:
    return np.stack([m.values for m in maps])


def net(name: str = "pooled") -> nn.Module:
    return getattr(networks, name)().double()


def state(network: nn.Module) -> list:
    """All that a person could find changed."""
    modules = list(network.modules())
    return [
        [m.training for m in modules],
        [(len(m._forward_hooks), len(m._forward_pre_hooks), len(m._backward_hooks)) for m in modules],
        [(p.requires_grad, p.grad is None, p.dtype, p.device) for p in network.parameters()],
        [t.detach().clone().numpy().tobytes() for t in network.state_dict().values()],
        torch.get_rng_state().numpy().tobytes(),
        torch.is_grad_enabled(),
    ]


def applies(name: str, network: str) -> bool:
    return name != "cam" or network in ("pooled", "inplace", "bn_dropout", "signed_features", "dead_channels")


CASES = [(name, network) for name in NAMES for network in NETS if applies(name, network)]


@pytest.mark.parametrize(("name", "network"), CASES)
def test_finite_and_a_batch_equals_its_singles(name, network):
    model = seewhy.wrap(net(network))
    x = networks.images(3, *networks.SIDES, seed=1)
    together = METHODS[name](model, x, target=[Top(), 1])
    alone = [METHODS[name](model, x[i : i + 1], target=[Top(), 1]) for i in range(3)]
    assert np.isfinite(values(together)).all()
    scale = abs(values(together)).max()
    assert scale > 0, "an empty map shows nothing"
    np.testing.assert_allclose(values(together), np.concatenate([values(a) for a in alone]), rtol=1e-5, atol=1e-6 * scale)
    assert [m.source.index for m in together] == [m.source.index for a in alone for m in a]


@pytest.mark.parametrize("name", NAMES)
def test_splitting_into_batches_changes_nothing(name):
    x = networks.images(5, *networks.SIDES, seed=2)
    whole = METHODS[name](seewhy.wrap(net()), x, target=PerImage([0, 1, 2, 0, 1]))
    split = METHODS[name](seewhy.wrap(net(), batch_size=2), x, target=PerImage([0, 1, 2, 0, 1]))
    np.testing.assert_allclose(values(whole), values(split), rtol=1e-5, atol=1e-9)
    assert [m.place for m in split] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("name", NAMES)
def test_order_is_image_target_layer(name):
    model = seewhy.wrap(net())
    layers = [next(iter(model.layers(networks.images(1, *networks.SIDES, seed=0)))), None] if name != "cam" else [None]
    x = networks.images(2, *networks.SIDES, seed=3)
    maps = METHODS[name](model, x, target=[2, 0], layer=layers)
    assert len(maps) == 2 * 2 * len(layers)
    expected = [(i, t) for i in range(2) for t in ("2", "0") for _ in layers]
    assert [(m.place, m.source.target) for m in maps] == expected
    for m in maps:
        (alone,) = METHODS[name](model, x[m.place : m.place + 1], target=int(m.source.target), layer=m.source.layer)
        np.testing.assert_allclose(m.values, alone.values, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("name", NAMES)
def test_the_same_twice(name):
    x = networks.images(2, *networks.SIDES, seed=4)
    first, second = (values(METHODS[name](seewhy.wrap(net()), x)) for _ in range(2))
    assert (first == second).all()


def test_a_seed_decides_the_random_control():
    x = networks.images(2, *networks.SIDES, seed=4)
    model = seewhy.wrap(net())
    first, second = values(seewhy.random_map(model, x)), values(seewhy.random_map(model, x, seed=1))
    assert not np.allclose(first, second)
    assert not np.allclose(first[0], first[1])


@pytest.mark.parametrize("name", NAMES)
def test_the_model_comes_back_as_it_was(name):
    network = net("bn_dropout").train()
    next(network.children()).eval()
    before, x = state(network), networks.images(2, *networks.SIDES, seed=5)
    kept = x.copy()
    METHODS[name](seewhy.wrap(network), x, target=[0, 1])
    assert state(network) == before
    assert (x == kept).all()


class Boom(nn.Module):
    def forward(self, x):
        raise RuntimeError("boom")


@pytest.mark.parametrize("name", [name for name in NAMES if METHODS[name].reads in ("gradients", "head")])
def test_the_model_comes_back_after_an_exception(name):
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(inplace=True), Boom()).train()
    before = state(network)
    with pytest.raises(seewhy.BadNetwork, match="boom"):
        METHODS[name](seewhy.wrap(network), networks.images(1, 8, 8, seed=0), layer="1")
    assert state(network) == before
    assert not torch.is_inference_mode_enabled()


def test_the_model_comes_back_when_the_formula_fails():
    @seewhy.from_gradients()
    def broken_cam(a, g):
        """Fails."""
        raise ArithmeticError("formula")

    try:
        network = net("bn_dropout").train()
        before = state(network)
        with pytest.raises(ArithmeticError):
            broken_cam(seewhy.wrap(network), networks.images(1, *networks.SIDES, seed=0))
        assert state(network) == before
    finally:
        del METHODS["broken-cam"]


@pytest.mark.parametrize("name", NAMES)
def test_a_method_travels(name):
    assert pickle.loads(pickle.dumps(METHODS[name])) == METHODS[name]
    if not METHODS[name].defaults:
        return
    key, value = next(iter(METHODS[name].defaults.items()))
    seed = {key: not value if isinstance(value, bool) else value + 1}
    method = METHODS[name].using(**seed)
    again = pickle.loads(pickle.dumps(method))
    assert again == method
    assert hash(again) == hash(method)
    assert lookup(name.replace("-", "_")) == METHODS[name]
    assert METHODS[name] != method
    assert next(iter(seed)) in repr(method)
    x, model = networks.images(1, *networks.SIDES, seed=6), seewhy.wrap(net())
    assert (again(model, x)[0].values == method(model, x)[0].values).all()


def test_a_method_reaches_a_process_that_knows_none_yet():
    sent = pickle.dumps([METHODS[name] for name in NAMES] + [seewhy.grad_cam.using(signed=True)])
    code = f"import pickle; print([m.name for m in pickle.loads({sent!r})], pickle.loads({sent!r})[-1].params)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == f"{[*NAMES, 'grad-cam']} {{'signed': True}}", done.stderr


@pytest.mark.parametrize("name", NAMES)
def test_nan_in_one_place_is_told_and_spares_the_other_image(name):
    network = net()
    act = dict(network.named_modules())["act1"]
    handle = act.register_forward_hook(lambda m, i, o: torch.where(i[0].sum((1, 2, 3), keepdim=True) == poisoned, np.nan, o))
    x = networks.images(2, *networks.SIDES, seed=9)
    with torch.no_grad():
        poisoned = network[:1](torch.as_tensor(x))[0].sum()
    bad, good = METHODS[name](seewhy.wrap(network), x, target=0, layer="act2")
    handle.remove()
    (alone,) = METHODS[name](seewhy.wrap(network), x[1:], target=0, layer="act2")
    np.testing.assert_allclose(good.values, alone.values, rtol=1e-5, atol=1e-9)
    assert not any("NaN" in w for w in good.warnings)
    if METHODS[name].reads != "nothing":
        assert any("NaN" in w and "act1" in w for w in bad.warnings)
    assert np.isfinite(bad.values).all()


@pytest.mark.parametrize("name", NAMES)
def test_unknown_parameters_are_refused(name):
    with pytest.raises(seewhy.BadParameter, match=rf"{name} has no parameter 'colour'"):
        METHODS[name](seewhy.wrap(net()), networks.images(1, *networks.SIDES, seed=0), colour=1)


@pytest.mark.parametrize("name", NAMES)
def test_a_method_says_what_it_is(name):
    method = METHODS[name]
    assert method.formula
    assert method.source
    assert method.caveat
    assert method.cost


def test_threads_give_the_single_threads_results():
    """Readers of one network, each with its own method, targets and layer, while others just use the network."""
    network = net("bn_dropout").train()
    model, x = seewhy.wrap(network), networks.images(2, *networks.SIDES, seed=7)
    jobs = [(name, target) for name in NAMES for target in (0, 1)] * 2
    expected = [values(METHODS[name](model, x, target=target)) for name, target in jobs]
    before = state(network)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda job: values(METHODS[job[0]](model, x, target=job[1])), jobs))
    for one, other in zip(expected, found, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-9)
    assert state(network) == before


def test_a_network_used_by_others_meanwhile_is_read_from_this_thread_only():
    """A forward pass in another thread, started from within ours, neither disturbs the tap nor is disturbed."""
    network = net("pooled").eval()
    x = torch.as_tensor(networks.images(1, *networks.SIDES, seed=8))
    with torch.no_grad():
        plain = network(x)
    seen = []

    class Nosy(nn.Module):
        def __init__(self):
            super().__init__()
            self.network = network

        def forward(self, x):
            with ThreadPoolExecutor(1) as pool:
                seen.append(pool.submit(lambda: network(x * 2).detach()).result())
            return self.network(x)

    expected = values(seewhy.grad_cam(seewhy.wrap(network), x.numpy(), target=1))
    layer = "network." + seewhy.grad_cam(seewhy.wrap(network), x.numpy())[0].source.layer
    got = values(seewhy.grad_cam(seewhy.wrap(Nosy()), x.numpy(), target=1, layer=layer))
    np.testing.assert_allclose(got, expected, rtol=1e-6)
    with torch.no_grad():
        assert torch.equal(seen[0], network(x * 2))
        assert torch.equal(network(x), plain)
