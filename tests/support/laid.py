"""Emissions that lie over an image in any way that one may: what the experiment must find."""

from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from random import Random

import torch
from torch import Tensor
from torch.nn import functional as F

from seewhy.models.torch.places.experiment import Responses, probes
from seewhy.models.torch.places.marks import Mark

Emitted = Callable[[Tensor], Tensor]
POOLS = (F.adaptive_avg_pool1d, F.adaptive_avg_pool2d, F.adaptive_avg_pool3d)
CONVS = (F.conv1d, F.conv2d, F.conv3d)
ROWS = ("tokens", "sequence", "heads")


def mark_of(emitted: Emitted, x: Tensor, n: int = 1, grid: tuple[int, ...] | None = None, alone: bool = False) -> Mark:
    responses = Responses(x.shape[2:])
    with torch.no_grad():
        for images in probes(x, alone):
            responses.add(emitted(images), len(images))
    return responses.mark(n, grid)


def image(*space: int, seed: int = 0) -> Tensor:
    return torch.randn((1, 3, *space), generator=torch.Generator().manual_seed(seed))


def maps(grid: tuple[int, ...], channels: int = 8, blur: float = 0.0, seed: int = 0) -> Emitted:
    """Maps (n, channels, *grid) of images: fine features, nonlinear, in cells that divide the image evenly.

    blur: how much of its neighbours a cell takes over at most, as behind overlapping convolutions.
    """
    d, random = len(grid), torch.Generator().manual_seed(seed)
    fine, mix, near = (torch.randn(shape, generator=random) for shape in
                       [(8, 3, *[3] * d), (channels, 8, *[1] * d), (channels, 1, *[3] * d)])  # fmt: skip
    near = blur * near.abs().clamp(max=1)
    near[(slice(None), 0, *[1] * d)] = 1

    def emitted(x: Tensor) -> Tensor:
        cells = POOLS[d - 1](CONVS[d - 1](x, fine, padding=1).relu(), grid)
        return CONVS[d - 1](CONVS[d - 1](cells, mix), near, padding=1, groups=channels)

    return emitted


def rows(grid: tuple[int, ...], **how: float) -> Emitted:
    """The same as rows of tokens (n, cells, channels)."""
    of = maps(grid, **how)
    return lambda x: of(x).flatten(2).transpose(1, 2)


def cells(mark: Mark) -> list[tuple[tuple[tuple[int, int], ...], tuple[int, ...] | None]]:
    """Of each dimension of space: the size and the axis of each factor, and which entries are cells."""
    assert not mark.lost, mark.lost
    return [(tuple((f.size, f.axis) for f in dim.factors), dim.rows) for dim in mark.dims if dim.spatial]


def backwards(mark: Mark) -> list[int]:
    return [a for a, axis in enumerate(mark.axes) if axis.stride < 0]


@dataclass
class Laid:
    """An emission that lies over the image in one of many ways."""

    grid: tuple[int, ...]
    axes: tuple[int, ...]
    flipped: tuple[int, ...]
    of: Emitted
    kind: str
    before: int = 0
    behind: int = 0
    extra: str = "constant"

    @classmethod
    def random(cls, seed: int) -> "Laid":
        random = Random(seed)
        d = random.choice([1, 2, 2, 2, 3])
        grid = tuple(random.randint(3, {1: 48, 2: 16, 3: 6}[d]) for _ in range(d))
        kind = random.choice(["first", "last", "tokens", "tokens", "sequence", "heads"])
        of = maps(grid, random.choice([4, 8, 16, 32]), random.choice([0, 0, 0.2]), seed)
        beside = random.choice([(0, 0), (1, 0), (0, 1), (2, 3), (5, 0), (10, 7), (0, 17)]) if kind in ROWS else (0, 0)
        flipped = tuple(a for a in range(d) if random.random() < 0.3)
        return cls(grid, tuple(random.sample(range(d), d)), flipped, of, kind, *beside, random.choice(["constant", "mean"]))

    def __call__(self, x: Tensor) -> Tensor:
        y = self.of(x).flip([a + 2 for a in self.flipped]).permute(0, 1, *(a + 2 for a in self.axes))
        if self.kind == "first":
            return y
        if self.kind == "last":
            return y.movedim(1, -1)
        y = y.flatten(2).transpose(1, 2)
        extra = torch.randn((1, self.before + self.behind, y.shape[2]), generator=torch.Generator().manual_seed(1))
        extra = extra + y.mean(1, keepdim=True) if self.extra == "mean" else extra.expand(len(y), -1, -1)
        y = torch.cat([extra[:, : self.before], y, extra[:, self.before :]], 1)
        if self.kind == "heads":
            return y.reshape(*y.shape[:2], 2, -1).transpose(1, 2)
        return y.transpose(0, 1) if self.kind == "sequence" else y

    @property
    def cells(self) -> list[tuple[tuple[tuple[int, int], ...], tuple[int, ...] | None]]:
        own = [(self.grid[a], a) for a in self.axes]
        if self.kind not in ROWS:
            return [((factor,), None) for factor in own]
        at = (*[-1] * self.before, *range(prod(self.grid)), *[-1] * self.behind)
        return [(tuple(own), at if self.before + self.behind else None)]
