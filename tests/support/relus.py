"""One small network whose ReLUs are written in many ways, led back by hand, and what seewhy makes of it."""

import torch
from torch import nn
from torch.nn import functional as F

import seewhy
from support import ask, networks
from support.references import pixels as by_hand

X = networks.images(2, 6, 8, seed=3)
K = networks.CLASSES
ALL = list(range(K))
METHODS = {"guided": "guided-backprop", "deconv": "deconvnet"}


class Written(nn.Module):
    """conv, ReLU, conv, ReLU, pooling, linear; `write` is how the ReLU is written."""

    def __init__(self, write) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(3, 6, 3, padding=1), nn.Conv2d(6, 8, 3, stride=2, padding=1)
        self.fc, self.write = nn.Linear(8, K), write

    def forward(self, x):
        x = self.write(self.conv1(x))
        return self.fc(self.write(self.conv2(x)).mean((2, 3)))


class Mixed(Written):
    """A ReLU first, and `write` second."""

    def forward(self, x):
        x = F.relu(self.conv1(x))
        return self.fc(self.write(self.conv2(x)).mean((2, 3)))


def written(write, bold=1.0, kind=Written):
    """Weight for weight the same network whatever is written."""
    network = kind(write).double().eval()
    network.load_state_dict(networks.made(lambda: Written(nn.ReLU()), 0).state_dict(), strict=False)
    with torch.no_grad():
        network.conv1.weight.mul_(bold)
        network.conv2.weight.mul_(bold)
    return network


def mixed(write):
    return written(write, kind=Mixed)


def steps(network, first, second=None):
    """Its way by hand."""
    conv1, conv2, fc = (by_hand.step_of(module, "plain") for module in (network.conv1, network.conv2, network.fc))
    return [conv1, first, conv2, second or first, by_hand.mean(), by_hand.flat(), fc]


def expected(way, x=X):
    """(t, n, c, h, w)"""
    return by_hand.several(way, x, ALL, K)


def found(network, rule, targets=ALL, x=X):
    """(t, n, c, h, w) in the network's own precision."""
    return ask.run(METHODS[rule], ask.case(network, x, targets))["input"]


def plain(network, x=X):
    return ask.run("gradient", ask.case(network, x, ALL, pixels=True))["input"]


def warned(network, rule="guided"):
    method = seewhy.METHODS[METHODS[rule]]
    return " ".join(method(seewhy.wrap(network), X, target=0)[0].source.warnings)


def statement(write):
    """A call for what it does to x, whose result is dropped."""

    def over(x):
        write(x)
        return x

    return over
