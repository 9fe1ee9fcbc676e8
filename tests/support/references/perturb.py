"""The methods that only ask for scores a second time: slow, plain, from their papers, and without a line of seewhy.

A reference explains one image (c, *space) in float64.  `score` gives the explained score of an image of that shape.
"""

from collections.abc import Callable, Sequence
from itertools import product
from math import exp
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

Floats = NDArray[np.float64]
Score = Callable[[Floats], float]


def starts(size: int, side: int, step: int) -> list[int]:
    """Every `step` pixels a window, as long as it lies inside; if pixels are left over, one more that ends at the edge."""
    found, at = [], 0
    while at + side <= size:
        found.append(at)
        at += step
    if found[-1] + side < size:
        found.append(size - side)
    return found


def occlusion(score: Score, x: Floats, sides: Sequence[int], steps: Sequence[int], fill: Any = 0.0) -> Floats:
    """Zeiler & Fergus 2014, sec. 4.2: hide one window, read the drop; a pixel gets the mean over the windows that hid it."""
    space = x.shape[1:]
    sides = [min(side, size) for side, size in zip(sides, space, strict=True)]
    total, count, whole = np.zeros(space), np.zeros(space), score(x)
    hide = np.broadcast_to(fill, x.shape)
    for corner in product(*(starts(*axis) for axis in zip(space, sides, steps, strict=True))):
        changed = x.copy()
        pixels = [*product(*(range(at, at + side) for at, side in zip(corner, sides, strict=True)))]
        for pixel in pixels:
            changed[(slice(None), *pixel)] = hide[(slice(None), *pixel)]
        drop = whole - score(changed)
        for pixel in pixels:
            total[pixel] += drop
            count[pixel] += 1
    assert count.min() >= 1
    return total / count


def hidden_once(score: Score, x: Floats, masks: Any, fill: Any = 0.0, channels: Any = None, within: Any = None) -> Floats:
    """Each mask (*space), of numbers from 0 to 1, hides the image once, in all channels or in these; a pixel gets the mean drop
    over the masks, each counted as far as it hides the pixel; zero where none does, and outside of a part `within`."""
    space = x.shape[1:]
    total, count, whole = np.zeros(space), np.zeros(space), score(x)
    hide = np.broadcast_to(fill, x.shape)
    for mask in masks:
        if within is not None and not any(mask[pixel] > 0 and within[pixel] for pixel in np.ndindex(space)):
            continue
        changed = x.copy()
        for k in range(len(x)) if channels is None else channels:
            changed[k] = x[k] + mask * (hide[k] - x[k])
        total += mask * (whole - score(changed))
        count += mask
    found = total / np.where(count > 0, count, 1)
    return found if within is None else np.where(within, found, 0)


def window_masks(space: Sequence[int], sides: Sequence[int], steps: Sequence[int], soft: bool = False) -> list[Floats]:
    """All windows as masks; a soft one is exp(-u^2 / 2 s^2) along each axis, s a quarter of its side, u from its centre."""
    masks = []
    for corner in product(*(starts(*axis) for axis in zip(space, sides, steps, strict=True))):
        mask = np.zeros(space)
        for offset in np.ndindex(*sides):
            depth = 1.0
            for u, side in zip(offset, sides, strict=True):
                depth *= exp(-(((u - (side - 1) / 2) / (side / 4)) ** 2) / 2) if soft else 1
            mask[tuple(a + b for a, b in zip(corner, offset, strict=True))] = depth
        masks.append(mask)
    return masks


