"""What every method keeps, tested over all of them."""

import pickle
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import seewhy
from seewhy import METHODS, PerImage, Top
from seewhy.errors import NotFinite
from seewhy.methods.making.method import lookup
from seewhy.models.rule import guided
from support import networks
from support.ask import ATTENTION, asked, home, values
from support.states import state

MADE = (
    "smooth(grad-cam)", "smooth(eigen-cam)", "smooth(integrated-gradients)", "augment(cam)", "augment(gradient)",
    "augment(smooth(layer-cam))", "product(lrp, layer-cam)", "product(guided-backprop, smooth(grad-cam))",
    "libra(grad-cam)", "libra(smooth(gradient))",
    "smooth(score-cam)", "smooth(occlusion)", "augment(rise)", "product(ablation-cam, occlusion)",
    "sess(grad-cam)", "sess(eigen-cam)",
)  # fmt: skip
NAMES = [*METHODS, *MADE]
NETS = ("pooled", "flat_head", "inplace", "bn_dropout", "tokens", "nhwc", "lstm_head", "signed_features", "dead_channels")
WITHOUT = {  # by the parts of a method: the networks that lack what it needs
    "cam": ("flat_head", "tokens", "nhwc", "lstm_head"),
    "guided-backprop": ("tokens", "signed_features"),
    "deconvnet": ("tokens", "signed_features"),
    "guided-grad-cam": ("tokens", "signed_features"),
    "lrp": ("tokens", "nhwc", "lstm_head"),
    "excitation-backprop": ("tokens", "lstm_head"),
    "augment": ("flat_head", "tokens", "lstm_head"),
    "attn-lrp": ("lstm_head",),
    "deep-lift": ("tokens", "nhwc", "lstm_head"),
    **dict.fromkeys(ATTENTION, tuple(name for name in NETS if name != "tokens")),
}


def net(name: str = "pooled") -> nn.Module:
    return getattr(networks, name)().double()


@cache
def model_of(name: str) -> Any:
    """One for all tests that but ask it."""
    return seewhy.wrap(net(name))


def applies(name: str, network: str) -> bool:
    return not any(network in WITHOUT.get(part, ()) for part in re.findall(r"[a-z-]+", name))


RUN_ALL = ("gradients", "head", "pixels")  # what is read behind the whole network
CASES = [(name, network) for name in NAMES for network in NETS]
MADE_ON = ("pooled", "bn_dropout", "tokens", "lstm_head")  # what is made of methods that all run on each network by themselves


@pytest.mark.parametrize(
    ("name", "network"), [case for case in CASES if applies(*case) and (case[0] in METHODS or case[1] in MADE_ON)]
)
def test_finite_and_a_batch_equals_its_singles(name, network):
    model, method = model_of(network), asked(name)
    x = networks.images(3, *networks.SIDES, seed=1)
    together = method(model, x, target=[Top(), 1])
    alone = [method(model, x[i : i + 1], target=[Top(), 1]) for i in range(3)]
    assert np.isfinite(values(together)).all()
    scale = abs(values(together)).max()
    assert scale > 0, "an empty map shows nothing"
    np.testing.assert_allclose(values(together), np.concatenate([values(a) for a in alone]), rtol=1e-5, atol=1e-6 * scale)
    assert [m.source.index for m in together] == [m.source.index for a in alone for m in a]
    for one, other in zip(together, [m for a in alone for m in a], strict=True):
        assert (one.channels is None) == (not method.pixels)
        if method.pixels:
            np.testing.assert_allclose(one.channels, other.channels, rtol=1e-5, atol=1e-6 * scale)
        assert one.source.measured == pytest.approx(other.source.measured, rel=1e-5, abs=1e-9)


@pytest.mark.parametrize(("name", "network"), [case for case in CASES if not applies(*case)])
def test_what_does_not_apply_is_refused(name, network):
    with pytest.raises(seewhy.NotApplicable):
        asked(name)(model_of(network), networks.images(1, *networks.SIDES, seed=1))


