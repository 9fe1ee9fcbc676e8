"""Planted networks whose layers emit maps: axes in any order, turned, moved, cut and resized."""

from collections.abc import Callable
from functools import partial
from itertools import permutations
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .judge import DRAWN, HONEST, Planted
from .parts import conv, patches, pooled, steps

SQUARE, CUBE = (32, 32), (24, 24, 24)
WAYS = {  # orders of the axes of (n, c, *space)
    "cdhw": ("cdhw", "cdwh", "cwhd", "dhwc", "dwhc", "whdc", "hdwc", "hcdw"),
    "chw": tuple("".join(order) for order in permutations("chw")),
}


def turned(order: str, axes: str) -> nn.Module:
    """(n, c, *space) with its axes in another order from `turn` on, with as many channels as cells along each axis."""
    there = [0, *(1 + axes.index(axis) for axis in order)]
    back = [0, *(1 + order.index(axis) for axis in axes)]
    c = 8 if axes == "chw" else 6
    inner = nn.Linear(c, c) if order[-1] == "c" else nn.GELU()
    return steps(
        stem=patches(c, 4, len(axes) - 1, 1), turn=lambda x: x.permute(there), block=inner,
        pool=lambda x: x.permute(back).flatten(2).mean(2), head=nn.Linear(c, 2),
    )  # fmt: skip


def between(*change: Any, c: int = 5, after: Any = None, into: int = 3, k: int = 4) -> nn.Module:
    """Patches, a change of the map, a convolution of what is left."""
    named = {f"change{i}": part for i, part in enumerate(change)}
    return steps(
        stem=patches(c, k, into=into), **named, block=conv(c) if after is None else after, act=nn.ReLU(), pool=pooled(2, 3),
        head=nn.Linear(c, 2),
    )  # fmt: skip


def before(*change: Any, c: int = 5) -> nn.Module:
    """A change of the image, then patches and a convolution."""
    named = {f"change{i}": part for i, part in enumerate(change)}
    return steps(**named, stem=patches(c), block=conv(c), act=nn.ReLU(), pool=pooled(2, 3), head=nn.Linear(c, 2))


class Gate(nn.Module):
    """A gate for each channel from the mean over space, as in squeeze-and-excitation."""

    def __init__(self, c: int) -> None:
        super().__init__()
        self.down, self.up = nn.Conv2d(c, 2, 1), nn.Conv2d(2, c, 1)

    def forward(self, x: Tensor) -> Tensor:
        return x * self.up(F.relu(self.down(x.mean((2, 3), keepdim=True)))).sigmoid()


class Sampled(nn.Module):
    """A spatial transformer: the image is read at a grid, fixed or told by a net that looks at it."""

    theta: Tensor

    def __init__(self, theta: list[list[float]], learned: bool = False) -> None:
        super().__init__()
        self.look, self.learned = nn.Linear(3, 6), learned
        self.register_buffer("theta", torch.tensor([theta]))

    def forward(self, x: Tensor) -> Tensor:
        theta = self.theta.expand(len(x), -1, -1)
        if self.learned:
            theta = theta + 1e-3 * self.look(x.mean((2, 3))).view(-1, 2, 3)
        return F.grid_sample(x, F.affine_grid(theta, list(x.shape), align_corners=False), align_corners=False)


def written(x: Tensor) -> Tensor:
    """x written into the middle of a larger blank tensor, two cells of border before and one behind."""
    sheet = x.new_zeros(*x.shape[:2], x.shape[2] + 3, x.shape[3] + 3)
    sheet[:, :, 2:-1, 2:-1] = x
    return sheet


def folded(x: Tensor) -> Tensor:
    """Windows of 2 x 2 cells unfolded and folded again."""
    return F.fold(F.unfold(x, 2, stride=2), x.shape[2:], 2, stride=2)


def fourier(x: Tensor) -> Tensor:
    return torch.fft.irfft2(torch.fft.rfft2(x) * 0.5, s=x.shape[2:])


def picked(order: list[int], dim: int) -> Callable[[Tensor], Tensor]:
    return lambda x: x.index_select(dim, torch.tensor(order))


def masked(x: Tensor) -> Tensor:
    """The rows of a mask that keeps all but the last."""
    return x[:, :, torch.arange(x.shape[2]) < x.shape[2] - 1]


