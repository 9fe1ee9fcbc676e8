"""Small networks drawn by chance from what networks do to maps and to rows of tokens."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .maps import Gate
from .parts import Beside, Block, Do, Mixed

MAP, LAST, ROWS, COLUMNS, SEQUENCE = "n c h w", "n h w c", "n l c", "n c l", "l n c"


class State(NamedTuple):
    """What a network emits at some depth."""

    kind: str
    shape: tuple[int, ...]  # of one image: (c, h, w); of rows: the map that they hold
    image: tuple[int, ...] = ()  # of rows: the tokens of the image, by their numbers, in the order of the map
    length: int = 0  # of rows: how many tokens there are

    @property
    def channels(self) -> int:
        return self.shape[0]

    @property
    def alone(self) -> bool:
        """Are there no tokens but those of the image, one after the other?"""
        return self.image == tuple(range(self.length))


class Change(NamedTuple):
    """What a network does to that: a module or a function, and what comes out (c and the sides of a map are read off it)."""

    name: str
    run: Any
    kind: str
    space: tuple[int, ...] | None = None  # of rows: the map that they hold; None: as before
    image: tuple[int, ...] | None = None


Chance = np.random.Generator
Maker = Callable[[Chance, State], Change | None]


def even(rng: Chance, module: nn.Module) -> nn.Module:
    """The module with weights that are nearly the same all over a field: its middle is the middle of what a cell sees."""
    draw = torch.Generator().manual_seed(int(rng.integers(2**31)))
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            if name.endswith("bias"):
                parameter.zero_()
            elif parameter.ndim > 1:
                channels = 0.5 + torch.rand((*parameter.shape[:2], *[1] * (parameter.ndim - 2)), generator=draw)
                parameter.copy_(channels * (0.95 + 0.1 * torch.rand(parameter.shape, generator=draw)) / parameter[0].numel())
    return module


def _map(name: str, make: Callable[[Chance, State], Any], least: int = 3, most: int = 99) -> Maker:
    """A change of a map whose sides are from least to most."""

    def maker(rng: Chance, s: State) -> Change | None:
        fits = least <= min(s.shape[1:]) and max(s.shape[1:]) <= most
        return Change(name, make(rng, s), MAP) if fits else None

    return maker


def _as(name: str, make: Callable[[State], Any], kind: str) -> Maker:
    """A change of anything that keeps the places of rows."""
    return lambda _rng, s: Change(name, make(s), kind)


def _conv(rng: Chance, s: State) -> Change | None:
    k, step, gap, out = int(rng.integers(1, 5)), int(rng.integers(1, 3)), int(rng.integers(1, 3)), int(rng.choice([4, 6, 8]))
    pad = int(rng.integers(0, k // 2 * gap + 1))
    fits = min(s.shape[1:]) + 2 * pad - gap * (k - 1) > 2 * step
    return Change(f"conv{k}", nn.Conv2d(s.channels, out, k, step, pad, gap), MAP) if fits else None


def _crop(rng: Chance, _s: State) -> Any:
    top, left, bottom, right = map(int, (*rng.integers(0, 2, 2), *rng.integers(1, 3, 2)))
    return lambda x: x[..., top:-bottom, left:-right]


def _pad(rng: Chance, _s: State) -> Any:
    sides = [int(side) for side in rng.integers(0, 3, 4)]
    return lambda x: F.pad(x, sides)


def _turn(rng: Chance, _s: State) -> Any:
    k = int(rng.integers(1, 4))
    return lambda x: torch.rot90(x, k, (2, 3))


def _resize(rng: Chance, s: State) -> Any:
    size = [int(side + rng.integers(-1, 4)) for side in s.shape[1:]]
    return lambda x: F.interpolate(x, size, mode="bilinear", align_corners=False)


class Added(nn.Module):
    """x and what a convolution makes of it, added."""

    def __init__(self, c: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(c, c, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv(x)


class Windows(nn.Module):
    """A layer inside windows of 2 x 2 cells of (n, h, w, c), shifted by one cell or not."""

    def __init__(self, c: int, shift: int) -> None:
        super().__init__()
        self.inner, self.shift = nn.Linear(c, c), shift

    def forward(self, x: Tensor) -> Tensor:
        _, h, w, c = x.shape
        x = x.roll((-self.shift, -self.shift), (1, 2)) if self.shift else x
        x = x.view(-1, h // 2, 2, w // 2, 2, c).transpose(2, 3).reshape(-1, 4, c)
        x = self.inner(x).view(-1, h // 2, w // 2, 2, 2, c).transpose(2, 3).reshape(-1, h, w, c)
        return x.roll((self.shift, self.shift), (1, 2)) if self.shift else x


def _windows(rng: Chance, s: State) -> Change | None:
    fits = not s.shape[1] % 2 and not s.shape[2] % 2
    return Change("windows", Windows(s.channels, int(rng.integers(2))), LAST) if fits else None


def _merged(_rng: Chance, s: State) -> Change | None:
    fits = not s.shape[1] % 2 and not s.shape[2] % 2 and min(s.shape[1:]) > 5 and s.channels < 9
    return Change("merge", lambda x: torch.cat([x[:, i::2, j::2] for j in (0, 1) for i in (0, 1)], -1), LAST) if fits else None


def _to_rows(_rng: Chance, s: State) -> Change:
    run = (lambda x: x.flatten(2).mT) if s.kind == MAP else (lambda x: x.flatten(1, 2))
    return Change("rows", run, ROWS, s.shape[1:], tuple(range(s.shape[1] * s.shape[2])))


def _by_columns(_rng: Chance, s: State) -> Change:
    _, h, w = s.shape
    return Change("columnwise", lambda x: x.transpose(2, 3).flatten(2).transpose(1, 2), ROWS, (w, h), tuple(range(h * w)))


def _cut(_rng: Chance, s: State) -> Change | None:
    _, h, w = s.shape
    fits = not h % 2 and not w % 2 and min(h, w) > 5 and s.channels < 7
    space = (h // 2, w // 2)
    run = lambda x: F.unfold(x, 2, stride=2).transpose(1, 2)  # noqa: E731
    return Change("unfold", run, ROWS, space, tuple(range(space[0] * space[1]))) if fits else None


def _to_columns(_rng: Chance, s: State) -> Change:
    return Change("columns", lambda x: x.flatten(2), COLUMNS, s.shape[1:], tuple(range(s.shape[1] * s.shape[2])))


def _beside(rng: Chance, s: State) -> Change:
    before, behind, amid = (int(rng.choice([0, 1, 2, 5, 12])) for _ in range(3))
    amid, at = amid * (rng.random() < 0.3), int(rng.integers(0, s.length + 1))
    image = tuple(before + i + amid * (i >= at) for i in s.image)
    return Change("beside", Beside(s.channels, before, behind, (amid, at), loud=1), ROWS, None, image)


class Among(nn.Module):
    """Tokens written into a row of words at places that are fixed."""

    here: Tensor

    def __init__(self, c: int, length: int, image: list[int]) -> None:
        super().__init__()
        self.words = nn.Parameter(torch.ones(1, length, c, dtype=torch.float64))
        self.register_buffer("here", torch.zeros(length, dtype=torch.bool).index_fill_(0, torch.tensor(image), True))

    def forward(self, x: Tensor) -> Tensor:
        words = self.words.expand(len(x), -1, -1)
        return words.masked_scatter(self.here[None, :, None].expand_as(words), x)


def _among(rng: Chance, s: State) -> Change:
    length = s.length + int(rng.integers(1, 9))
    here = sorted(map(int, rng.choice(length, s.length, replace=False)))
    return Change("among", Among(s.channels, length, here), ROWS, None, tuple(here[i] for i in s.image))


def _alone(_rng: Chance, s: State) -> Change:
    first, whole = s.image[0], tuple(range(s.image[0], s.image[0] + len(s.image)))
    here = torch.tensor(s.image)
    run = (lambda x: x[:, first : first + len(whole)]) if s.image == whole else (lambda x: x[:, here])
    return Change("alone", run, ROWS, None, tuple(range(len(whole))))


def _back(_rng: Chance, s: State) -> Change | None:
    return Change("map", lambda x: x.transpose(1, 2).unflatten(2, s.shape[1:]), MAP) if s.alone else None


def _mixer(_rng: Chance, s: State) -> Change:
    turn: Callable[[Tensor], Tensor] = lambda x: x.transpose(1, 2) * 1e-2  # noqa: E731
    return Change("mixer", Mixed(nn.Linear(s.length, s.length), turn, lambda x: x.transpose(1, 2)), ROWS)


CHANGES: dict[str, list[Maker]] = {
    MAP: [
        _conv, _conv, _conv, _map("pool", lambda *_: nn.AvgPool2d(2), 6),
        _map("pool3", lambda *_: nn.AvgPool2d(3, 2, 1, count_include_pad=False), 6),
        _map("exchange", lambda *_: lambda x: x.transpose(2, 3)), _map("mirror", lambda *_: lambda x: x.flip(3)),
        _map("flip", lambda *_: lambda x: x.flip(2)), _map("turn180", lambda *_: lambda x: x.flip(2, 3)), _map("turn", _turn),
        _map("crop", _crop, 6), _map("pad", _pad, 3, 20), _map("stride", lambda *_: lambda x: x[:, :, 1::2, ::2], 7),
        _map("double", lambda *_: nn.Upsample(scale_factor=2), 3, 10), _map("resize", _resize, 4, 20),
        _map("bilinear", lambda *_: nn.Upsample(scale_factor=2, mode="bilinear"), 3, 10),
        _map("gelu", lambda *_: nn.GELU()), _map("relu", lambda *_: nn.ReLU()), _map("added", lambda _, s: Added(s.channels)),
        _map("gate", lambda _, s: Gate(s.channels)), _map("twice", lambda *_: lambda x: torch.cat([x, x * 0.5], 1)[:, ::2]),
        _map("mixed", lambda *_: lambda x: torch.einsum("nchw,cd->ndhw", x, x.new_ones(x.shape[1], 6) / 6)),
        _map("shuffle", lambda _, s: nn.PixelShuffle(2) if s.channels % 4 == 0 else nn.Identity(), 3, 10),
        _map("interleave", lambda *_: lambda x: x.repeat_interleave(2, 2), 3, 10),
        _map("halves", lambda *_: lambda x: torch.cat(x.tensor_split(2, 2), 2)),
        _map("deconv", lambda _, s: nn.ConvTranspose2d(s.channels, 4, 2, stride=2), 3, 10),
        _map("square", lambda _, s: nn.AdaptiveAvgPool2d(min(s.shape[1:]) // 2), 6),
        *2 * [_as("last", lambda _: lambda x: x.permute(0, 2, 3, 1), LAST)],
        _to_rows, _to_rows, _by_columns, _to_columns, _cut,
    ],
    LAST: [
        _as("linear", lambda s: nn.Linear(s.channels, s.channels), LAST), _as("norm", lambda s: nn.LayerNorm(s.channels), LAST),
        _as("gelu", lambda _: nn.GELU(), LAST), _windows, _merged, _as("map", lambda _: lambda x: x.permute(0, 3, 1, 2), MAP),
        _as("exchange", lambda _: lambda x: x.transpose(1, 2), LAST), _as("mirror", lambda _: lambda x: x.flip(2), LAST),
        _to_rows,
    ],
    ROWS: [
        _beside, _beside, _as("linear", lambda s: nn.Linear(s.channels, s.channels), ROWS), _among, _alone, _back, _mixer,
        _as("block", lambda s: Block(s.channels, share=0.1), ROWS), _as("norm", lambda s: nn.LayerNorm(s.channels), ROWS),
        _as("columns", lambda _: lambda x: x.transpose(1, 2), COLUMNS),
        _as("first", lambda _: lambda x: x.transpose(0, 1), SEQUENCE),
    ],
    COLUMNS: [_as("relu", lambda _: nn.ReLU(), COLUMNS), _as("rows", lambda _: lambda x: x.mT, ROWS),
              _as("conv", lambda s: nn.Conv1d(s.channels, s.channels, 1), COLUMNS)],
    SEQUENCE: [_as("linear", lambda s: nn.Linear(s.channels, s.channels), SEQUENCE),
               _as("rows", lambda _: lambda x: x.transpose(0, 1), ROWS)],
}  # fmt: skip
ROWS_OF = {ROWS: (1, 2), COLUMNS: (2, 1), SEQUENCE: (0, 2)}  # the dimensions of tokens and of channels
POOLS: dict[str, Callable[[Tensor], Tensor]] = {
    MAP: lambda x: x.mean((2, 3)), LAST: lambda x: x.mean((1, 2)), ROWS: lambda x: x.mean(1), COLUMNS: lambda x: x.mean(2),
    SEQUENCE: lambda x: x.mean(0),
}  # fmt: skip


def _after(change: Change, s: State, out: Tensor) -> State:
    if change.kind == MAP:
        return State(MAP, tuple(out.shape[1:]))
    if change.kind == LAST:
        return State(LAST, (out.shape[3], *out.shape[1:3]))
    tokens, channels = ROWS_OF[change.kind]
    space = s.shape[1:] if change.space is None else change.space
    image = s.image if change.image is None else change.image
    return State(change.kind, (out.shape[channels], *space), image, out.shape[tokens])


def network_of(seed: int) -> tuple[nn.Module, tuple[int, int]]:
    """A network of 4 to 9 layers and a head, and the size of its images."""
    rng = np.random.default_rng(seed)
    space = (int(rng.choice([12, 16, 20])), int(rng.choice([12, 16, 20])))
    x, s = torch.rand(2, 3, *space, dtype=torch.float64), State(MAP, (3, *space))
    network = nn.Sequential()
    for i in range(int(rng.integers(4, 10))):
        makers = [_conv] if i == 0 else CHANGES[s.kind]
        change = next(made for _ in range(99) if (made := makers[rng.integers(len(makers))](rng, s)) is not None)
        module = change.run if isinstance(change.run, nn.Module) else Do(change.run)
        module = even(rng, deepcopy(module)).double().eval()
        with torch.no_grad():
            x = module(x)
        s = _after(change, s, x)
        network.add_module(f"{i}_{change.name}", module)
    network.add_module("pool", Do(POOLS[s.kind]))
    network.add_module("head", even(rng, nn.Linear(s.channels, 2)).double())
    return network.eval(), space


def layers_of(network: nn.Module) -> list[str]:
    """The layers that have places; the pooled scores have none."""
    return [name for name, _ in network.named_children()][:-2]
