"""Planted networks whose layers emit rows of tokens: where those of the image stand, in which order, and windows."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .judge import DRAWN, HONEST, UNKNOWN, Planted
from .parts import Attention, Beside, Block, Do, Mixed, conv, patches, pooled, rows, steps

C = 6
ATTENTIONS = ("attention", "attention_rollout")


def tokens(*change: Any, c: int = C, order: Callable[[Tensor], Tensor] = rows, after: Any = None, pool: Any = None,
           k: Any = 4, into: int = 3, d: int = 2) -> nn.Module:  # fmt: skip
    """Patches as rows of tokens, a change of them, a layer on each, their mean."""
    named = {f"change{i}": part for i, part in enumerate(change)}
    return steps(
        stem=patches(c, k, d, into), rows=order, **named, block=nn.Linear(c, c) if after is None else after,
        pool=pool or pooled(1), head=nn.Linear(c, 2),
    )  # fmt: skip


def read_at_class(
    at: int, beside: Beside, sharp: float = 0.0, fused: bool = True, depth: int = 1, order: Any = rows
) -> nn.Module:
    """A transformer whose head reads one token alone, its class token."""
    blocks = {f"block{i or ''}": Block(C, sharp, fused) for i in range(depth)}
    return steps(stem=patches(C), rows=order, beside=beside, **blocks, last=Block(C, sharp, fused), norm=nn.Identity(),
                 read=lambda x: x[:, at], head=nn.Linear(C, 2))  # fmt: skip


def windowed(x: Tensor, size: int = 4) -> Tensor:
    """(n, h, w, c) -> (n * windows, size * size, c)"""
    n, h, w, c = x.shape
    return x.view(n, h // size, size, w // size, size, c).permute(0, 1, 3, 2, 4, 5).reshape(-1, size * size, c)


def unwindowed(x: Tensor, h: int = 8, w: int = 12, size: int = 4) -> Tensor:
    x = x.view(-1, h // size, w // size, size, size, x.shape[-1])
    return x.permute(0, 1, 3, 2, 4, 5).reshape(-1, h, w, x.shape[-1])


class Swin(nn.Module):
    """A block of attention in windows, shifted or not."""

    def __init__(self, c: int, shift: int = 0) -> None:
        super().__init__()
        self.attn, self.mlp, self.shift = Attention(c), nn.Linear(c, c), shift

    def forward(self, x: Tensor) -> Tensor:
        moved = x.roll((-self.shift, -self.shift), (1, 2)) if self.shift else x
        windows = unwindowed(self.attn(windowed(moved)))
        x = x + (windows.roll((self.shift, self.shift), (1, 2)) if self.shift else windows)
        return x + self.mlp(x)


def swin(shift: int, c: int = C, inner: bool = False) -> nn.Module:
    block = Swin(c, shift)
    return steps(stem=patches(c), last=lambda x: x.permute(0, 2, 3, 1), first=Swin(c), **{"inner" if inner else "block": block},
                 pool=pooled(1, 2), head=nn.Linear(c, 2))  # fmt: skip


class Pooling(nn.Module):
    """Tokens back to a map, which is pooled, and to tokens again; the class token before them goes its own way."""

    def __init__(self, h: int, w: int, pool: nn.Module, before: int = 0) -> None:
        super().__init__()
        self.size, self.pool, self.before = (h, w), pool, before

    def forward(self, x: Tensor) -> Tensor:
        extra, x = x[:, : self.before], x[:, self.before :]
        return torch.cat([extra, rows(self.pool(x.transpose(1, 2).unflatten(2, self.size)))], 1)


class Reduced(nn.Module):
    """An attention whose keys are pooled, as in PVT."""

    def __init__(self, c: int) -> None:
        super().__init__()
        self.reduce, self.attn, self.mlp = nn.Conv2d(c, c, 2, stride=2), Attention(c), nn.Linear(c, c)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn(x, rows(self.reduce(x.transpose(1, 2).unflatten(2, (8, 12)))))
        return x + self.mlp(x)


class Experts(nn.Module):
    """Each token goes through one of two layers, whichever the token itself chooses, as in a mixture of experts."""

    def __init__(self, c: int) -> None:
        super().__init__()
        self.experts = nn.ModuleList(nn.Linear(c, c) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        flat = x.flatten(0, 1)
        second, out = flat.mean(1) > 0.5, torch.zeros_like(flat)
        for chosen, expert in zip((~second, second), self.experts, strict=True):
            out[chosen] = expert(flat[chosen])
        return out.view_as(x)


def spectrogram(overlap: bool = False, extra: int = 2) -> nn.Module:
    """(n, 1, time, frequency), exchanged, cut into patches, behind two tokens of no place, as in AST."""
    stem = nn.Conv2d(1, C, 4, stride=2 if overlap else 4)
    return steps(turn=lambda x: x.transpose(2, 3), stem=stem, rows=rows, change0=Beside(C, extra), block=nn.Linear(C, C),
                 pool=pooled(1), head=nn.Linear(C, 2))  # fmt: skip


def kept(x: Tensor) -> Tensor:
    """Half of the tokens, by a constant index, in another order."""
    return x[:, torch.randperm(x.shape[1], generator=torch.Generator().manual_seed(2))[: x.shape[1] * 3 // 4]]


def scattered(x: Tensor) -> Tensor:
    """Tokens written back to where they were taken from."""
    order = torch.randperm(x.shape[1], generator=torch.Generator().manual_seed(2))
    out = torch.zeros_like(x)
    out[:, order] = x[:, order]
    return out


BESIDE = [(1, 0), (0, 1), (2, 0), (1, 1), (4, 1), (5, 0), (10, 0), (12, 0), (17, 0), (0, 12), (0, 17), (5, 12), (9, 8)]
ORDERS: dict[str, Any] = {  # in which the cells of a map become rows
    "row by row": rows,
    "column by column": lambda x: x.transpose(2, 3).flatten(2).transpose(1, 2),
    "backwards": lambda x: x.flip(2, 3).flatten(2).transpose(1, 2),
    "mirrored": lambda x: x.flip(3).flatten(2).transpose(1, 2),
    "window by window": lambda x: windowed(x.permute(0, 2, 3, 1)).unflatten(0, (len(x), -1)).flatten(1, 2),
    "by einsum": lambda x: torch.einsum("nchw->nhwc", x).reshape(len(x), -1, x.shape[1]),
    "by unfolding": lambda x: F.unfold(x, 1).transpose(1, 2),
    "by masks": lambda x: x.permute(0, 2, 3, 1)[x.new_ones(len(x), *x.shape[2:]).bool()].view(len(x), -1, x.shape[1]),
    "joined from lists": lambda x: torch.stack([x[:, :, i, j] for i in range(x.shape[2]) for j in range(x.shape[3])], 1),
    "joined row for row": lambda x: torch.cat([x[:, :, i] for i in range(x.shape[2])], 2).transpose(1, 2),
}  # fmt: skip


def tables() -> dict[str, Planted]:
    table: dict[str, Planted] = {}
    for space in ((32, 48), (32, 32), (16, 16)):
        size = "x".join(str(side // 4) for side in space)
        for before, behind in BESIDE:
            extra = Beside(C, before, behind)
            table[f"tokens {size}, {before} before and {behind} behind"] = Planted(partial(tokens, extra), space=space)
        for at, count in ((1, 1), (7, 1), (space[0] * space[1] // 32, 1), (5, 4)):
            table[f"tokens {size}, {count} amid, at {at}"] = Planted(partial(tokens, Beside(C, amid=(count, at))), space=space)
    for name, order in ORDERS.items():
        table[f"tokens {name}"] = Planted(partial(tokens, order=order))
        table[f"tokens {name}, square"] = Planted(partial(tokens, Beside(C, 1), order=order), space=(32, 32))
    for at, extra in {"first": (0, (1, 0)), "last": (96, (0, 1)), "behind four": (4, (5, 0))}.items():
        table[f"class token {at}"] = Planted(partial(read_at_class, extra[0], Beside(C, *extra[1], loud=0)))
    table["class token amid"] = Planted(partial(read_at_class, 48, Beside(C, amid=(1, 48), loud=0)))
    for fused in (True, False):
        way = "fused" if fused else "written out"
        for name, (at, extra) in {
            "first": (0, Beside(C, 1, loud=0)), "last": (96, Beside(C, 0, 1, loud=0)),
            "amid": (40, Beside(C, amid=(1, 40), loud=0)), "before registers": (0, Beside(C, 13, loud=0)),
            "behind registers": (96 + 11, Beside(C, 0, 12, loud=0)),
        }.items():  # fmt: skip
            table[f"attention of a class token {name}, {way}"] = Planted(
                lambda at=at, e=extra, fused=fused: read_at_class(at, e, 40, fused), layer="", whole=ATTENTIONS
            )
    for name in ("column by column", "backwards", "window by window"):
        table[f"attention of tokens {name}"] = Planted(
            lambda name=name: read_at_class(0, Beside(C, 1, loud=0), 40, order=ORDERS[name]), layer="",
            whole=ATTENTIONS)  # fmt: skip
    table["tokens before the batch"] = Planted(partial(tokens, order=lambda x: x.flatten(2).permute(2, 0, 1), pool=pooled(0)))
    table["tokens before the batch, as many images as tokens"] = Planted(
        partial(tokens, order=lambda x: x.flatten(2).permute(2, 0, 1), pool=pooled(0)), space=(16, 16), images_at_once=16
    )
    table["class token before the batch, as many images as tokens"] = Planted(
        partial(tokens, Beside(C, 1), lambda x: x.transpose(0, 1), pool=pooled(0)), space=(16, 16), images_at_once=17
    )
    for c in (2, 3, 4, 16, 96):
        table[f"rows (n, {c}, l)"] = Planted(
            partial(tokens, c=c, order=lambda x: x.flatten(2), after=nn.GELU(), pool=pooled(2)))  # fmt: skip
        table[f"rows (n, {c}, l), convolved"] = Planted(
            partial(tokens, c=c, order=lambda x: x.flatten(2), after=nn.Conv1d(c, c, 1), pool=pooled(2)))  # fmt: skip
    table["as many channels as tokens"] = Planted(partial(tokens, c=16), space=(16, 16))
    table["as many channels as tokens, (n, c, l)"] = Planted(
        partial(tokens, c=16, order=lambda x: x.flatten(2), after=nn.GELU(), pool=pooled(2)), space=(16, 16))  # fmt: skip
    for shift in (0, 2):
        table[f"windows shifted by {shift}"] = Planted(partial(swin, shift))
        table[f"windows shifted by {shift}, 8 channels"] = Planted(partial(swin, shift, 8), space=(32, 48))
        table[f"inside windows shifted by {shift}"] = Planted(
            partial(swin, shift, inner=True), layer="inner.attn.proj", near=2.0)  # fmt: skip
    table["tokens pooled"] = Planted(partial(tokens, Pooling(8, 12, nn.AvgPool2d(2))), cell=(8, 8))
    table["tokens pooled, a class token before"] = Planted(
        partial(tokens, Beside(C, 1), Pooling(8, 12, nn.MaxPool2d(2), 1)), cell=(8, 8))  # fmt: skip
    table["tokens convolved with stride"] = Planted(partial(tokens, Pooling(8, 12, conv(C, 3, stride=2))), cell=(8, 8))
    table["tokens merged two by two"] = Planted(
        partial(tokens, Pooling(8, 12, nn.Sequential(nn.PixelUnshuffle(2), nn.Conv2d(4 * C, C, 1)))), cell=(8, 8))  # fmt: skip
    table["keys pooled"] = Planted(partial(tokens, Reduced(C)))
    table["mixed by a matrix over tokens"] = Planted(
        partial(tokens, Mixed(nn.Linear(96, 96), lambda x: x.transpose(1, 2), lambda x: x.transpose(1, 2))))  # fmt: skip
    table["mixed by their spectrum"] = Planted(
        partial(tokens, Mixed(Do(lambda x: torch.fft.fft2(x).real / 50), lambda x: x, lambda x: x)))  # fmt: skip
    table["a matrix over tokens alone"] = Planted(
        partial(tokens, lambda x: x.transpose(1, 2), nn.Linear(96, 96), lambda x: x.transpose(1, 2)), may=UNKNOWN,
        default=DRAWN)  # fmt: skip
    table["three of four tokens kept"] = Planted(partial(tokens, kept), may=HONEST, default=DRAWN)
    table["experts"] = Planted(partial(tokens, Experts(C)))
    table["inside experts"] = Planted(partial(tokens, Experts(C)), layer="change0.experts.0", may=HONEST, default=DRAWN)
    for name, grid in {"": None, ", grid as it is": (12, 8), ", grid exchanged": (8, 12)}.items():
        table[f"spectrogram{name}"] = Planted(spectrogram, channels=1, options={"grid": grid} if grid else {})
        table[f"square spectrogram{name}"] = Planted(
            spectrogram, channels=1, space=(32, 32), options={"grid": (8, 8)} if grid else {})  # fmt: skip
    table["spectrogram, overlapping patches"] = Planted(partial(spectrogram, True), channels=1)
    table["tokens scattered"] = Planted(partial(tokens, scattered))
    order = torch.randperm(96, generator=torch.Generator().manual_seed(2))
    table["tokens in a fixed order of chance"] = Planted(partial(tokens, lambda x: x[:, order]))
    table["tokens reversed"] = Planted(partial(tokens, lambda x: x.flip(1)))
    table["tokens rolled"] = Planted(partial(tokens, lambda x: x.roll(5, 1)))
    table["tokens of two scales in a row"] = Planted(
        partial(tokens, lambda x: torch.cat([x, rows(F.avg_pool2d(x.transpose(1, 2).unflatten(2, (8, 12)), 2))], 1)),
        may=HONEST, default=DRAWN)  # fmt: skip
    table["tokens of the image and of its mirror"] = Planted(
        partial(tokens, order=lambda x: torch.cat([rows(x), rows(x.flip(3))], 1)), may=HONEST, default=DRAWN)  # fmt: skip
    return table
