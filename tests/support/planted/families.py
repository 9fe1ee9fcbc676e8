"""Planted networks that are known families in small: U-Net, pyramids, MaxViT, MViT, CaiT, DETR, pruned tokens and others."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .judge import DRAWN, HONEST, UNKNOWN, Planted
from .maps import SQUARE, before, between
from .parts import Attention, Beside, conv, patches, pooled, rows, steps
from .rows import C, tokens, unwindowed, windowed


class UNet(nn.Module):
    """Down by two, up again, joined with what was there before."""

    def __init__(self, c: int, up: nn.Module) -> None:
        super().__init__()
        self.down, self.up, self.join = nn.Conv2d(c, c, 2, stride=2), up, nn.Conv2d(2 * c, c, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.join(torch.cat([x, self.up(self.down(x))], 1))


class Pyramid(nn.Module):
    """Means over coarse grids, enlarged and put beside the map, as in PSPNet."""

    def __init__(self, c: int) -> None:
        super().__init__()
        self.join = nn.Conv2d(3 * c, c, 1)

    def forward(self, x: Tensor) -> Tensor:
        coarse = [F.interpolate(F.adaptive_avg_pool2d(x, k), x.shape[2:], mode="bilinear") for k in (1, 2)]
        return self.join(torch.cat([x, *(0.1 * each for each in coarse)], 1))


class Shifted(nn.Module):
    """A third of the channels one cell down, a third one cell to the right, as in S2-MLP."""

    def forward(self, x: Tensor) -> Tensor:
        out = x.clone()
        out[:, :2, 1:], out[:, 2:4, :, 1:] = x[:, :2, :-1], x[:, 2:4, :, :-1]
        return out


class Neighbours(nn.Module):
    """A weighted mean over the 3 x 3 neighbours of each cell, unfolded, as in involution and local attention."""

    def forward(self, x: Tensor) -> Tensor:
        n, c, h, w = x.shape
        around = F.unfold(x, 3, padding=1).view(n, c, 9, h, w)
        return (around * x.mean(1, keepdim=True)[:, :, None].softmax(2)).mean(2)


class Halves(nn.Module):
    """The image in four interleaved parts as channels, as YOLOv5 begins."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x[..., ::2, ::2], x[..., 1::2, ::2], x[..., ::2, 1::2], x[..., 1::2, 1::2]], 1)


