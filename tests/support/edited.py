"""Networks that can be edited in many ways, the edits, and all that a model says of its network, as one value to compare."""

from collections.abc import Callable
from copy import copy
from types import MethodType, SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import parametrizations, prune

import seewhy
from seewhy.errors import SeewhyError

from . import networks

X = networks.images(2, *networks.SIDES, seed=5)


class Routed(nn.Module):
    """(n, 3, h, w) -> (n, k), on a way that attributes of all kinds say."""

    def __init__(self, end: nn.Module) -> None:
        super().__init__()
        self.conv1, self.act1, self.norm = nn.Conv2d(3, 6, 3, padding=1), nn.ReLU(), nn.BatchNorm2d(6)
        self.conv2, self.act2 = nn.Conv2d(6, 8, 3, stride=2, padding=1), nn.ReLU()
        self.last, self.fc, self.end = nn.Conv2d(8, 8, 1), nn.Linear(8, networks.CLASSES), end
        self.extra = nn.Sequential(nn.Conv2d(8, 8, 3, padding=1), nn.ReLU())
        self.global_pool = "avg"
        self.steps = ["last"]
        self.config = SimpleNamespace(thin=1, inner=SimpleNamespace(shift=0))

    def forward(self, x: Tensor) -> Tensor:
        a = self.act2(self.conv2(self.norm(self.act1(self.conv1(x)))))
        for name in self.steps:
            a = self.get_submodule(name)(a)
        a = a[:, :, :: self.config.thin, :: self.config.thin].roll(self.config.inner.shift, -1)
        pool = F.adaptive_avg_pool2d if self.global_pool == "avg" else F.adaptive_max_pool2d
        return self.end(self.fc(pool(a, 1).flatten(1)))


def routed(end: Callable[[], nn.Module] = nn.Identity, seed: int = 3) -> nn.Module:
    return networks.made(lambda: Routed(end()), seed)