@pytest.mark.parametrize("name", NAMES)
def test_splitting_into_batches_changes_nothing(name):
    x = networks.images(3, *networks.SIDES, seed=2)
    whole = asked(name)(model_of(home(name)), x, target=PerImage([0, 1, 2]))
    for most in (1, 2):
        split = asked(name)(seewhy.wrap(net(home(name)), batch_size=most), x, target=PerImage([0, 1, 2]))
        np.testing.assert_allclose(values(whole), values(split), rtol=1e-5, atol=1e-7 * abs(values(whole)).max())
        assert [m.place for m in split] == [0, 1, 2]


@pytest.mark.parametrize("name", NAMES)
def test_order_is_image_target_layer(name):
    model, method = model_of(home(name)), asked(name)
    several = method.layered and name not in ("cam", "augment(cam)")  # which has but one layer
    layers = ["conv1", None] if several else [None]
    x = networks.images(2, *networks.SIDES, seed=3)
    maps = method(model, x, target=[2, 0], layer=layers)
    read = ["conv1", "act2"] if several else ["act2"] if method.layered else ["attention"] if name in ATTENTION else ["input"]
    expected = [(i, t, layer) for i in range(2) for t in ("2", "0") for layer in read]
    assert [(m.place, m.source.target, m.source.layer) for m in maps] == expected
    for m in maps:
        layer = m.source.layer if method.layered else None
        (alone,) = method(model, x[m.place : m.place + 1], target=int(m.source.target), layer=layer)
        np.testing.assert_allclose(m.values, alone.values, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("name", [name for name in NAMES if not lookup(name).layered and name not in ATTENTION])
def test_what_reads_pixels_takes_no_layer(name):
    """Alone it refuses one; beside a method that takes it, it is asked once."""
    model, x = model_of("pooled"), networks.images(2, *networks.SIDES, seed=3)
    with pytest.raises(seewhy.BadParameter, match="reads the image's own pixels, not a layer"):
        asked(name)(model, x, layer="act2")
    mixed = seewhy.explain(model, x, [asked(name), "grad-cam"], target=[0, 1], layer=["conv1", "act2"])
    read = [("conv1", "grad-cam"), ("act2", "grad-cam"), ("input", lookup(name).name)]
    assert [(m.source.layer, m.source.method) for m in mixed] == read * 4
    alone = asked(name)(model, x, target=[0, 1])
    np.testing.assert_allclose(values([*mixed][2::3]), values(alone), rtol=1e-6, atol=1e-7 * abs(values(alone)).max())


@pytest.mark.parametrize(("network", "layer"), [("pooled", "act2"), ("tokens", "block1")])
def test_all_at_once_say_what_each_says_alone(network, layer):
    """Whatever they share."""
    model, x = seewhy.wrap(net(network)), networks.images(2, *networks.SIDES, seed=3)
    names = [name for name in NAMES if applies(name, network)]
    together = [*seewhy.explain(model, x, [asked(name) for name in names], target=[0, 1], layer=layer)]
    for name in names:
        mine = [m for m in together if m.source.method == name]
        alone = asked(name)(model, x, target=[0, 1], layer=layer if lookup(name).layered else None)
        assert [(m.place, m.source.target, m.source.layer) for m in mine] == [
            (m.place, m.source.target, m.source.layer) for m in alone
        ]
        np.testing.assert_allclose(values(mine), values(alone), rtol=1e-6, atol=1e-7 * abs(values(alone)).max())


@pytest.mark.parametrize("name", NAMES)
def test_the_same_twice(name):
    x = networks.images(2, *networks.SIDES, seed=4)
    first, second = (values(asked(name)(seewhy.wrap(net(home(name))), x)) for _ in range(2))
    assert (first == second).all()


SEEDED = [name for name in NAMES if "seed" in lookup(name).defaults and "occlusion" not in name]  # whose seed is of the order


@pytest.mark.parametrize("name", SEEDED)
def test_a_seed_decides_what_is_random(name):
    x, model = networks.images(2, *networks.SIDES, seed=4), model_of("pooled")
    first, again, second = (values(asked(name).using(seed=seed)(model, x, target=1)) for seed in (0, 0, 1))
    assert (first == again).all()
    assert not np.allclose(first, second, rtol=1e-3, atol=1e-3 * abs(first).max())
    assert not np.allclose(first[0], first[1])


@pytest.mark.parametrize("name", NAMES)
def test_the_model_comes_back_as_it_was(name):
    network = net("tokens" if name in ATTENTION else "bn_dropout").train()
    next(network.children()).eval()
    before, x = state(network), networks.images(2, *networks.SIDES, seed=5)
    kept = x.copy()
    asked(name)(seewhy.wrap(network), x, target=[0, 1])
    assert state(network) == before
    assert (x == kept).all()


class Boom(nn.Module):
    def forward(self, x):
        raise RuntimeError("boom")


@pytest.mark.parametrize("name", [name for name in NAMES if lookup(name).passes or lookup(name).reads in RUN_ALL])
def test_the_model_comes_back_after_an_exception(name):
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(inplace=True), Boom()).train()
    before = state(network)
    with pytest.raises(seewhy.BadNetwork, match="boom"):
        asked(name)(seewhy.wrap(network), networks.images(1, 8, 8, seed=0), layer="1" if lookup(name).layered else None)
    assert state(network) == before
    assert not torch.is_inference_mode_enabled()


