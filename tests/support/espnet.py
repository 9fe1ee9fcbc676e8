"""ESPNetv2 for segmentation, s = 2.0, 21 classes, written from its paper: Mehta et al. 2019, with the pyramid decoder
of its authors' EdgeNets.  Names follow the checkpoint of ../shared/data/models/espnetv2-voc.
"""

from math import ceil, gcd
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

CHANNELS = (32, 128, 256, 512)
RECEPTIVE = (13, 11, 9, 7)  # the largest kernel that the dilations of a level stand for
SCALES = (2.0, 1.5, 1.0, 0.5, 0.1)


def conv(before: int, behind: int, size: int = 1, stride: int = 1, groups: int = 1, dilation: int = 1) -> nn.Conv2d:
    padding = (size - 1) // 2 * dilation
    return nn.Conv2d(before, behind, size, stride, padding, dilation, groups, bias=False)


def named(**parts: nn.Module) -> nn.Sequential:
    """Modules one after the other, by name."""
    made = nn.Sequential()
    for name, part in parts.items():
        made.add_module(name, part)
    return made


def cbr(before: int, behind: int, size: int = 1, stride: int = 1, groups: int = 1) -> nn.Sequential:
    return named(conv=conv(before, behind, size, stride, groups), bn=nn.BatchNorm2d(behind), act=nn.PReLU(behind))