CHANGES: dict[str, Any] = {  # of a map (n, 5, 8, 12) or (n, 5, 8, 8) that are followed
    "none": (nn.Identity(),),
    "height and width exchanged": (lambda x: x.transpose(2, 3),),
    "exchanged by permute, then a convolution": (lambda x: x.permute(0, 1, 3, 2), conv(5)),
    "exchanged and back": (lambda x: x.transpose(2, 3), conv(5), lambda x: x.mT),
    "mirrored": (lambda x: x.flip(-1),),
    "upside down": (lambda x: torch.flipud(x.permute(2, 3, 0, 1)).permute(2, 3, 0, 1),),
    "turned by 180 degrees": (lambda x: x.flip(2, 3),),
    "turned by 90 degrees": (lambda x: torch.rot90(x, 1, (2, 3)),),
    "turned by 270 degrees, then a convolution": (lambda x: x.rot90(3, (2, 3)), conv(5)),
    "mirrored and back": (lambda x: x.flip(3), conv(5), lambda x: x.flip(3)),
    "mirrored by a slice of indices": (lambda x: x[:, :, :, list(range(x.shape[3]))[::-1]],),
    "rolled and back": (lambda x: x.roll((1, 2), (2, 3)), nn.ReLU(), lambda x: x.roll((-1, -2), (2, 3))),
    "padded": (lambda x: F.pad(x, (2, 0, 0, 3)),),
    "reflected at the border": (nn.ReflectionPad2d((1, 2, 2, 0)),),
    "padded and cropped": (lambda x: F.pad(x, (2, 2, 2, 2))[..., 1:-3, 3:-1],),
    "zeros beside": (lambda x: torch.cat([x.new_zeros(len(x), 5, 2, x.shape[3]), x], 2),),
    "written into a blank": (written,),
    "every second cell twice": (lambda x: x.repeat_interleave(2, 2).repeat_interleave(2, 3), nn.AvgPool2d(2)),
    "unfolded and folded": (folded,),
    "shuffled into channels and back": (nn.PixelUnshuffle(2), nn.PixelShuffle(2)),
    "enlarged by nearest": (nn.Upsample(scale_factor=2),),
    "enlarged linearly": (nn.Upsample(scale_factor=2, mode="bilinear"),),
    "enlarged by transposed convolution": (nn.ConvTranspose2d(5, 5, 2, stride=2),),
    "dilated": (conv(5, 3, padding=2, dilation=2),),
    "gated": (Gate(5),),
    "einsum over channels": (lambda x: torch.einsum("nchw,dc->ndhw", x, torch.ones(5, 5).to(x) / 5),),
    "einsum that turns": (lambda x: torch.einsum("nchw,cd->nhwd", x, torch.eye(5).to(x)), lambda x: x.permute(0, 3, 1, 2)),
    "channels last and back": (lambda x: x.permute(0, 2, 3, 1), nn.Linear(5, 5), lambda x: x.permute(0, 3, 1, 2)),
    "split and joined along space": (lambda x: torch.cat(x.chunk(2, 3), 3),),
    "split and joined along channels": (lambda x: torch.cat(x.split((2, 3), 1)[::-1], 1),),
    "halves exchanged and back": (lambda x: torch.cat(x.chunk(2, 3)[::-1], 3), lambda x: torch.cat(x.chunk(2, 3)[::-1], 3)),
    "stacked and unbound": (lambda x: torch.stack([x, x], 1).unbind(1)[0],),
    "flattened and back": (lambda x: x.flatten(2).unflatten(2, x.shape[2:]),),
    "statistics of the instance": (nn.GroupNorm(1, 5),),
    "columns picked backwards": (picked([*range(11, -1, -1)], 3),),
    "rows of a mask": (masked,),
    "gathered": (lambda x: x.gather(3, torch.arange(11, -1, -1).expand(*x.shape)),),
    "filtered by its spectrum": (fourier,),
    "zeros on one side of two": (lambda x: torch.cat([x, x.new_zeros(x.shape)], 3),),
}  # fmt: skip
ODD: dict[str, Any] = {  # changes that may be followed or refused
    "rolled": (lambda x: x.roll(-3, 3),),
    "halves exchanged": (lambda x: torch.cat(x.chunk(2, 3)[::-1], 3),),
    "rows picked in another order": (picked([2, 0, 3, 1, 5, 4, 7, 6], 2),),
    "some columns picked": (picked([0, 2, 3, 4, 7, 8], 3),),
    "columns behind each other": (picked([*range(0, 12, 2), *range(1, 12, 2)], 3),),
    "sorted rows": (lambda x: x[:, :, torch.argsort(torch.tensor([3.0, 1.0, 2.0, 0.0, 7.0, 6.0, 5.0, 4.0]))],),
    "beside its own mirror": (lambda x: torch.cat([x, x.flip(3)], 3),),
    "a matrix over columns": (lambda x: x @ (torch.eye(12).flip(0)).to(x),),
    "a matrix over rows": (lambda x: torch.einsum("nchw,gh->ncgw", x, torch.eye(8).flip(0).to(x)),),
    "to a circle": (lambda x: x[:, :, torch.arange(8)[:, None], (torch.arange(12) + torch.arange(8)[:, None]) % 12],),
}  # fmt: skip
WARPS: dict[str, tuple[list[list[float]], bool]] = {
    "as it is": ([[1.0, 0, 0], [0, 1, 0]], False),
    "mirrored": ([[-1.0, 0, 0], [0, 1, 0]], False),
    "exchanged": ([[0.0, 1, 0], [1, 0, 0]], False),
    "enlarged": ([[0.8, 0, 0], [0, 0.8, 0]], False),
    "moved": ([[1.0, 0, 0.12], [0, 1, -0.25]], False),
    "moved as it looks": ([[1.0, 0, 0.12], [0, 1, -0.25]], True),
}