def new(make: Callable[[], nn.Module]) -> nn.Module:
    """A module with weights drawn under a seed of its own, float64, in eval mode."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(8)
        return make().double().eval()


class Edit(NamedTuple):
    """An edit of a network, and whether anything that a model says of it becomes another thing."""

    of: Callable[[Any], Any]
    felt: bool = True
    start: Callable[[], nn.Module] = routed


def put(**attributes: Any) -> Callable[[Any], None]:
    """An edit: these attributes; of inner modules as conv1__stride."""

    def edit(network: Any) -> None:
        for name, value in attributes.items():
            *path, last = name.split("__")
            owner = network.get_submodule(".".join(path))
            setattr(owner, last, new(value) if isinstance(value, type) or callable(value) else value)

    return edit


def written(write: Callable[[Any], Any]) -> Callable[[Any], None]:
    """An edit: numbers written into weights."""

    def edit(network: Any) -> None:
        with torch.no_grad():
            write(network)

    return edit


def hooked(network: Any) -> None:
    network.conv2.register_forward_hook(lambda _module, _args, out: out[:, :, ::2])


def unhooked() -> nn.Module:
    network = routed()
    network.handle = network.conv2.register_forward_hook(lambda _module, _args, out: out[:, :, ::2])
    return network


def other_forward(network: Any) -> None:
    network.forward = MethodType(lambda self, x: self.end(self.fc(self.conv2(self.conv1(x)).mean((2, 3)))), network)


def shared() -> nn.Module:
    """The same block stands twice in the network, under two names."""
    network = routed()
    network.again = network.extra
    network.steps = ["last", "again"]
    return network


def half_of(network: Any) -> None:
    network.conv2.weight.data = network.conv2.weight.data.float()
    network.conv2.bias.data = network.conv2.bias.data.float()


def gone(network: Any) -> None:
    network.steps.append("later")
    network.later = network.extra
    del network.extra


EDITS = {
    "a layer of another kind": Edit(put(conv2=lambda: nn.ConvTranspose2d(6, 8, 2, stride=2))),
    "a layer of the same kind": Edit(put(conv1=lambda: nn.Conv2d(3, 6, 3, padding=1))),
    "a layer made of several": Edit(put(last=lambda: nn.Sequential(nn.Conv2d(8, 8, 3), nn.ReLU()))),
    "stride": Edit(put(conv2__stride=(1, 1))),
    "padding": Edit(put(conv2__padding=(0, 0))),
    "padding, with a stride": Edit(put(conv1__padding=(3, 3), conv2__stride=(3, 3))),
    "dilation": Edit(put(conv2__dilation=(2, 2))),
    "padding by words": Edit(put(conv1__padding="valid")),
    "global pool": Edit(put(global_pool="max")),
    "another way": Edit(put(steps=[])),
    "another way, in place": Edit(lambda network: network.steps.append("extra")),
    "a layer left out, in place": Edit(lambda network: network.steps.clear()),
    "a number in a configuration": Edit(lambda network: setattr(network.config, "thin", 2)),
    "a number in its inner configuration": Edit(lambda network: setattr(network.config.inner, "shift", 2)),
    "a Sigmoid at the end": Edit(put(end=nn.Sigmoid)),
    "a Softmax at the end": Edit(put(end=lambda: nn.Softmax(1))),
    "no Sigmoid any more": Edit(put(end=nn.Identity), start=lambda: routed(nn.Sigmoid)),
    "no Softmax any more": Edit(put(end=nn.Identity), start=lambda: routed(lambda: nn.Softmax(1))),
    "a Softmax in place of a Sigmoid": Edit(put(end=lambda: nn.Softmax(1)), start=lambda: routed(nn.Sigmoid)),
    "numbers between 0 and 1 in place of a Sigmoid": Edit(
        put(end=lambda: nn.Hardtanh(0.1, 0.9)), start=lambda: routed(nn.Sigmoid)
    ),
    "another number of classes": Edit(put(fc=lambda: nn.Linear(8, 3))),
    "one class": Edit(put(fc=lambda: nn.Linear(8, 1))),
    "a hook that changes the shape": Edit(hooked),
    "a hook removed": Edit(lambda network: network.handle.remove(), start=unhooked),
    "GELU in place of ReLU": Edit(put(act2=nn.GELU)),
    "an in-place ReLU": Edit(put(act2__inplace=True)),
    "a Dropout": Edit(put(act1=lambda: nn.Sequential(nn.ReLU(), nn.Dropout(0.5)))),
    "a Dropout that nothing runs": Edit(put(drop=nn.Dropout), felt=False),
    "another forward": Edit(other_forward),
    "another class": Edit(lambda network: setattr(network.act1, "__class__", nn.Tanh)),
    "a layer under another name": Edit(gone),
    "loaded weights": Edit(lambda network: network.load_state_dict(routed(seed=4).state_dict())),
    "a head of zeros": Edit(written(lambda network: (network.fc.weight.zero_(), network.fc.bias.zero_()))),
    "a layer of zeros": Edit(written(lambda network: network.last.weight.zero_())),
    "NaN among the weights": Edit(written(lambda network: network.conv2.weight[0].fill_(torch.nan))),
    "statistics of a BatchNorm": Edit(written(lambda network: network.norm.running_mean.add_(1))),
    "single precision": Edit(lambda network: network.float()),
    "single precision of one layer": Edit(half_of),
    "frozen weights": Edit(lambda network: network.requires_grad_(False)),
    "train mode": Edit(lambda network: network.train()),
    "train mode of one layer": Edit(lambda network: network.norm.train()),
    "a layer inside a shared block": Edit(
        lambda network: network.extra.__setitem__(0, new(lambda: nn.Conv2d(8, 8, 2))), start=shared
    ),
    "pruned": Edit(lambda network: prune.ln_structured(network.conv2, "weight", 0.5, 2, 0)),
    "no longer pruned": Edit(lambda network: prune.remove(network.conv2, "weight"), felt=False, start=lambda: pruned()),
    "weight_norm": Edit(lambda network: parametrizations.weight_norm(network.conv2)),
}  # fmt: skip


def broken(write: Callable[[Any], Any]) -> Callable[[], nn.Module]:
    """What makes a network into whose weights something was written."""

    def make() -> nn.Module:
        network = routed()
        written(write)(network)
        return network

    return make


def pruned() -> nn.Module:
    network = routed()
    prune.ln_structured(network.conv2, "weight", 0.5, 2, 0)
    return network


def mended(network: Any) -> None:
    network.load_state_dict(routed().state_dict())


EDITS |= {
    "trained weights in place of a head of zeros": Edit(
        mended, start=broken(lambda network: (network.fc.weight.zero_(), network.fc.bias.zero_()))
    ),
    "trained weights in place of NaN": Edit(mended, start=broken(lambda network: network.conv2.weight.fill_(torch.nan))),
    "trained weights in place of zeros": Edit(mended, start=broken(lambda network: network.last.weight.zero_())),
}  # fmt: skip


def tiny_vit() -> nn.Module:
    return networks.tokens()


def no_class_token(network: Any) -> None:
    network.forward = MethodType(
        lambda self, x: self.fc(self.norm(self.block1(self.patch(x).flatten(2).mT + self.where[:, 1:])).mean(1)), network
    )


VITS = {
    "a block that does nothing": Edit(put(block2=nn.Identity), start=tiny_vit),
    "another block": Edit(put(block1=lambda: networks.Block(12)), start=tiny_vit),
    "the order of its blocks": Edit(
        lambda network: (lambda first, second: (setattr(network, "block1", second), setattr(network, "block2", first)))(
            network.block1, network.block2
        ),
        start=tiny_vit,
    ),
    "no class token": Edit(no_class_token, start=tiny_vit),
    "patches read from right to left": Edit(
        lambda network: network.patch.register_forward_hook(lambda _module, _args, out: out.flip(-1)), start=tiny_vit
    ),
    "a head of zeros": Edit(written(lambda network: network.fc.weight.zero_()), start=tiny_vit),
}  # fmt: skip


def said(model: Any, ask: Callable[[Any], Any]) -> Any:
    """What the model answers, or the error in words."""
    try:
        return ask(model)
    except SeewhyError as error:
        return f"{type(error).__name__}: {error}"


def of_maps(heatmaps: Any) -> Any:
    """All of heatmaps that an edit may change."""
    facts = ("layer", "layer_why", "geometry", "warnings", "predicted", "target")
    return [(m.values, m.image, m.box, m.cells, *(getattr(m.source, name) for name in facts)) for m in heatmaps]


ASKED: dict[str, Callable[[Any], Any]] = {
    "grad-cam": lambda model: of_maps(seewhy.grad_cam(model, X)),
    "layers": lambda model: {**model.layers(X)},
    "cells": lambda model: {name: model.cells(name, X) for name in ("conv1", "conv2", "act2", "last", "extra.0", "block1")},
    "answer": lambda model: model.answer(X),
    "doctor": lambda model: model.examine(X[:1]),
    "units": lambda model: model.upto("last").answer(X),
    "units of a block": lambda model: of_maps(seewhy.gradient(model, X, target=seewhy.Unit("extra", 1))),
    "occlusion": lambda model: of_maps(seewhy.occlusion(model, X[:1], window=6, stride=6)),
    "probability": lambda model: of_maps(seewhy.grad_cam(in_probabilities(model), X)),
}
ROLLED: dict[str, Callable[[Any], Any]] = {
    "rollout": lambda model: of_maps(seewhy.attention_rollout(model, X)),
    "grad-cam": ASKED["grad-cam"],
    "layers": ASKED["layers"],
    "doctor": ASKED["doctor"],
}


def in_probabilities(model: Any) -> Any:
    """A copy of the model that explains probabilities: it shares what passes showed."""
    model = copy(model)
    model.explains = "probability"
    return model


def alike(one: Any, other: Any) -> bool:
    """Equal to the bit, NaN and all."""
    if isinstance(one, np.ndarray):
        return (
            isinstance(other, np.ndarray)
            and one.dtype == other.dtype
            and np.array_equal(one, other, equal_nan=one.dtype.kind == "f")
        )
    if isinstance(one, dict):
        return isinstance(other, dict) and [*one] == [*other] and all(alike(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return type(one) is type(other) and len(one) == len(other) and all(map(alike, one, other))
    return bool(one == other) or repr(one) == repr(other)  # of facts with NaN among them
