"""Planted networks of signals, volumes and videos, and such that fold frames, crops or views into the batch."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from .judge import HONEST, NEVER_WRONG, Planted
from .parts import Attention, Beside, Mixed, conv, patches, pooled, rows, steps
from .rows import C, tokens

VIDEO, VOLUME, SIGNAL = (4, 16, 24), (16, 24, 32), (96,)
FRAMES = (1, 4, 4)  # a cell of a video: one frame, 4 x 4 pixels
ORDERS: dict[str, Callable[[Tensor], Tensor]] = {  # in which the cells of a map (n, c, t, h, w) become rows
    "t h w": rows,
    "h w t": lambda x: x.permute(0, 3, 4, 2, 1).flatten(1, 3),
    "w h t": lambda x: x.permute(0, 4, 3, 2, 1).flatten(1, 3),
    "t w h": lambda x: x.permute(0, 2, 4, 3, 1).flatten(1, 3),
    "t h w, the frames backwards": lambda x: rows(x.flip(2)),
}


class Divided(nn.Module):
    """Attention over time, then over space, with a class token before all, as in TimeSformer; tokens are (h w t) or (t h w)."""

    def __init__(self, c: int, t: int, s: int, frames_last: bool) -> None:
        super().__init__()
        self.t, self.s, self.frames_last = t, s, frames_last
        self.time, self.space, self.mlp = Attention(c), Attention(c), nn.Linear(c, c)

    def forward(self, x: Tensor) -> Tensor:
        first, x, sides = x[:, :1], x[:, 1:], (self.s, self.t)
        here = x.unflatten(1, sides) if self.frames_last else x.unflatten(1, sides[::-1]).transpose(1, 2)  # (n, s, t, c)
        here = here + self.time(here.flatten(0, 1)).view_as(here)
        frames = here.transpose(1, 2)  # (n, t, s, c)
        again = first[:, None].expand(-1, self.t, -1, -1)
        seen = self.space(torch.cat([again, frames], 2).flatten(0, 1)).unflatten(0, (-1, self.t))
        first, frames = first + seen[:, :, 0].mean(1, keepdim=True), frames + seen[:, :, 1:]
        x = (frames.transpose(1, 2) if self.frames_last else frames).flatten(1, 2)
        x = torch.cat([first, x], 1)
        return x + self.mlp(x)


def video(*change: Any, order: Any = rows, **more: Any) -> nn.Module:
    return tokens(*change, order=order, k=FRAMES, d=3, **more)


def frame_by_frame(folded: Callable[[Tensor], Tensor], unfolded: Callable[[Tensor], Tensor], inner: Any = None) -> nn.Module:
    """Frames (n, c, t, h, w) folded into the batch, seen by a network of images, and joined again."""
    return steps(fold=folded, stem=patches(C), block=inner or conv(C), unfold=unfolded, pool=lambda x: x.flatten(2).mean(2),
                 head=nn.Linear(C, 2))  # fmt: skip


def class_token_of_each_frame() -> nn.Module:
    """(n, c, t, h, w) -> rows of each frame behind a class token of its own, (n, t * (1 + s), c)."""
    own = Beside(C, 1)
    return video(lambda x: own(x.unflatten(1, (4, -1)).flatten(0, 1)).unflatten(0, (-1, 4)).flatten(1, 2))


def crops(*cut: Callable[[Tensor], Tensor], block: Any = None, stack: bool = False) -> nn.Module:
    """Crops or views of an image, one behind the other in the batch (all images' first, or with `stack` image by image)."""
    k = len(cut)

    def joined(x: Tensor) -> Tensor:
        parts = [c(x) for c in cut]
        return torch.stack(parts, 1).flatten(0, 1) if stack else torch.cat(parts)

    def mean(x: Tensor) -> Tensor:
        return x.unflatten(0, (-1, k)).mean(1) if stack else x.unflatten(0, (k, -1)).mean(0)

    return steps(cut=joined, stem=patches(C), block=block or conv(C), pool=pooled(2, 3), mean=mean, head=nn.Linear(C, 2))


def part(top: int, left: int, h: int = 16, w: int = 24) -> Callable[[Tensor], Tensor]:
    return lambda x: x[:, :, top : top + h, left : left + w]


def frames_first(x: Any) -> Any:
    return np.ascontiguousarray(x.swapaxes(1, 2))


TILES = (part(0, 0), part(0, 24), part(16, 0), part(16, 24))
CROPS = (part(0, 0, 20, 28), part(0, 20, 20, 28), part(12, 0, 20, 28), part(12, 20, 20, 28), part(4, 12, 20, 28))


def _videos() -> dict[str, Planted]:
    table: dict[str, Planted] = {}
    seen = partial(Planted, space=VIDEO, cell=FRAMES)
    for name, order in ORDERS.items():
        table[f"video as rows {name}"] = seen(partial(video, order=order))
        table[f"video as rows {name}, a class token before"] = seen(partial(video, Beside(C, 1), order=order))
    table["video, a class token of each frame"] = seen(class_token_of_each_frame)
    for way in ("h w t", "t h w"):
        divided = partial(video, Beside(C, 1), order=ORDERS[way], after=Divided(C, 4, 24, way == "h w t"))
        table[f"divided attention, {way}"] = seen(divided)
        for inner in ("time.proj", "space.proj"):
            table[f"inside divided attention, {way}, {inner}"] = seen(divided, layer=f"block.{inner}", near=2.5)
    table["frames in the batch, (b t) c h w"] = seen(
        partial(frame_by_frame, lambda x: x.transpose(1, 2).flatten(0, 1),
                lambda x: x.unflatten(0, (-1, 4)).transpose(1, 2)))  # fmt: skip
    table["frames in the batch, (t b) c h w"] = seen(
        partial(frame_by_frame, lambda x: x.permute(2, 0, 1, 3, 4).flatten(0, 1),
                lambda x: x.unflatten(0, (4, -1)).permute(1, 2, 0, 3, 4)))  # fmt: skip
    table["frames in the batch, joined to a map behind"] = seen(
        lambda: steps(fold=lambda x: x.transpose(1, 2).flatten(0, 1), stem=patches(C), unfold=lambda x: x.unflatten(0, (-1, 4)),
                      turn=lambda x: x.transpose(1, 2), block=nn.Conv3d(C, C, 1), pool=pooled(2, 3, 4),
                      head=nn.Linear(C, 2)))  # fmt: skip
    given = partial(seen, given=frames_first)
    swap: Callable[[Tensor], Tensor] = lambda x: x.transpose(1, 2)  # noqa: E731
    for channels in (3, 4):  # as many channels as frames
        named = f"frames before channels, {channels} channels"
        table[f"{named}, as a map"] = given(
            lambda c=channels: steps(swap=swap, stem=patches(C, FRAMES, 3, c), block=nn.Conv3d(C, C, 1), pool=pooled(2, 3, 4),
                                     head=nn.Linear(C, 2)), channels=channels)  # fmt: skip
        table[f"{named}, as rows"] = given(
            lambda c=channels: nn.Sequential(*[*steps(swap).children()], *video(Beside(C, 1), into=c).children()),
            layer="4", channels=channels)  # fmt: skip
        table[f"{named}, in the batch"] = given(
            lambda c=channels: steps(fold=lambda x: x.flatten(0, 1), stem=patches(C, into=c), block=conv(C),
                                     unfold=lambda x: x.unflatten(0, (-1, 4)), pool=pooled(1, 3, 4), head=nn.Linear(C, 2)),
            channels=channels)  # fmt: skip
    table["a bag of instances, (1, k, c, h, w)"] = given(
        lambda: steps(bag=lambda x: x[0], stem=patches(C), block=conv(C), pool=pooled(2, 3), weigh=nn.Linear(C, C),
                      mean=lambda x: x.mean(0, keepdim=True), head=nn.Linear(C, 2)), images_at_once=1)  # fmt: skip
    table["frames through an image network and a recurrent one"] = given(
        lambda: steps(fold=lambda x: x.flatten(0, 1), stem=patches(C), block=conv(C), pool=pooled(2, 3),
                      unfold=lambda x: x.unflatten(0, (-1, 4)), time=nn.RNN(C, C, batch_first=True),
                      last=lambda x: x[0][:, -1], head=nn.Linear(C, 2)))  # fmt: skip
    return table


def _folded() -> dict[str, Planted]:
    table: dict[str, Planted] = {}
    for stack in (False, True):
        way = "image by image" if stack else "crop by crop"
        table[f"five crops, {way}"] = Planted(partial(crops, *CROPS, stack=stack), may=HONEST)
        table[f"four tiles, {way}"] = Planted(partial(crops, *TILES, stack=stack), may=HONEST, near=3.2)  # a tile is a cell
        table[f"a crop and its mirror, {way}"] = Planted(
            partial(crops, part(4, 4, 28, 40), lambda x: part(4, 4, 28, 40)(x).flip(3), stack=stack), may=HONEST)  # fmt: skip
        table[f"thrice the image, {way}"] = Planted(partial(crops, *(3 * [nn.Identity()]), stack=stack))
        table[f"five crops, {way}, one image"] = Planted(partial(crops, *CROPS, stack=stack), may=HONEST, images_at_once=1)
    table["the image repeated"] = Planted(
        lambda: steps(again=lambda x: x.repeat(2, 1, 1, 1), stem=patches(C), block=conv(C), pool=pooled(2, 3),
                      mean=lambda x: x.unflatten(0, (2, -1)).mean(0), head=nn.Linear(C, 2)))  # fmt: skip
    table["a bag of images, (k, c, h, w)"] = Planted(
        lambda: steps(stem=patches(C), block=conv(C), pool=pooled(2, 3), mean=lambda x: x.mean(0, keepdim=True),
                      head=nn.Linear(C, 2)), may=HONEST)  # fmt: skip
    table["channels folded into the batch"] = Planted(
        lambda: steps(fold=lambda x: x.flatten(0, 1)[:, None], stem=patches(C, into=1), block=conv(C), pool=pooled(2, 3),
                      mean=lambda x: x.unflatten(0, (-1, 3)).mean(1), head=nn.Linear(C, 2)))  # fmt: skip
    table["half of the batch at a time"] = Planted(
        lambda: steps(stem=patches(C), block=lambda x: torch.cat([part * 2 for part in x.split(1)]), pool=pooled(2, 3),
                      head=nn.Linear(C, 2)))  # fmt: skip
    return table


def _signals() -> dict[str, Planted]:
    table: dict[str, Planted] = {}
    seen = partial(Planted, space=SIGNAL, cell=(4,), channels=2)
    row = partial(tokens, d=1, into=2)
    plain: Callable[[Tensor], Tensor] = lambda x: x  # noqa: E731
    turn: Callable[[Tensor], Tensor] = lambda x: x.transpose(1, 2)  # noqa: E731
    for c in (2, 6, 24):
        table[f"signal (n, {c}, 24)"] = seen(partial(row, order=plain, c=c, after=nn.GELU(), pool=pooled(2)))
        table[f"signal (n, 24, {c})"] = seen(partial(row, order=turn, c=c))
        table[f"signal (24, n, {c})"] = seen(partial(row, order=lambda x: x.permute(2, 0, 1), c=c, pool=pooled(0)))
    table["signal (24, n, 6), 24 of them"] = seen(
        partial(row, order=lambda x: x.permute(2, 0, 1), pool=pooled(0)), images_at_once=24)  # fmt: skip
    table["signal backwards"] = seen(partial(row, lambda x: x.flip(1)))
    for before, behind in ((1, 0), (0, 1), (4, 0), (12, 0), (0, 12), (3, 4)):
        table[f"signal, {before} before and {behind} behind"] = seen(partial(row, Beside(C, before, behind)))
    table["signal, one amid"] = seen(partial(row, Beside(C, amid=(1, 9))))
    table["signal as patches of a row"] = seen(
        lambda: steps(cut=lambda x: x.unfold(2, 4, 4).permute(0, 2, 1, 3).flatten(2), stem=nn.Linear(8, C),
                      block=nn.Linear(C, C), pool=pooled(1), head=nn.Linear(C, 2)), default=HONEST)  # fmt: skip
    table["signal (n, l, c)"] = seen(
        lambda: steps(stem=nn.Linear(2, C), block=nn.Linear(C, C), pool=pooled(1), head=nn.Linear(C, 2)),
        given=frames_first, may=NEVER_WRONG)  # fmt: skip
    return table


def _volumes() -> dict[str, Planted]:
    table: dict[str, Planted] = {}
    seen = partial(Planted, space=VOLUME, cell=(4, 4, 4), channels=1)
    row = partial(tokens, d=3, into=1)
    table["volume as rows"] = seen(row)
    table["volume as rows h w d"] = seen(partial(row, order=lambda x: x.permute(0, 3, 4, 2, 1).flatten(1, 3)))
    table["volume as rows w h d, a class token"] = seen(
        partial(row, Beside(C, 1), order=lambda x: x.permute(0, 4, 3, 2, 1).flatten(1, 3)))  # fmt: skip
    table["volume as rows, one amid"] = seen(partial(row, Beside(C, amid=(1, 30))))
    table["volume, axes exchanged"] = seen(
        lambda: steps(stem=patches(C, 4, 3, 1), turn=lambda x: x.transpose(2, 4), block=nn.Conv3d(C, C, 1),
                      pool=pooled(2, 3, 4), head=nn.Linear(C, 2)))  # fmt: skip
    table["volume, mirrored in depth"] = seen(
        lambda: steps(turn=lambda x: x.flip(2), stem=patches(C, 4, 3, 1), block=nn.Conv3d(C, C, 1), pool=pooled(2, 3, 4),
                      head=nn.Linear(C, 2)))  # fmt: skip
    table["volume, slices in the batch"] = seen(
        lambda: steps(fold=lambda x: x.transpose(1, 2).flatten(0, 1), stem=patches(C, into=1), block=conv(C), pool=pooled(2, 3),
                      mean=lambda x: x.unflatten(0, (-1, 16)).mean(1), head=nn.Linear(C, 2)),
        cell=(1, 4, 4))  # fmt: skip
    table["volume, mixed by slices"] = seen(
        partial(row, Mixed(nn.Linear(C, C), lambda x: x.unflatten(1, (4, 48)).flatten(0, 1),
                           lambda x: x.unflatten(0, (-1, 4)).flatten(1, 2))))  # fmt: skip
    return table


def tables() -> dict[str, Planted]:
    return {**_videos(), **_folded(), **_signals(), **_volumes()}
