"""Incremental passes on signals, volumes and clips: whole networks against plain passes, and what they save."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torchvision
from torch import Tensor, nn
from torch.nn import functional as F

import seewhy
from seewhy.models.torch.variants.incremental import Incremental
from support.dimensions import NETS, of
from support.hiding import blank, calibrated, counted, same_scores


class Residual(nn.Module):
    """Depthwise and pointwise convolutions beside a way past them, added in place."""

    def __init__(self, d: int, c: int) -> None:
        super().__init__()
        conv, norm = of(d, "Conv"), of(d, "BatchNorm")
        self.body = nn.Sequential(conv(c, c, 3, 2, 1, groups=c, bias=False), norm(c), nn.ReLU(True), conv(c, c, 1), norm(c))
        self.past = nn.Sequential(of(d, "AvgPool")(2, 2, ceil_mode=True), conv(c, c, 1))

    def forward(self, x: Tensor) -> Tensor:
        x = self.body(x).add_(self.past(x))
        return F.relu(x, inplace=True)


class Branches(nn.Module):
    """Ways of differing reach, side by side; one half of the channels goes on as it is."""

    def __init__(self, d: int, c: int) -> None:
        super().__init__()
        conv = of(d, "Conv")
        self.far = nn.Sequential(conv(c // 2, c // 4, 3, padding="same", dilation=2), nn.SiLU())
        self.pool = nn.Sequential(of(d, "MaxPool")(3, 1, 1), conv(c // 2, c // 4, 1), nn.Hardswish())

    def forward(self, x: Tensor) -> Tensor:
        kept, rest = x.chunk(2, 1)
        return torch.cat([kept, self.far(rest), self.pool(rest)], 1)


class Gate(nn.Module):
    """Squeeze and excitation: every place looks at all."""

    def __init__(self, d: int, c: int) -> None:
        super().__init__()
        self.weigh = nn.Sequential(of(d, "AdaptiveAvgPool")(1), of(d, "Conv")(c, c, 1), nn.Sigmoid())

    def forward(self, x: Tensor) -> Tensor:
        return x * self.weigh(x)


class Upsampled(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x + F.interpolate(F.max_pool1d(x, 2) if x.ndim == 3 else F.max_pool3d(x, 2), x.shape[2:])


NEAR: dict[str, Callable[[int], nn.Module]] = {  # all on boxes
    "plain": lambda d: nn.Sequential(of(d, "Conv")(8, 8, 3, padding=1), of(d, "MaxPool")(2), nn.GELU()),
    "residual": lambda d: Residual(d, 8),
    "branches": lambda d: Branches(d, 8),
    "padded": lambda d: nn.Sequential(of(d, "ConstantPad")((1, 2) * d, 0.5), of(d, "Conv")(8, 8, 4), of(d, "Dropout")(0.5)),
}
FAR: dict[str, Callable[[int], nn.Module]] = {  # in full from there on
    "gate": lambda d: Gate(d, 8),
    "mirrored": lambda d: of(d, "Conv")(8, 8, 3, padding=1, padding_mode="replicate"),
    "instance norm": lambda d: of(d, "InstanceNorm")(8),
    "group norm": lambda d: nn.GroupNorm(2, 8),
    "transposed": lambda d: of(d, "ConvTranspose")(8, 8, 2, stride=2),
    "upsampled": lambda d: Upsampled(),
    "adaptive": lambda d: of(d, "AdaptiveMaxPool")(3),
}
SPACE = {1: (61,), 3: (14, 12, 17)}
AT = {1: torch.tensor([[0], [30], [55], [7]]), 3: torch.tensor([[0, 0, 0], [8, 6, 11], [3, 0, 11], [5, 5, 5]])}


def whole(d: int, middle: nn.Module, conv: bool = False) -> tuple[nn.Module, Tensor]:
    """The middle between a convolution and a linear layer, or (conv) a convolution that sums everything up."""
    torch.manual_seed(0)
    head = [of(d, "Conv")(8, 3, 1), nn.Flatten(2), Total()] if conv else [nn.Flatten(), nn.LazyLinear(3)]
    network = nn.Sequential(of(d, "Conv")(2, 8, 3, 1, 1), of(d, "BatchNorm")(8), nn.ReLU(True), middle, *head).double()
    x = torch.randn(2, 2, *SPACE[d], dtype=torch.float64)
    with torch.no_grad():
        network.eval()(x)
    return calibrated(network, x), x[:1]


class Total(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.sum(2)


@pytest.mark.parametrize("d", SPACE)
@pytest.mark.parametrize("name", [*NEAR, *FAR])
def test_any_part_in_one_and_three_dimensions(name: str, d: int) -> None:
    network, x = whole(d, {**NEAR, **FAR}[name](d))
    same_scores(network, x, AT[d], 6, apart=1e-3)


@pytest.mark.parametrize("d", SPACE)
@pytest.mark.parametrize("name", NEAR)
def test_what_looks_only_near_is_done_on_boxes(name: str, d: int) -> None:
    network, x = whole(d, NEAR[name](d), conv=True)
    passes = Incremental(network, x)
    passes(blank(x, AT[d], 3), AT[d])
    boxes = counted(lambda: passes(blank(x, AT[d], 3), AT[d])).products
    assert boxes < 0.6 * counted(lambda: network(x)).products * len(AT[d])


@pytest.mark.parametrize("name", ["r3d_18", "mc3_18", "r2plus1d_18"])
def test_networks_for_clips(name: str) -> None:
    """The windows of occlusion's default, of 16 frames of 112 x 112 pixels; on shapes alone."""
    with torch.device("meta"):
        network, x = torchvision.models.get_model(name, weights=None).eval(), torch.empty(1, 3, 16, 112, 112)
    shown, places = Incremental(network, x), [[t, y, x] for t in (0, 6, 12) for y in (0, 42, 84) for x in range(0, 85, 14)]
    shown(x.new_zeros(1, 3, 4, 28, 28), torch.tensor(places[:1]))
    at = torch.tensor(places)
    work = sum(counted(lambda row=row: shown(x.new_zeros(7, 3, 4, 28, 28), row)).products for row in at.split(7))
    assert len(at) * counted(lambda: network(x)).products / work > 1.5


def test_a_small_network_for_clips_gives_the_same() -> None:
    torch.manual_seed(0)
    video: Any = torchvision.models.video.resnet
    network = video.VideoResNet(video.BasicBlock, [video.Conv3DSimple] * 4, [1] * 4, video.BasicStem, num_classes=4)
    x = torch.randn(2, 3, 6, 24, 20, dtype=torch.float64)
    same_scores(calibrated(network, x), x[:1], torch.tensor([[0, 0, 0], [2, 16, 12], [1, 5, 12]]), 4, apart=1e-4)


@pytest.mark.parametrize("name", ["recurrent", "tokens 1-D", "tokens 3-D"])
def test_what_mixes_places_is_right_and_says_nothing(name: str) -> None:
    """Recurrent networks and transformers go on in full: no short cut, and no wrong one."""
    net = NETS[name]
    x = torch.tensor(net.images[:1])
    at = torch.tensor([[0] * len(net.space), [2] * len(net.space)])
    same_scores(net.network, x, at, 2, apart=1e-6)
    (m,) = seewhy.occlusion(seewhy.wrap(net.network), x, target=0, window=2)
    assert not [note for note in m.source.warnings if "whole network" in note]
