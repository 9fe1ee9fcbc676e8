"""Networks whose truth is planted: where a bright cell of the image lies, a map must lie, or be refused with a reason."""

import re
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

import seewhy
from seewhy.errors import SeewhyError

Floats = NDArray[np.float64]
RIGHT, REFUSED, WRONG = "right", "refused", "WRONG"
SAID = "said"  # drawn evenly, and a warning says why its places are not known
EARLY = "early"  # right, but the default layer is the first of all, though later ones can be drawn
DRAWN = (RIGHT,)  # what may come of a question: the map, where it lies
UNKNOWN = (REFUSED,)  # what is asked for has no place in the image
HONEST = (RIGHT, REFUSED)  # the map or a refusal, whichever is in the library's power
NEVER_WRONG = (RIGHT, REFUSED, SAID)
SPOTS = ((0.6, 0.2), (0.3, 0.6), (0.7, 0.4))  # of the bright cell, as shares of the last two sides: no turn takes one to itself
MOMENTS = (0.4, 0.1, 0.8)  # the same of the axis before them
NEAR = 0.75
TRUE = re.compile(r"no space|no place|is not known")  # of what is not in the image
PLACES = re.compile(r"lies|place|mirror|turn|warp|evenly|receptive")


class Planted(NamedTuple):
    """A network, the images it takes, where in it a map is asked for, and what may come of it."""

    build: Callable[[], nn.Module]
    layer: str = "block"  # asked by its name; "" for none
    space: tuple[int, ...] = (32, 48)
    cell: tuple[int, ...] = (4, 4)  # in pixels
    channels: int = 3
    may: tuple[str, ...] = DRAWN  # come of the named layer
    default: tuple[str, ...] | None = None  # may come of no layer named; None: the same
    asks: tuple[str, ...] = ("grad_cam",)  # methods that are asked at the layer
    whole: tuple[str, ...] = ("hires_cam",)  # methods that are asked with no layer named
    options: Mapping[str, Any] = MappingProxyType({})  # of wrap
    given: Callable[[Floats], Floats] = lambda x: x  # the images as the network takes them, of (n, c, *space)
    images_at_once: int = 3
    near: float = NEAR  # in cells: how far from the bright cell the middle of the map may lie
    spread: int | None = None  # an axis along which the network mixes all cells, so that a map may be of one cell there

    def network(self) -> nn.Module:
        return planted(self.build())

    def spots(self) -> list[tuple[int, ...]]:
        """The bright cell of each image."""
        shares = [(moment, *spot)[-len(self.space) :] for moment, spot in zip(MOMENTS, SPOTS, strict=True)]
        grid = [side // cell for side, cell in zip(self.space, self.cell, strict=True)]
        cells = [tuple(int(share * size) for share, size in zip(each, grid, strict=True)) for each in shares]
        return [cells[i % len(cells)] for i in range(self.images_at_once)]

    def images(self) -> Floats:
        """(n, c, *space): dark, with one bright cell each."""
        x = np.zeros((self.images_at_once, self.channels, *self.space))
        for image, spot in zip(x, self.spots(), strict=True):
            image[(slice(None), *(slice(i * k, i * k + k) for i, k in zip(spot, self.cell, strict=True)))] += 1
        return self.given(x)


class Verdict(NamedTuple):
    """What came of a question, and in words why."""

    kind: str
    words: str


def planted(network: nn.Module) -> nn.Module:
    """The network in float64 with weights above zero, so that what it emits is as bright as what it sees there."""
    draw = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for module in network.double().eval().modules():
            if isinstance(module, nn.Linear | nn.modules.conv._ConvNd | nn.RNNBase):
                for name, parameter in module.named_parameters(recurse=False):
                    even = torch.rand(parameter.shape, generator=draw) * 0.2 + 0.9
                    parameter.copy_(even / parameter[0].numel() if "weight" in name else torch.zeros(parameter.shape))
    return network


def questions(row: Planted) -> Iterable[tuple[str, str | None, tuple[str, ...]]]:
    """The questions that are asked of a network: method, layer, and what may come of it."""
    yield from ((method, row.layer, row.may) for method in row.asks if row.layer)
    default = row.may if row.default is None else row.default
    yield from ((method, None, default) for method in row.whole)


def answered(row: Planted, method: str, layer: str | None, model: Any = None) -> Verdict:
    """What a method says of the images: of several maps of an image, each must lie at its bright cell or be flat."""
    model = model or seewhy.wrap(row.network(), **row.options)
    ask = seewhy.attention if method == "attention" else getattr(seewhy, method)
    try:
        maps = ask(model, row.images(), **({} if layer is None else {"layer": layer}))
    except SeewhyError as error:
        words = f"{type(error).__name__}: {error}"
        return Verdict(WRONG if row.may == UNKNOWN and not TRUE.search(words) else REFUSED, words)
    verdicts = [judged(m, row, m.place) for m in maps]
    lying = [verdict for verdict in verdicts if verdict.kind != "flat"]
    if layer is None and maps[0].source.layer == "stem" and row.layer and row.may == DRAWN:
        lying = [Verdict(EARLY, v.words) if v.kind == RIGHT else v for v in lying]
    if len({m.place for m, verdict in zip(maps, verdicts, strict=True) if verdict.kind != "flat"}) < row.images_at_once:
        return Verdict(WRONG, f"a map is flat at {maps[0].source.layer}")
    return next((v for kind in (WRONG, SAID, EARLY, RIGHT) for v in lying if v.kind == kind), Verdict(WRONG, "no map at all"))


def judged(heatmap: Any, row: Planted, place: int) -> Verdict:
    """Does the map lie at the bright cell of that image?"""
    at = f"at {heatmap.source.layer} {'x'.join(map(str, heatmap.values.shape))}"
    full = heatmap.full().astype(float)
    if full.shape != row.space:
        return Verdict(WRONG, f"{at}: drawn over {full.shape} in place of {row.space}")
    middle = middle_of(full)
    if middle is None:
        return Verdict("flat", at)
    off = [(m + 0.5) / k - (i + 0.5) for m, k, i in zip(middle, row.cell, row.spots()[place], strict=True)]
    lies = f"{at}: {', '.join(f'{by:+.1f}' for by in off)} cells from the bright one"
    told = [by for a, by in enumerate(off) if a != row.spread or heatmap.values.shape[a] > 1]
    if max(map(abs, told)) <= row.near:
        return Verdict(RIGHT, lies)
    notes = [note for note in heatmap.warnings if PLACES.search(note)]
    if notes and heatmap.source.geometry == "plain":
        return Verdict(SAID, f"{lies}; {notes[0]}")
    return Verdict(WRONG, lies)


def middle_of(full: Floats) -> list[float] | None:
    """The middle of what stands out of a map, per axis in pixels; None of a flat map."""
    high = full - np.quantile(full, 0.3)
    if high.max() <= 1e-6 * max(abs(full).max(), 1e-30):
        return None
    energy = high.clip(min=0) ** 2
    return [float((energy.sum(tuple(b for b in range(full.ndim) if b != a)) * np.arange(side)).sum() / energy.sum())
            for a, side in enumerate(full.shape)]  # fmt: skip
