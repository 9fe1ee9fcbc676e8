"""What the planted networks are made of."""

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

LOUD = 5.0  # how bright tokens of no place are: five times the bright cell, so that they show where they are drawn


class Do(nn.Module):
    """A function as a module."""

    def __init__(self, run: Callable[..., Any]) -> None:
        super().__init__()
        self.run = run

    def forward(self, *inputs: Any) -> Any:
        return self.run(*inputs)


def steps(*parts: Any, **named: Any) -> nn.Sequential:
    """Modules and functions, one after the other."""
    listed = {**{f"step{i}": part for i, part in enumerate(parts)}, **named}
    return nn.Sequential(OrderedDict((name, p if isinstance(p, nn.Module) else Do(p)) for name, p in listed.items()))


def patches(c: int, k: Any = 4, d: int = 2, into: int = 3) -> nn.Module:
    return (nn.Conv1d, nn.Conv2d, nn.Conv3d)[d - 1](into, c, k, stride=k, bias=False)


def conv(c: int, k: int = 3, **more: Any) -> nn.Module:
    return nn.Conv2d(c, c, k, padding=more.pop("padding", k // 2), bias=False, **more)


def rows(x: Tensor) -> Tensor:
    """(n, c, *space) -> (n, tokens, c)"""
    return x.flatten(2).transpose(1, 2)


def pooled(*axes: int) -> Do:
    return Do(lambda x: x.mean(axes))


class Beside(nn.Module):
    """Tokens of no place beside those of the image (n, l, c): before, behind, and at a place amid them."""

    def __init__(self, c: int, before: int = 0, behind: int = 0, amid: tuple[int, int] = (0, 0), loud: float = LOUD) -> None:
        super().__init__()
        self.at, count = amid[1], amid[0]
        draw = torch.Generator().manual_seed(1)
        self.before, self.behind, self.amid = (
            nn.Parameter(loud * (0.8 + 0.4 * torch.rand(1, m, c, generator=draw))) for m in (before, behind, count)
        )

    def forward(self, x: Tensor) -> Tensor:
        before, behind, amid = (tokens.expand(len(x), -1, -1) for tokens in (self.before, self.behind, self.amid))
        return torch.cat([before, x[:, : self.at], amid, x[:, self.at :], behind], 1)


class Attention(nn.Module):
    """One head, written out or fused; sharp: rows look at what is bright, else everywhere alike."""

    def __init__(self, c: int, sharp: float = 0.0, fused: bool = True) -> None:
        super().__init__()
        self.q, self.k, self.v, self.proj = (nn.Linear(c, c) for _ in range(4))
        self.sharp, self.fused = sharp, fused

    def forward(self, x: Tensor, over: Tensor | None = None) -> Tensor:
        q, k, v = 0.01 * self.q(x) + self.sharp, self.k(x if over is None else over), self.v(x if over is None else over)
        if self.fused:
            return self.proj(F.scaled_dot_product_attention(q[:, None], k[:, None], v[:, None])[:, 0])
        return self.proj((q @ k.transpose(-1, -2) * q.shape[-1] ** -0.5).softmax(-1) @ v)


class Block(nn.Module):
    """What comes in and a share of its attention, added."""

    def __init__(self, c: int, sharp: float = 0.0, fused: bool = True, share: float = 1.0) -> None:
        super().__init__()
        self.share = share
        self.attn, self.mlp = Attention(c, sharp, fused), nn.Linear(c, c)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.share * self.attn(x)
        return x + self.mlp(x)


class Mixed(nn.Module):
    """x + part(turn(x)), turned back."""

    def __init__(self, part: nn.Module, turn: Callable[[Tensor], Tensor], back: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.part, self.turn, self.back = part, turn, back

    def forward(self, x: Tensor) -> Tensor:
        return x + self.back(self.part(self.turn(x)))