def broken_cam(a, g):
    """Fails."""
    raise ArithmeticError("formula")


@pytest.mark.parametrize("rule", [None, guided])
@pytest.mark.parametrize("decorated", [seewhy.from_gradients, seewhy.from_pixels])
@pytest.mark.parametrize("made", [lambda m: m, seewhy.smooth, seewhy.augment, lambda m: seewhy.product(m, "layer-cam")])
def test_the_model_comes_back_when_the_formula_fails(made, decorated, rule):
    try:
        method = made(decorated(rule=rule)(broken_cam))
        network = net("bn_dropout").train()
        before = state(network)
        with pytest.raises(ArithmeticError):  # read where a ReLU lies behind, for the rule to have something to do
            method(seewhy.wrap(network), networks.images(1, *networks.SIDES, seed=0), layer="conv1" if method.layered else None)
        assert state(network) == before
    finally:
        METHODS.pop("broken-cam", None)


OTHER = {  # than by default
    "reduce": "l2", "baseline": "mean", "quadrature": "midpoint", "rule": "epsilon", "scales": (1,), "keep": 0.3, "budget": 40,
    "dtype": "float64", "tolerance": 0.5, "top_channels": 2, "features": 2, "fill": 0.1, "hide": 0.1, "segments": "grid:2",
    "head_fusion": "max", "discard": 0.3, "window": 6, "stride": 4, "cells": 4, "flips": False, "kernel": "rbf", "gamma": 0.3,
    "shape": "gaussian", "within": (2, 2, 6, 6), "channels": (0, 2), "fraction": 0.5, "distance": 0.3,
    "pool": "max", "window_overlap": 0.5, "rules": "epsilon-plus-flat", "first": "z-box", "low": -9.0, "high": 9.0,
}  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_a_method_travels(name):
    assert pickle.loads(pickle.dumps(lookup(name))) == lookup(name)
    assert lookup(name.replace("-", "_")) == lookup(name)
    few = asked(name).settings
    changed = {k: OTHER[k] if k in OTHER else not few[k] if isinstance(few[k], bool) else few[k] + 1 for k in few}
    for key in changed:
        beside = {"first": "z-box"} if key in ("low", "high") else {}  # of which alone they are the bounds
        method = lookup(name).using(**{key: changed[key], **beside})
        again = pickle.loads(pickle.dumps(method))
        assert again == method
        assert hash(again) == hash(method)
        assert lookup(name) != method
        assert key in repr(method)
    instead = {"segments"} if "window" in changed else {"rule", "first"} if "rules" in changed else set()  # one for another
    instead |= {"low", "high"} if "first" in instead else set()
    method = lookup(name).using(**{key: changed[key] for key in changed if key not in instead})
    again, x, model = pickle.loads(pickle.dumps(method)), networks.images(1, *networks.SIDES, seed=6), model_of(home(name))
    assert (again(model, x)[0].values == method(model, x)[0].values).all()