class Eesp(nn.Module):
    """Depthwise dilated convolutions of growing reach, each added to the one before."""

    def __init__(self, before: int, behind: int, stride: int, receptive: int) -> None:
        super().__init__()
        n = behind // 4
        sizes = sorted(3 + 2 * i if 3 + 2 * i <= receptive else 3 for i in range(4))
        self.stride = stride
        self.proj_1x1 = cbr(before, n, groups=4)
        dilations = ((size - 1) // 2 for size in sizes)
        self.spp_dw = nn.ModuleList(named(conv=conv(n, n, 3, stride, n, d)) for d in dilations)
        self.br_after_cat = named(bn=nn.BatchNorm2d(behind), act=nn.PReLU(behind))
        self.conv_1x1_exp = named(conv=conv(behind, behind, groups=4), bn=nn.BatchNorm2d(behind))
        self.module_act = nn.PReLU(behind)

    def forward(self, x: Tensor) -> Tensor:
        projected = self.proj_1x1(x)
        parts = [self.spp_dw[0](projected)]
        for branch in self.spp_dw[1:]:
            parts.append(branch(projected) + parts[-1])
        expanded = self.conv_1x1_exp(self.br_after_cat(torch.cat(parts, 1)))
        if self.stride == 2:
            return expanded
        return self.module_act(expanded + x if expanded.shape == x.shape else expanded)


class Down(nn.Module):
    """Half the size, with the image itself put in again."""

    def __init__(self, before: int, behind: int, receptive: int) -> None:
        super().__init__()
        self.eesp = Eesp(before, behind - before, 2, receptive)
        self.inp_reinf = nn.Sequential(cbr(3, 3, 3), named(conv=conv(3, behind), bn=nn.BatchNorm2d(behind)))
        self.act = nn.PReLU(behind)

    def forward(self, x: Tensor, image: Tensor) -> Tensor:
        average = F.avg_pool2d(x, 3, 2, 1)
        while image.shape[2] != average.shape[2]:
            image = F.avg_pool2d(image, 3, 2, 1)
        return self.act(torch.cat([average, self.eesp(x)], 1) + self.inp_reinf(image))


class Encoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.level1 = cbr(3, CHANNELS[0], 3, 2)
        self.level2_0 = Down(*CHANNELS[0:2], RECEPTIVE[0])
        self.level3_0 = Down(*CHANNELS[1:3], RECEPTIVE[1])
        self.level3 = nn.ModuleList(Eesp(CHANNELS[2], CHANNELS[2], 1, RECEPTIVE[2]) for _ in range(3))
        self.level4_0 = Down(*CHANNELS[2:4], RECEPTIVE[2])
        self.level4 = nn.ModuleList(Eesp(CHANNELS[3], CHANNELS[3], 1, RECEPTIVE[3]) for _ in range(7))

    def forward(self, image: Tensor) -> list[Tensor]:
        first = self.level1(image)
        second = self.level2_0(first, image)
        third = self.level3_0(second, image)
        for block in self.level3:
            third = block(third)
        fourth = self.level4_0(third, image)
        for block in self.level4:
            fourth = block(fourth)
        return [first, second, third, fourth]


class Wrapped(nn.Module):
    """Modules under one more name, as the checkpoint has them."""

    def __init__(self, name: str, *parts: nn.Module) -> None:
        super().__init__()
        self.parts = name
        self.add_module(name, nn.Sequential(*parts))

    def forward(self, x: Tensor) -> Tensor:
        return getattr(self, self.parts)(x)


def wrapped_cbr(before: int, behind: int, size: int = 1, groups: int = 1) -> Wrapped:
    return Wrapped("cbr", conv(before, behind, size, 1, groups), nn.BatchNorm2d(behind), nn.PReLU(behind))


def wrapped_br(channels: int) -> Wrapped:
    return Wrapped("br", nn.BatchNorm2d(channels), nn.PReLU(channels))


class Pyramid(nn.Module):
    """The same map filtered at several sizes."""

    def __init__(self, before: int, behind: int, last: bool = False) -> None:
        super().__init__()
        planes, many = 10, 10 * len(SCALES)
        self.stages = nn.ModuleList(conv(planes, planes, 3, 1, planes) for _ in SCALES)
        self.projection_layer = wrapped_cbr(before, planes)
        merge = [wrapped_br(many), nn.ChannelShuffle(len(SCALES)), wrapped_cbr(many, planes, 3, planes)]
        self.merge_layer = nn.Sequential(*merge, nn.Conv2d(planes, behind, 1, bias=last))
        self.br = nn.Identity() if last else wrapped_br(behind)

    def forward(self, x: Tensor) -> Tensor:
        x = self.projection_layer(x)
        size, parts = x.shape[-2:], []
        for stage, scale in zip(self.stages, SCALES, strict=True):
            sides: Any = tuple(max(ceil(side * scale), 5) for side in size)
            if scale < 1:
                parts.append(resized(stage(F.adaptive_avg_pool2d(x, sides)), size))
            elif scale > 1:
                parts.append(F.adaptive_avg_pool2d(stage(resized(x, sides)), size))
            else:
                parts.append(stage(x))
        return self.br(self.merge_layer(torch.cat(parts, 1)))


def resized(x: Tensor, size: Any) -> Tensor:
    return F.interpolate(x, size, mode="bilinear", align_corners=True)


class Merge(nn.Module):
    """Channels of the encoder, weighted by their averages."""

    def __init__(self, before: int, behind: int) -> None:
        super().__init__()
        self.wt_layer = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(before, behind, 1, bias=False), nn.Sigmoid())
        self.expansion_layer = wrapped_cbr(before, behind, 3, gcd(before, behind))

    def forward(self, x: Tensor) -> Tensor:
        return self.expansion_layer(x) * self.wt_layer(x)


class EspNetV2(nn.Module):
    """(n, 3, h, w) -> (n, 21, h, w)"""

    def __init__(self) -> None:
        super().__init__()
        self.base_net = Encoder()
        planes = (64, 48, 32, 21)
        for i, (before, behind) in enumerate(zip((CHANNELS[3], *planes), planes, strict=False), 1):
            self.add_module(f"bu_dec_l{i}", Pyramid(before, behind, last=i == 4))
        for i, before in enumerate(reversed(CHANNELS[:3]), 2):
            self.add_module(f"merge_enc_dec_l{i}", Merge(before, planes[i - 2]))
            self.add_module(f"bu_br_l{i}", nn.Sequential(nn.BatchNorm2d(planes[i - 2]), nn.PReLU(planes[i - 2])))

    def forward(self, image: Tensor) -> Tensor:
        first, second, third, fourth = self.base_net(image)
        x = self.bu_dec_l1(fourth)
        for i, skipped in enumerate((third, second, first), 2):
            x = resized(x, skipped.shape[-2:]) + getattr(self, f"merge_enc_dec_l{i}")(skipped)
            x = getattr(self, f"bu_dec_l{i}")(getattr(self, f"bu_br_l{i}")(x))
        return resized(x, image.shape[-2:])
