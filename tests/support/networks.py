"""Small networks, one per habit of real ones: seeded, float64, in eval mode, with maps that are not empty.

Layers are called conv1, act1, conv2, act2, pool, flat, fc where they exist; images are (n, 3, h, w).  The fully convolutional
ones take any size of at least 4 x 4; flat_head, linear_flat_head, tokens and lstm_head the one they are made for, SIDES if not
said otherwise.
"""

from collections import OrderedDict
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

SIDES = (12, 16)  # (h, w) of the images, if not said otherwise
CLASSES = 5
PATCH = 4  # pixels across a token


def images(n: int = 2, h: int = SIDES[0], w: int = SIDES[1], seed: int = 0) -> NDArray[np.float64]:
    """(n, 3, h, w): noise around a bright patch that lies elsewhere in each image."""
    rng = np.random.default_rng([seed, h, w])
    x = rng.normal(0, 0.5, (n, 3, h, w))
    for one in x:
        top, left = rng.integers(0, h // 2 + 1), rng.integers(0, w // 2 + 1)
        one[:, top : top + h // 2, left : left + w // 2] += rng.normal(1, 0.5, (3, 1, 1))
    return x


def made(build: Callable[[], nn.Module], seed: int, h: int = SIDES[0], w: int = SIDES[1]) -> nn.Module:
    """A network with weights drawn under `seed`, twice as bold as torch's, its last bias such that images differ in class."""
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.default_generator.manual_seed(seed)  # torch.manual_seed keeps a stack of this call for each kind of device
        network = build()
        for parameter in network.parameters():
            if parameter.ndim > 1:
                parameter.mul_(2)
        network.double().eval()
        linears = [module for module in network.modules() if isinstance(module, nn.Linear)]
        for last in linears[-1:]:
            last.bias -= network(torch.tensor(images(8, h, w, seed=99))).mean(0)
        return network


def stack(*layers: tuple[str, nn.Module]) -> nn.Sequential:
    return nn.Sequential(OrderedDict(layers))


def convs(act1: nn.Module, act2: nn.Module, channels: int = 8) -> list[tuple[str, nn.Module]]:
    """(n, 3, h, w) -> (n, channels, h / 2, w / 2)"""
    return [
        ("conv1", nn.Conv2d(3, 6, 3, padding=1)),
        ("act1", act1),
        ("conv2", nn.Conv2d(6, channels, 3, stride=2, padding=1)),
        ("act2", act2),
    ]


def gap(channels: int = 8) -> list[tuple[str, nn.Module]]:
    return [("pool", nn.AdaptiveAvgPool2d(1)), ("flat", nn.Flatten()), ("fc", nn.Linear(channels, CLASSES))]


def pooled(seed: int = 0) -> nn.Module:
    """conv, ReLU, conv, ReLU, global average pooling, linear: CAM exists."""
    return made(lambda: stack(*convs(nn.ReLU(), nn.ReLU()), *gap()), seed)


def inplace(seed: int = 0) -> nn.Module:
    """`pooled`, weight for weight, but its ReLUs overwrite what the convolutions emitted."""
    return made(lambda: stack(*convs(nn.ReLU(inplace=True), nn.ReLU(inplace=True)), *gap()), seed)


def relu6(seed: int = 0) -> nn.Module:
    """Clamped at 6, which some units reach."""

    def build() -> nn.Module:
        network = stack(*convs(nn.ReLU6(), nn.ReLU6()), *gap())
        network.conv1.weight.mul_(4)
        network.conv2.weight.mul_(2)
        return network

    return made(build, seed)


def signed_features(seed: int = 0) -> nn.Module:
    """SiLU before the pooling, so what is pooled has both signs."""
    return made(lambda: stack(*convs(nn.SiLU(), nn.SiLU()), *gap()), seed)


def dead_channels(seed: int = 0) -> nn.Module:
    """`pooled`, but channels 1, 4 and 6 of act2 are zero for every image."""

    def build() -> nn.Module:
        network = stack(*convs(nn.ReLU(), nn.ReLU()), *gap())
        network.conv2.weight[[1, 4, 6]] = 0
        network.conv2.bias[[1, 4, 6]] = -1
        return network

    return made(build, seed)


def flat_head(seed: int = 0, h: int = SIDES[0], w: int = SIDES[1]) -> nn.Module:
    """VGG-like: two fully connected layers with a ReLU between, which see every place apart."""

    def build() -> nn.Module:
        hidden = nn.Linear(8 * (h // 2) * (w // 2), 12)
        head = [("flat", nn.Flatten()), ("fc1", hidden), ("act3", nn.ReLU()), ("fc2", nn.Linear(12, CLASSES))]
        return stack(*convs(nn.ReLU(), nn.ReLU()), *head)

    return made(build, seed, h, w)


def linear_flat_head(seed: int = 0, h: int = SIDES[0], w: int = SIDES[1]) -> nn.Module:
    """One linear layer over every place apart: an affine head without pooling."""

    def build() -> nn.Module:
        head = [("flat", nn.Flatten()), ("fc", nn.Linear(8 * (h // 2) * (w // 2), CLASSES))]
        return stack(*convs(nn.ReLU(), nn.ReLU()), *head)

    return made(build, seed, h, w)


def pointwise_head(seed: int = 0) -> nn.Module:
    """A 1 x 1 convolution behind the pooling in the place of the linear layer: CAM exists."""

    def build() -> nn.Module:
        head = [("pool", nn.AdaptiveAvgPool2d(1)), ("fc", nn.Conv2d(8, CLASSES, 1)), ("flat", nn.Flatten())]
        return stack(*convs(nn.ReLU(), nn.ReLU()), *head)

    return made(build, seed)


def squeezed(seed: int = 4) -> nn.Module:
    """SqueezeNet-like: a convolution makes class maps, then come a ReLU and the pooling.  CAM does not exist."""

    def build() -> nn.Module:
        class_maps = [("conv3", nn.Conv2d(8, CLASSES, 1)), ("act3", nn.ReLU())]
        return stack(*convs(nn.ReLU(), nn.ReLU()), *class_maps, ("pool", nn.AdaptiveAvgPool2d(1)), ("flat", nn.Flatten()))

    return made(build, seed)


class Reused(nn.Module):
    """One ReLU module, called three times."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 6, 3, padding=1)
        self.conv2 = nn.Conv2d(6, 8, 3, stride=2, padding=1)
        self.conv3 = nn.Conv2d(8, 8, 3, padding=1)
        self.act = nn.ReLU()
        self.fc = nn.Linear(8, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        x = self.act(self.conv1(x))
        x = self.act(self.conv2(x))
        return self.fc(self.act(self.conv3(x)).mean((2, 3)))


class Shifted(nn.Module):
    """`pooled`, of two inputs: the second is added to the first."""

    def __init__(self) -> None:
        super().__init__()
        self.body = pooled()

    def forward(self, x, shift):
        return self.body(x + shift)


def reused(seed: int = 0) -> nn.Module:
    return made(Reused, seed)


class Functional(nn.Module):
    """`pooled`, weight for weight, with functional ReLUs: `features` emits what DenseNet's does, before its ReLU."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 6, 3, padding=1)
        self.conv2 = nn.Conv2d(6, 8, 3, stride=2, padding=1)
        self.fc = nn.Linear(8, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.conv2(F.relu(self.conv1(x))))
        return self.fc(x.mean((2, 3)))


def functional(seed: int = 0) -> nn.Module:
    return made(Functional, seed)


class FunctionalDropout(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return F.dropout(x, 0.5, self.training)


def bn_dropout(seed: int = 0) -> nn.Module:
    """Batch normalisation whose statistics are no identity, and dropout as a module and as a function."""

    def build() -> nn.Module:
        norms = [nn.BatchNorm2d(6), nn.BatchNorm2d(8)]
        for norm in norms:
            for numbers, low, high in ((norm.running_mean, -0.3, 0.3), (norm.running_var, 0.2, 2), (norm.weight, 0.5, 2)):
                nn.init.uniform_(numbers, low, high)
            nn.init.uniform_(norm.bias, -0.5, 0.5)
        conv1, act1, conv2, act2 = convs(nn.ReLU(), nn.ReLU())
        pool, flat, fc = gap()
        before = [conv1, ("bn1", norms[0]), act1, ("drop1", nn.Dropout2d(0.4)), conv2, ("bn2", norms[1]), act2]
        return stack(*before, pool, flat, ("drop2", FunctionalDropout()), fc)

    return made(build, seed)


class Block(nn.Module):
    """Attention over tokens, then a two-layer perceptron, each added to what came in."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.qkv(self.norm1(x)).chunk(3, -1)
        x = x + self.proj(F.scaled_dot_product_attention(q, k, v))
        return x + self.mlp(self.norm2(x))


class Tokens(nn.Module):
    """A vision transformer: patches behind a class token, which alone the scores are read from."""

    def __init__(self, patches: int, width: int = 12) -> None:
        super().__init__()
        self.patch = nn.Conv2d(3, width, PATCH, stride=PATCH)
        self.cls = nn.Parameter(torch.randn(1, 1, width))
        self.where = nn.Parameter(torch.randn(1, 1 + patches, width) / 2)
        self.block1, self.block2 = Block(width), Block(width)
        self.norm = nn.LayerNorm(width)
        self.fc = nn.Linear(width, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        patches = self.patch(x).flatten(2).transpose(1, 2)  # (n, patches, width)
        tokens = torch.cat([self.cls.expand(len(x), -1, -1), patches], 1) + self.where
        return self.fc(self.norm(self.block2(self.block1(tokens)))[:, 0])


def tokens(seed: int = 0, h: int = SIDES[0], w: int = SIDES[1]) -> nn.Module:
    return made(lambda: Tokens((h // PATCH) * (w // PATCH)), seed, h, w)


class Nhwc(nn.Module):
    """Blocks that emit (n, h, w, c), as those of Swin do."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 6, 2, stride=2)
        self.block1 = nn.Sequential(nn.LayerNorm(6), nn.Linear(6, 10), nn.GELU())
        self.block2 = nn.Sequential(nn.LayerNorm(10), nn.Linear(10, 10), nn.ReLU())
        self.fc = nn.Linear(10, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        x = self.block1(self.stem(x).movedim(1, -1))  # (n, h / 2, w / 2, 10)
        return self.fc((x + self.block2(x)).mean((1, 2)))


def nhwc(seed: int = 0) -> nn.Module:
    return made(Nhwc, seed)


class LstmHead(nn.Module):
    """The rows of the feature map are read from top to bottom; the scores come from what is remembered at the end."""

    def __init__(self, w: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 6, 3, padding=1)
        self.act1 = nn.ReLU()
        self.lstm = nn.LSTM(6 * w, 7, batch_first=True)
        self.fc = nn.Linear(7, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        a = self.act1(self.conv1(x))
        rows = a.permute(0, 2, 1, 3).flatten(2)  # (n, h, c * w)
        return self.fc(self.lstm(rows)[0][:, -1])


def lstm_head(seed: int = 2, h: int = SIDES[0], w: int = SIDES[1]) -> nn.Module:
    return made(lambda: LstmHead(w), seed, h, w)


class Gives(nn.Module):
    """A network that returns its scores in some container."""

    def __init__(self, network, pack):
        super().__init__()
        self.network, self.pack = network, pack

    def forward(self, x):
        return self.pack(self.network(x))