def blocks(values: Floats, sides: Sequence[int]) -> Floats:
    """The sums over blocks of (*space), put back on all of their pixels."""
    out = np.zeros_like(values)
    for corner in np.ndindex(*(size // side for size, side in zip(values.shape, sides, strict=True))):
        at = tuple(slice(i * side, (i + 1) * side) for i, side in zip(corner, sides, strict=True))
        out[at] = values[at].sum()
    return out


def blurred(x: Floats, sigma: float) -> Floats:
    """(c, h, w) under a Gaussian of `sigma` of each side; beyond an edge its pixels go on."""
    for axis in (1, 2):
        size, lines = x.shape[axis], np.moveaxis(x, axis, 0)
        out = np.zeros_like(lines)
        for i in range(size):
            bell = {j: exp(-((i - j) ** 2) / (2 * (sigma * size) ** 2)) for j in range(i - size, i + size + 1)}
            for j, b in bell.items():
                out[i] += b * lines[min(max(j, 0), size - 1)] / sum(bell.values())
        x = np.moveaxis(out, 0, axis)
    return x


def rise_share(pixel: int, shift: float, size: int, cells: int) -> dict[int, float]:
    """Which cells a pixel lies between along one axis, and how much it has of each: the grid of `cells` is stretched over the
    image and one cell more, and the image is cut out of that at `shift` cells from its beginning."""
    cell = size / cells
    wide = (size + cell) / cells  # a cell, stretched
    at = (shift * cell + pixel + 0.5) / wide - 0.5  # 0 in the middle of the first cell
    if at <= 0:
        return {0: 1.0}
    if at >= cells - 1:
        return {cells - 1: 1.0}
    below = int(at)
    return {below: 1 - (at - below), below + 1: at - below} if at > below else {below: 1.0}


def rise_masks(count: int, space: Sequence[int], cells: int, keep: float, seed: int) -> Floats:
    """Petsiuk et al. 2018, sec. 3.2: (count, *space)."""
    rng, d = np.random.default_rng(seed), len(space)
    masks = np.zeros((count, *space))
    for mask in masks:
        drawn = rng.random(cells**d + d)
        grid = (drawn[: cells**d] < keep).reshape([cells] * d)
        for pixel in product(*map(range, space)):
            own = [rise_share(p, s, n, cells) for p, s, n in zip(pixel, drawn[cells**d :], space, strict=True)]
            for cell in product(*own):
                mask[pixel] += grid[cell] * np.prod([share[i] for share, i in zip(own, cell, strict=True)])
    return masks


def rise(score: Score, x: Floats, masks: Floats, fill: float = 0.0) -> Floats:
    """Petsiuk et al. 2018, eq. 6, divided by the sum of the masks in place of its expectation."""
    total, seen = np.zeros(x.shape[1:]), np.zeros(x.shape[1:])
    for mask in masks:
        total += score(fill + (x - fill) * mask) * mask
        seen += mask
    return total / seen


def rise_of_linear(wx: Floats, bias: float, cells: int, keep: float, steps: int = 200) -> Floats:
    """What RISE is expected to find for y = sum_p wx_p M_p + bias: sum_p wx_p E[M_p M_q] / E[M_q] + bias at pixel q.

    Cells are on with the chance `keep`, each by itself, so E[M_q] = keep and E[M_p M_q] is keep^2, and keep (1 - keep) for each
    cell that both have a share in; the shares are those of each axis, multiplied, and averaged over the shift.
    """
    both = []
    for size in wx.shape:
        own = np.zeros((size, size))
        for shift in (np.arange(steps) + 0.5) / steps:
            shares = [rise_share(p, shift, size, cells) for p in range(size)]
            for p, q in product(range(size), range(size)):
                own[p, q] += sum(share * shares[q].get(cell, 0.0) for cell, share in shares[p].items()) / steps
        both.append(own)
    met = np.einsum("pq,rs,pr->qs", *both, wx)
    return bias + keep * wx.sum() + (1 - keep) * met


def stretched(mask: Floats) -> Floats:
    low, high = mask.min(), mask.max()
    return (mask - low) / (high - low) if high > low else np.zeros_like(mask)


def larger(mask: Floats, space: Sequence[int], corners: bool = False) -> Floats:
    found = F.interpolate(torch.tensor(mask)[None, None], tuple(space), mode="bilinear", align_corners=corners)
    return found[0, 0].numpy()


def softmax(scores: Sequence[float]) -> list[float]:
    parts = [exp(one - max(scores)) for one in scores]
    return [part / sum(parts) for part in parts]


def score_cam_scores(
    score: Score, x: Floats, a: Floats, fill: Any = 0.0, base: float = 0.0, corners: bool = False, first: bool = False
) -> list[float]:
    """Wang et al. 2020, eq. 4-6: of each channel of a (k, h, w) the score of the image behind it, less that of a baseline.

    corners: enlarge as pytorch-grad-cam does; first: stretch before enlarging, as torchcam does.
    """
    found = []
    for channel in a:
        up = larger(stretched(channel) if first else channel, x.shape[1:], corners)
        mask = up if first else stretched(up)
        found.append(score(fill + (x - fill) * mask) - base)
    return found


def ss_cam_scores(score: Score, x: Floats, a: Floats, noises: Floats) -> list[float]:
    """Wang et al. 2020 (SS-CAM), type 1: noise (k, samples, h, w) on the channel; the mean score over the samples."""
    found = []
    for channel, own in zip(a, noises, strict=True):
        given = [score(x * stretched(larger(channel + noise, x.shape[1:]))) for noise in own]
        found.append(sum(given) / len(given))
    return found


def is_cam_scores(score: Score, x: Floats, a: Floats, shares: Sequence[float]) -> list[float]:
    """Naidu et al. 2020: the mean score over shares of the mask, in the paper 1/N to N/N."""
    found = []
    for channel in a:
        mask = stretched(larger(channel, x.shape[1:]))
        found.append(sum(score(x * share * mask) for share in shares) / len(shares))
    return found


def raw(network: nn.Module, layer: str, image: Floats) -> Tensor:
    """What a module emits for an image, as it emits it: (1, ...)."""
    kept: list[Tensor] = []
    edited(network, layer, image, lambda out: kept.append(out.clone()) or out)
    return kept[0]


def edited(network: nn.Module, layer: str, image: Floats, edit: Callable[[Tensor], Tensor]) -> Floats:
    """The scores (k,) of a full pass while a hook edits what one module emits."""
    handle = network.get_submodule(layer).register_forward_hook(lambda _module, _args, out: edit(out.clone()))
    try:
        with torch.no_grad():
            return network(torch.tensor(image[None], dtype=torch.float64))[0].numpy()
    finally:
        handle.remove()


def where(layout: str, width: int, channel: Any, cell: Any) -> tuple[Any, ...]:
    """The place in what a module emits: "first" (1, c, h, w), "last" (1, h, w, c) or "tokens" (1, 1 + h * w, c)."""
    i, j = cell
    if layout == "first":
        return (0, channel, i, j)
    if layout == "last":
        return (0, i, j, channel)
    return (0, 1 + i * width + j, channel)


def turned(emitted: Tensor, layout: str, space: Sequence[int]) -> Floats:
    """(c, h, w)"""
    channels = emitted.shape[1 if layout == "first" else -1]
    a = np.zeros((channels, *space))
    for k, i, j in product(range(channels), range(space[0]), range(space[1])):
        a[k, i, j] = emitted[where(layout, space[1], k, (i, j))]
    return a


def ablated(network: nn.Module, layer: str, image: Floats, layout: str, space: Sequence[int]) -> Floats:
    """Desai & Ramaswamy 2020: the scores (c, k) when one channel of the layer is zero, everywhere in the image."""
    cells = [*product(range(space[0]), range(space[1]))]

    def without(channel: int) -> Callable[[Tensor], Tensor]:
        def edit(out: Tensor) -> Tensor:
            for cell in cells:
                out[where(layout, space[1], channel, cell)] = 0
            return out

        return edit

    channels = raw(network, layer, image).shape[1 if layout == "first" else -1]
    return np.stack([edited(network, layer, image, without(channel)) for channel in range(channels)])


def recipro_cam(network: nn.Module, layer: str, image: Floats, layout: str, space: Sequence[int]) -> Floats:
    """Byun & Lee 2022: the scores (k, h, w) when one cell of the layer is left, less those when none is."""
    cells = [*product(range(space[0]), range(space[1]))]

    def only(kept: tuple[int, int] | None) -> Callable[[Tensor], Tensor]:
        def edit(out: Tensor) -> Tensor:
            for cell in cells:
                if cell != kept:
                    out[where(layout, space[1], slice(None), cell)] = 0
            return out

        return edit

    none = edited(network, layer, image, only(None))
    found = np.stack([edited(network, layer, image, only(cell)) - none for cell in cells])
    return found.T.reshape(-1, *space)
