"""Which axes of an activation are channels and which are space.

They are told apart by the space of the network's input: 224x224 pixels become (c, 7, 7) or (7, 7, c), and only one of these
readings keeps the picture's proportions.  Where the tokens of a row lie in the image is determined in `tokens.py`.
"""

from collections.abc import Iterable, Mapping
from math import log, prod
from types import MappingProxyType
from typing import NamedTuple

from seewhy.arrays import Array

FIRST, LAST, TOKENS, SEQUENCE = "channels first", "channels last", "tokens", "tokens before the batch"


class Layout(NamedTuple):
    """How to turn what a layer emits into (..., c, *space)."""

    kind: str
    channels: int
    space: tuple[int, ...]
    prefix: int = 0  # how many tokens without a place stand before those of the image
    suffix: int = 0  # and how many behind them

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.channels, *self.space)

    def turn(self, x: Array) -> Array:
        """An activation (n, ...) or gradients (t, n, ...) with the channels before the space."""
        if self.kind == FIRST:
            return x
        if self.kind == LAST:
            return x.movedim(-1, -1 - len(self.space))
        x = x.movedim(-3, -2) if self.kind == SEQUENCE else x
        tokens = x[..., self._image_tokens, :].movedim(-1, -2)
        return tokens.reshape(*tokens.shape[:-1], *self.space)

    def back(self, x: Array, emitted: Array) -> Array:
        """Activations (m, c, *space) in the layer's order of axes, with the tokens without a place of `emitted` (1, ...)."""
        if self.kind == FIRST:
            return x
        if self.kind == LAST:
            return x.movedim(-1 - len(self.space), -1)
        if self.kind == SEQUENCE:
            whole = emitted.repeat(1, len(x), 1)
            whole[self._image_tokens] = x.reshape(*x.shape[:2], -1).movedim(-1, 0)
            return whole
        whole = emitted.repeat(len(x), 1, 1)
        whole[:, self._image_tokens] = x.reshape(*x.shape[:2], -1).movedim(-1, -2)
        return whole

    @property
    def _image_tokens(self) -> slice:
        return slice(self.prefix, self.prefix + prod(self.space))

    def distorts(self, space: tuple[int, ...]) -> float:
        """By how much the map's proportions differ from the input's: the logarithm of their ratio."""
        return _distortion(self.space, space)


LayoutsByLength = Mapping[int, Layout]  # by the number of tokens: the layout of such a row, with any number of channels
EmissionSides = tuple[int, int]  # (a, b) of an emission (n, a, b), or of (a, n, b)


class NetworkGrids(NamedTuple):
    """The grids that a network's activations are known to have."""

    tokens: LayoutsByLength
    grids: frozenset[tuple[int, ...]]
    signals: Mapping[tuple[int, EmissionSides], Layout | None] = MappingProxyType({})  # see `signals.SignalLayouts`


def layout(
    shape: tuple[int, ...],
    space: tuple[int, ...],
    n: int,
    known: NetworkGrids,
    first: bool = False,
    grid: tuple[int, ...] | None = None,
) -> Layout | None:
    """The layout of an activation of `shape`, from n inputs of `space` (h, w) or more; None where there is no space left.

    first: the channels are known to come first, as behind a convolution; grid: the grid of this activation, if it is known.
    Any other grid must be one that the network is known to have, or divide the image into squares: axes of heads, tokens and
    channels are no space.
    """
    tokens = known.tokens
    if len(shape) == 2 + len(space) and shape[0] == n:
        before, behind = Layout(FIRST, shape[1], shape[2:]), Layout(LAST, shape[-1], shape[1:-1])
        if first or before.space == space:  # the size of the image itself: (n, 1, l) is no row of l channels
            return before
        likely = (behind, before) if behind.distorts(space) + 0.05 < before.distorts(space) else (before, behind)
        true = [lies for lies in likely if lies.space == grid] or [lies for lies in likely if squares(lies.space, space)]
        return next(iter([*true, *(lies for lies in likely if lies.space in known.grids)]), None)
    if len(shape) != 3:
        return None
    if shape[0] == n and shape[1] in tokens:
        return tokens[shape[1]]._replace(kind=TOKENS, channels=shape[2])
    if shape[1] == n and shape[0] in tokens:
        return tokens[shape[0]]._replace(kind=SEQUENCE, channels=shape[2])
    return None


def squares(grid: tuple[int, ...], space: tuple[int, ...]) -> bool:
    """Do the cells divide the space exactly into squares of whole pixels?  A single cell always does."""
    if {*grid} == {1}:
        return True
    if len(grid) != len(space) or any(not c or pixels % c for pixels, c in zip(space, grid, strict=True)):
        return False
    return len({pixels // cells for pixels, cells in zip(space[-2:], grid[-2:], strict=True)}) == 1


def halved(grids: Iterable[tuple[int, ...]]) -> set[tuple[int, ...]]:
    """Half of each grid, rounded up and down, and half of that."""
    once = {half for grid in grids for half in _halves(grid)}
    return once | {half for grid in once for half in _halves(grid)}


def _halves(grid: tuple[int, ...]) -> list[tuple[int, ...]]:
    both = [tuple(-(-side // 2) for side in grid), tuple(side // 2 for side in grid)]
    return [half for half in both if min(half, default=0) > 0]


def _distortion(cells: tuple[int, ...], space: tuple[int, ...]) -> float:
    if 0 in cells:
        return float("inf")
    strides = [log(pixels / cell) for pixels, cell in zip(space[-2:], cells[-2:], strict=True)]  # not the axis of time
    return max(strides) - min(strides)
