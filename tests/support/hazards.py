"""One network for each hazard that the doctor names."""

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import seewhy
from seewhy.diagnosis.doctor import Report, doctor
from support import networks

X = networks.images(1)


def seen(network: nn.Module, x=X, **settings) -> Report:
    return doctor(seewhy.wrap(network, **settings), x)


def hazards(report: Report) -> dict:
    return {hazard.name: hazard for hazard in report.hazards}


class Around(nn.Module):
    """`pooled`, and something done before or behind it."""

    def __init__(self, before=None, behind=None) -> None:
        super().__init__()
        self.inner = networks.pooled()
        self.before, self.behind = before, behind

    def forward(self, x: Tensor) -> Tensor:
        x = x if self.before is None else self.before(x)
        x = self.inner(x)
        return x if self.behind is None else self.behind(x)


class Halved(nn.Module):
    """A backbone under no_grad, and a head."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.head = networks.pooled()[:4], networks.pooled()[4:]

    def forward(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            a = self.body(x)
        return self.head(a)


def changed(change) -> nn.Module:
    network = networks.pooled()
    with torch.no_grad():
        change(network)
    return network


def trained(network: nn.Module, name: str) -> nn.Module:
    network.get_submodule(name).train()
    return network


HAS = {  # hazard: a network that has it, its severity, what is said, where
    "in-place": (networks.inplace, "note", "2 layers", ("conv1 by act1", "conv2 by act2")),
    "functional-relu": (networks.functional, "note", "2 of 2 ReLUs", ()),
    "no-relu": (networks.signed_features, "note", "2 SiLU", ()),
    "normalised": (lambda: Around(behind=lambda s: s.softmax(1)), "warning", "softmax", ()),
    "train-mode": (lambda: networks.bn_dropout().train(), "warning", "2 BatchNorm and 1 dropout", ("bn1", "bn2", "drop1")),
    "frozen": (lambda: networks.pooled().requires_grad_(False), "note", "6 of 6", ()),
    "cut": (Halved, "warning", "no gradient reaches the image", ()),
    "nan-weights": (lambda: changed(lambda n: n.conv2.bias[0].fill_(np.nan)), "error", "NaN", ("conv2.bias",)),
    "nan": (lambda: changed(lambda n: n.conv2.weight.fill_(1e308)), "error", "first at conv2", ("conv2",)),
    "non-deterministic": (lambda: Around(lambda x: F.dropout(x, 0.5, True)), "warning", "two passes", ()),
    "mixed-batch": (lambda: Around(lambda x: x - x.mean(0)), "warning", "others in the batch", ()),
    "one-at-a-time": (lambda: Around(behind=lambda s: s.reshape(1, 5)), "note", "one image", ()),
    "half-precision": (lambda: networks.pooled().bfloat16(), "note", "bfloat16", ()),
    "zero-head": (lambda: changed(lambda n: n.fc.weight.zero_()), "warning", "all zero", ()),
    "repeated": (networks.reused, "note", "1 layer runs several", ("act (3 times)",)),
    "compiled": (lambda: Around(behind=torch.compile(nn.Identity(), backend="eager")), "note", "compiled", ()),
}  # fmt: skip