def test_a_method_reaches_a_process_that_knows_none_yet():
    sent = pickle.dumps([asked(name) for name in NAMES] + [seewhy.grad_cam.using(signed=True)])
    code = f"import pickle; print([(m.name, dict(m.params)) for m in pickle.loads({sent!r})])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    expected = [(name, dict(asked(name).params)) for name in NAMES] + [("grad-cam", {"signed": True})]
    assert done.stdout.strip() == str(expected), done.stderr


@pytest.mark.parametrize("name", NAMES)
def test_nan_in_one_place_is_told_and_spares_the_other_image(name):
    """In what is ten times as bright as the other image, early in the network."""
    network, method = net(home(name)), asked(name)
    early = "patch" if name in ATTENTION else "act1"
    x = networks.images(2, *networks.SIDES, seed=9)
    x[0] *= 10
    bright = lambda i: i[0].abs().mean((1, 2, 3), keepdim=True) > 2.5  # noqa: E731
    network.get_submodule(early).register_forward_hook(lambda m, i, o: o * torch.where(bright(i), np.nan, 1.0))
    layer = "act2" if method.layered else None
    maps = method(seewhy.wrap(network), x, target=0, layer=layer, on_error="skip")
    good = maps[-1]
    if name in ("eigen-cam", "kpca-cam") or method.reads == "nothing":  # which ask no score
        assert np.isfinite(maps[0].values).all()
        assert method.reads == "nothing" or any("NaN" in w and early in w for w in maps[0].warnings)
    else:
        ((place, _, error),) = maps.failed
        assert place == 0
        assert isinstance(error, NotFinite)
        assert f"first arise at layer {early}" in str(error)
    (alone,) = method(model_of(home(name)), x[1:], target=0, layer=layer)
    np.testing.assert_allclose(good.values, alone.values, rtol=1e-5, atol=1e-7 * abs(alone.values).max())
    assert not any("NaN" in w for w in good.warnings)


@pytest.mark.parametrize("name", NAMES)
def test_unknown_parameters_are_refused(name):
    with pytest.raises(seewhy.BadParameter, match=rf"{re.escape(name)} has no parameter 'colour'"):
        lookup(name)(model_of("pooled"), networks.images(1, *networks.SIDES, seed=0), colour=1)


@pytest.mark.parametrize("name", NAMES)
def test_a_method_says_what_it_is(name):
    method = lookup(name)
    assert method.formula
    assert method.source
    assert method.caveat
    assert method.cost
    assert "{" not in method.cost


@pytest.mark.parametrize(("where", "names"), [("bn_dropout", [n for n in NAMES if n not in ATTENTION]), ("tokens", ATTENTION)])
def test_threads_give_the_single_threads_results(where, names):
    """Readers of one network, each with its own method, targets and layer, while others just use the network."""
    network = net(where).train()
    model, x = seewhy.wrap(network), networks.images(2, *networks.SIDES, seed=7)
    jobs = [(name, target) for name in names for target in (0, 1)]
    expected = [values(asked(name)(model, x, target=target)) for name, target in jobs] * 2
    before = state(network)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda job: values(asked(job[0])(model, x, target=job[1])), jobs * 2))
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
