"""A small convolutional network written in numpy alone, as a `Backend`, and the same network in torch."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from torch import nn

from seewhy.errors import NotApplicable
from seewhy.models.backend.backend import Behind, LayerSight, LinearEnd, PassResult
from seewhy.models.model import INPUT
from seewhy.models.weights_digest import ALWAYS, NamedBytes, WeightsInMemory

LAYERS = ("conv1", "relu1", "conv2", "relu2")


def torch_twin(seed: int = 0, ending: type[nn.Module] = nn.Identity) -> nn.Module:
    """Two convolutions with ReLUs, pooling and one linear layer, in float64; `ending` stands behind it."""
    torch.manual_seed(seed)
    last = ending(1) if ending is nn.Softmax else ending()
    net = nn.Sequential()
    net.add_module("conv1", nn.Conv2d(3, 4, 3))
    net.add_module("relu1", nn.ReLU())
    net.add_module("conv2", nn.Conv2d(4, 5, 3))
    net.add_module("relu2", nn.ReLU())
    for name, module in (("pool", nn.AdaptiveAvgPool2d(1)), ("flat", nn.Flatten()), ("fc", nn.Linear(5, 3)), ("end", last)):
        net.add_module(name, module)
    return net.double().eval()


class NumpyNetwork:
    """The same, by hand: forward and backward."""

    framework = "numpy by hand"
    gives = frozenset({"scores", "layers", "gradients"})
    refuses: Mapping[str, str] = {}
    signals = False
    channels = 1
    notes: tuple[str, ...] = ()

    def __init__(self, net: nn.Module, gradients: bool = True, layers: bool = True) -> None:
        self.p = {name: value.detach().numpy() for name, value in net.named_parameters()}
        self.convs = {name: (m.stride[0], int(m.padding[0])) for name, m in net.named_children() if isinstance(m, nn.Conv2d)}
        self.names = tuple(name for name, module in net.named_children() if isinstance(module, nn.Conv2d | nn.ReLU))
        self.softmax = isinstance([*net.children()][-1], nn.Softmax)
        self.gives = frozenset(["scores", *["layers"] * layers, *["gradients"] * gradients])
        self.passes = 0

    def _run(self, x: NDArray[Any], start: str = INPUT) -> dict[str, NDArray[Any]]:
        """All activations behind `start`, whose activation x is."""
        self.passes += 1
        done = {start: x}
        for before, name in zip((INPUT, *self.names), self.names, strict=False):
            if before in done:
                a = done[before]
                done[name] = _convolved(a, *self._weights(name), *self.convs[name]) if name in self.convs else a.clip(min=0)
        pooled = done[self.names[-1]].mean((2, 3))
        done["pool"], raw = pooled, pooled @ self.p["fc.weight"].T + self.p["fc.bias"]
        if self.softmax:
            e = np.exp(raw - raw.max(1, keepdims=True))
            raw = e / e.sum(1, keepdims=True)
        return {**done, "out": raw}

    def _weights(self, name: str) -> tuple[NDArray[Any], NDArray[Any]]:
        return self.p[f"{name}.weight"], self.p[f"{name}.bias"]

    def output(self, x: NDArray[Any]) -> NDArray[Any]:
        return self._run(x)["out"]

    def survey(self, x: NDArray[Any]) -> dict[str, LayerSight]:
        done = self._run(x)
        return {name: LayerSight(name[:-1], done[name].shape[1:]) for name in self.names}

    def emitted(self, x: NDArray[Any], layers: Sequence[str]) -> PassResult:
        done = self._run(x)
        return PassResult(None, {name: done[name] for name in layers})

    def traced(self, x: NDArray[Any], layers: Sequence[str], rule: Any) -> PassResult:
        done = self._run(x)

        def pull(back: NDArray[Any]) -> dict[str, NDArray[Any]]:
            each = [self._back(done, rows, rule) for rows in back]
            return {name: np.stack([g[name] for g in each]) for name in layers}

        return PassResult(done["out"], {name: done[name] for name in layers}, pull=pull)

    def _back(self, done: Mapping[str, NDArray[Any]], rows: NDArray[Any], rule: Any) -> dict[str, NDArray[Any]]:
        if self.softmax:
            rows = done["out"] * (rows - (rows * done["out"]).sum(1, keepdims=True))
        last = done[self.names[-1]]
        g = np.broadcast_to((rows @ self.p["fc.weight"])[:, :, None, None] / last[0, 0].size, last.shape)
        found = {self.names[-1]: g}
        for before, name in zip(reversed((INPUT, *self.names[:-1])), reversed(self.names), strict=True):
            if name not in self.convs:
                active = done[before] > 0
                g = rule(active, g) if rule else g * active
            else:
                g = _spread(g, self._weights(name)[0], done[before].shape, *self.convs[name])
            found[before] = g
        return found

    def linear_end(self, x: NDArray[Any], layers: Sequence[str]) -> LinearEnd:
        if self.softmax:
            raise NotApplicable("a softmax makes the scores.")
        done = self._run(x)
        return LinearEnd(PassResult(done["out"], {name: done[name] for name in layers}), self.p["fc.weight"], done["pool"])

    def behind(self, image: NDArray[Any], layer: str) -> Behind:
        return Behind(self._run(image[None])[layer][0], lambda edits: self._run(edits, layer)["out"])

    def versions(self) -> dict[str, str]:
        return {"by hand": "1"}

    def weights(self) -> WeightsInMemory:
        return WeightsInMemory((), lambda: (NamedBytes.of(name, array) for name, array in self.p.items()), ALWAYS)

    def conditions(self) -> dict[str, str]:
        return {"device": "cpu"}


def _convolved(a: NDArray[Any], w: NDArray[Any], b: NDArray[Any], stride: int, padding: int) -> NDArray[Any]:
    wide = np.pad(a, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    windows = sliding_window_view(wide, (3, 3), (2, 3))[:, :, ::stride, ::stride]
    return np.einsum("nchwij,ocij->nohw", windows, w, optimize=True) + b[:, None, None]


def _spread(g: NDArray[Any], w: NDArray[Any], shape: Sequence[int], stride: int, padding: int) -> NDArray[Any]:
    """The gradient toward what a convolution was given, of that shape, from the one toward what it emits."""
    n, c, height, width = shape
    wide = np.zeros((n, c, height + 2 * padding, width + 2 * padding), g.dtype)
    rows, columns = g.shape[2:]
    for i in range(3):
        for j in range(3):
            part = np.einsum("nohw,oc->nchw", g, w[:, :, i, j], optimize=True)
            wide[:, :, i : i + stride * rows : stride, j : j + stride * columns : stride] += part
    return wide[:, :, padding : padding + height, padding : padding + width]
