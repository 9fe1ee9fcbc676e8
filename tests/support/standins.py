"""A network with dropout and BatchNorm, and what methods find in it."""

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

import seewhy
from support import networks

X = networks.images(2, 12, 12, seed=3).astype(np.float32)


class Plain(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.norm, self.conv2 = nn.Conv2d(3, 6, 3), nn.BatchNorm2d(6), nn.Conv2d(6, 6, 3)
        self.drop, self.fc = nn.Dropout(0.5), nn.Linear(6, 4)

    def middle(self, x):
        return F.dropout(self.norm(self.conv(x)).relu(), 0.5, self.training)

    def forward(self, x):
        return self.fc(self.drop(self.conv2(self.middle(x)).relu().mean((2, 3))))


ASK = ("grad-cam", "eigen-cam", "gradient", "ablation-cam", "occlusion")


def values(network):
    few = {"occlusion": {"window": 6, "stride": 6}}
    return [
        m.values for name in ASK for m in seewhy.METHODS[name].using(**few.get(name, {}))(seewhy.wrap(network), X, target=1)
    ]


def made(kind):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return kind()