class Grid(nn.Module):
    """Attention among cells that lie far apart, as in MaxViT; (n, h, w, c)."""

    def __init__(self, c: int) -> None:
        super().__init__()
        self.attn = Attention(c)

    def forward(self, x: Tensor) -> Tensor:
        n, h, w, c = x.shape
        apart = x.view(n, 4, h // 4, 4, w // 4, c).permute(0, 2, 4, 1, 3, 5).reshape(-1, 16, c)
        back = self.attn(apart).view(n, h // 4, w // 4, 4, 4, c).permute(0, 3, 1, 4, 2, 5).reshape(n, h, w, c)
        return x + back


class Merging(nn.Module):
    """Rows of tokens merged two by two, as in Swin; (n, l, c) -> (n, l / 4, c)."""

    def __init__(self, c: int, h: int, w: int) -> None:
        super().__init__()
        self.size, self.reduce = (h, w), nn.Linear(4 * c, c)

    def forward(self, x: Tensor) -> Tensor:
        x = x.unflatten(1, self.size)
        return self.reduce(torch.cat([x[:, i::2, j::2] for j in (0, 1) for i in (0, 1)], -1).flatten(1, 2))


class PooledQueries(nn.Module):
    """An attention whose queries are pooled, a class token going its own way, as in MViT."""

    def __init__(self, c: int, h: int, w: int) -> None:
        super().__init__()
        self.size, self.pool, self.attn = (h, w), nn.MaxPool2d(2), Attention(c)

    def forward(self, x: Tensor) -> Tensor:
        pooled = torch.cat([x[:, :1], rows(self.pool(x[:, 1:].transpose(1, 2).unflatten(2, self.size)))], 1)
        return pooled + self.attn(pooled, x)


class ClassAtTheEnd(nn.Module):
    """Patches alone, then a class token that looks at them, as in CaiT."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.look, self.head = patches(C), Attention(C), nn.Linear(C, 2)
        self.block = nn.Sequential(nn.Linear(C, C), nn.GELU())
        self.token = nn.Parameter(torch.zeros(1, 1, C))

    def forward(self, x: Tensor) -> Tensor:
        x = self.block(rows(self.stem(x)))
        token = self.token.expand(len(x), -1, -1)
        return self.head((token + self.look(token, torch.cat([token, x], 1)))[:, 0])


class Detector(nn.Module):
    """An encoder of tokens, and queries that look at them, (l, n, c) or (n, l, c), as in DETR."""

    def __init__(self, first: bool) -> None:
        super().__init__()
        more: dict[str, Any] = {"dim_feedforward": 8, "dropout": 0.0, "norm_first": True, "batch_first": first}
        self.stem, self.first = patches(8), first
        self.encoder, self.decoder = nn.TransformerEncoderLayer(8, 2, **more), nn.TransformerDecoderLayer(8, 2, **more)
        self.queries, self.head = nn.Parameter(torch.ones(12, 1, 8)), nn.Linear(8, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.encoder(rows(self.stem(x)) if self.first else self.stem(x).flatten(2).permute(2, 0, 1))
        queries = self.queries.expand(-1, x.shape[0 if self.first else 1], -1)
        found = self.decoder(queries.transpose(0, 1) if self.first else queries, x)
        return self.head(found.mean(1 if self.first else 0) + 10 * x.mean(1 if self.first else 0))


def pruned(x: Tensor) -> Tensor:
    """The brightest half of the tokens, as in DynamicViT."""
    chosen = x.mean(2).topk(x.shape[1] // 2, 1).indices
    return x.gather(1, chosen[..., None].expand(-1, -1, x.shape[2]))


def coordinates(x: Tensor) -> Tensor:
    """Two channels more: where each cell lies, as in CoordConv."""
    y, across = (torch.linspace(-0.01, 0.01, side).to(x) for side in x.shape[2:])
    places = torch.stack([y[:, None].expand(x.shape[2:]), across.expand(x.shape[2:])])
    return torch.cat([x, places.expand(len(x), -1, -1, -1)], 1)


CHANGES: dict[str, Any] = {
    "U-Net, by transposed convolution": (UNet(5, nn.ConvTranspose2d(5, 5, 2, stride=2)),),
    "U-Net, linearly": (UNet(5, nn.Upsample(scale_factor=2, mode="bilinear")),),
    "pyramid of means": (Pyramid(5),),
    "neighbours unfolded": (Neighbours(),),
    "coordinates beside": (coordinates, nn.Conv2d(7, 5, 1)),
    "sum of a map and its copy": (lambda x: torch.stack([x, x * 2]).sum(0),),
    "largest of both": (lambda x: torch.maximum(x, x * 0.5),),
}
ODD: dict[str, Any] = {
    "channels shifted": (Shifted(),),
    "one image at a time by vmap": (lambda x: torch.vmap(lambda one: one * 2)(x),),
    "one image at a time": (lambda x: torch.stack([one * 2 for one in x]),),
    "means of the batch taken off": (lambda x: x - 0.01 * x.mean(0, keepdim=True),),
}
IMAGES: dict[str, Any] = {  # changes of the image
    "resized": (lambda x: F.interpolate(x, (48, 64), mode="bilinear"),),
    "padded to a square": (lambda x: F.pad(x, (0, 0, 8, 8)),),
    "cut out of its middle": (lambda x: x[..., 4:-4, 4:-4],),
    "normalised": (lambda x: (x - x.new_full((1, 3, 1, 1), 0.05)) / x.new_full((3, 1, 1), 2.0),),
}
ORDERS: dict[str, Callable[[Tensor], Tensor]] = {  # of the axes of (n, c, h, w), where images are not first
    "cnhw": lambda x: x.transpose(0, 1),
    "hwnc": lambda x: x.permute(2, 3, 0, 1),
    "hwcn": lambda x: x.permute(2, 3, 1, 0),
    "chwn": lambda x: x.permute(1, 2, 3, 0),
}


def images_behind(order: str) -> nn.Module:
    """All axes but one are as long: rows, columns, channels; the images stand where `order` says."""
    axes = tuple(order.index(axis) for axis in "hw")
    c = order.index("c") - sum(axis < order.index("c") for axis in axes)  # where the channels are, once space is gone
    return steps(stem=patches(8), turn=ORDERS[order], block=nn.GELU(), pool=pooled(*axes),
                 mean=lambda x: x.transpose(0, 1) if c == 0 else x, head=nn.Linear(8, 2))  # fmt: skip


def tables() -> dict[str, Planted]:
    table: dict[str, Planted] = {}
    for name, change in CHANGES.items():
        table[f"map {name}"] = Planted(partial(between, *change))
    table["map a map and its mirror added"] = Planted(
        partial(between, lambda x: x + 0.9 * x.flip(3)), may=HONEST, default=DRAWN)  # fmt: skip
    for name, change in IMAGES.items():
        table[f"image {name}"] = Planted(partial(before, *change))
    table["image in four interleaved parts"] = Planted(
        lambda: steps(cut=Halves(), stem=patches(5, 2, into=12), block=conv(5), pool=pooled(2, 3), head=nn.Linear(5, 2))
    )
    for order in ORDERS:
        table[f"axes {order}"] = Planted(partial(images_behind, order), space=SQUARE)
        table[f"axes {order}, as many images as rows"] = Planted(partial(images_behind, order), space=SQUARE, images_at_once=8)
    table["cells far apart attend to each other"] = Planted(
        lambda: steps(stem=patches(C), last=lambda x: x.permute(0, 2, 3, 1), block=Grid(C), pool=pooled(1, 2),
                      head=nn.Linear(C, 2)))  # fmt: skip
    table["windows that stay windows"] = Planted(
        lambda: steps(stem=patches(C), cut=lambda x: windowed(x.permute(0, 2, 3, 1)), inner=nn.Linear(C, C), block=unwindowed,
                      pool=pooled(1, 2), head=nn.Linear(C, 2)))  # fmt: skip
    table["rows merged two by two"] = Planted(partial(tokens, Merging(C, 8, 12)), cell=(8, 8))
    table["queries pooled"] = Planted(partial(tokens, Beside(C, 1), PooledQueries(C, 8, 12)), cell=(8, 8))
    table["a class token that looks at the end"] = Planted(ClassAtTheEnd)
    for first in (True, False):
        order = "(n, l, c)" if first else "(l, n, c)"
        table[f"encoder, {order}"] = Planted(partial(Detector, first), layer="encoder")
        table[f"decoder's queries, {order}"] = Planted(partial(Detector, first), layer="decoder", may=UNKNOWN, default=DRAWN)
    table["tokens chosen by what is bright"] = Planted(partial(tokens, pruned), may=UNKNOWN, default=DRAWN)
    table["tokens summed up one after the other"] = Planted(
        partial(tokens, lambda x: x + 0.001 * x.flip(1).cumsum(1).flip(1)))  # fmt: skip
    return table