def tables() -> dict[str, Planted]:
    table: dict[str, Planted] = {}
    for order in WAYS["chw"]:
        table[f"axes n{order}, all of one size"] = Planted(
            lambda order=order: turned(order, "chw"), space=SQUARE, channels=1, whole=("hires_cam", "full_grad")
        )
        table[f"axes n{order}, 8 x 12"] = Planted(lambda order=order: turned(order, "chw"), channels=1)
    for order in WAYS["cdhw"]:
        table[f"axes n{order}, all of one size"] = Planted(
            lambda order=order: turned(order, "cdhw"), space=CUBE, cell=(4, 4, 4), channels=1, whole=("hires_cam",)
        )
    for name, change in CHANGES.items():
        table[f"map {name}"] = Planted(partial(between, *change), cell=(4, 4))
        if "turned" in name or "exchanged" in name:
            table[f"square map {name}"] = Planted(partial(between, *change), space=SQUARE)
    for name, change in ODD.items():
        axis = {"a matrix over columns": 1, "a matrix over rows": 0}.get(name)
        table[f"map {name}"] = Planted(partial(between, *change), may=HONEST, default=DRAWN, spread=axis)
    for name, change in list(CHANGES.items())[1:9]:
        if "convolution" not in name and "back" not in name:
            table[f"image {name}"] = Planted(partial(before, *change), space=SQUARE)
    for name, (theta, learned) in WARPS.items():
        table[f"image sampled {name}"] = Planted(
            lambda t=theta, s=learned: before(Sampled(t, s)), space=SQUARE, may=HONEST if learned else DRAWN
        )
    table["adaptive pool"] = Planted(partial(between, nn.AdaptiveAvgPool2d((4, 6)), after=nn.Identity()), cell=(8, 8))
    table["uneven adaptive pool"] = Planted(partial(between, nn.AdaptiveMaxPool2d((5, 7)), k=2), cell=(8, 8))
    table["strided convolution"] = Planted(partial(between, conv(5, 3, stride=2)), cell=(8, 8))
    table["strided, padded at one side"] = Planted(
        partial(between, lambda x: F.pad(x, (0, 1, 0, 1)), conv(5, 3, stride=2, padding=0)), cell=(8, 8)
    )
    table["grid that is wrong"] = Planted(partial(between, *CHANGES["height and width exchanged"]), options={"grid": (8, 12)})
    table["grid of the exchanged map"] = Planted(partial(between, *CHANGES["height and width exchanged"]),
                                                 options={"grid": (12, 8)})  # fmt: skip
    return table
