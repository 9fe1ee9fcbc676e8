"""Which axes of an activation are channels and which are space.

Told from the input's own space: 224x224 pixels become (c, 7, 7), (7, 7, c) or 1 + 7 * 7 tokens of c numbers, and only
one of these readings keeps the picture's proportions.
"""

from math import isqrt, log
from typing import NamedTuple

from ..image import Array

FIRST, LAST, TOKENS = "channels first", "channels last", "tokens"
MOST_PREFIX = 9  # class, distillation and register tokens before those of the image


class Layout(NamedTuple):
    """How to turn what a layer emits into (..., c, *space)."""

    kind: str
    channels: int
    space: tuple[int, ...]
    prefix: int = 0  # tokens that belong to no place

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.channels, *self.space)

    def turn(self, x: Array) -> Array:
        """An activation (n, ...) or gradients (t, n, ...) with the channels before the space."""
        if self.kind == FIRST:
            return x
        if self.kind == LAST:
            return x.movedim(-1, -1 - len(self.space))
        tokens = x[..., self.prefix :, :].movedim(-1, -2)
        return tokens.reshape(*tokens.shape[:-1], *self.space)

    def back(self, x: Array, emitted: Array) -> Array:
        """Activations (m, c, *space) as the layer emits them; tokens that belong to no place are those `emitted` (1, ...)."""
        if self.kind == FIRST:
            return x
        if self.kind == LAST:
            return x.movedim(-1 - len(self.space), -1)
        whole = emitted.repeat(len(x), 1, 1)
        whole[:, self.prefix :] = x.reshape(*x.shape[:2], -1).movedim(-1, -2)
        return whole

    def distorts(self, space: tuple[int, ...]) -> float:
        """How far the map's proportions are from the input's, as the logarithm of their ratio."""
        return _distortion(self.space, space)


def layout(shape: tuple[int, ...], space: tuple[int, ...]) -> Layout | None:
    """The layout of an activation of `shape` (n, ...), from an input of `space`; None where there is no space left."""
    if len(shape) == 2 + len(space):
        first = Layout(FIRST, shape[1], shape[2:])
        last = Layout(LAST, shape[-1], shape[1:-1])
        return last if last.distorts(space) + 0.05 < first.distorts(space) else first
    if len(shape) == 3 and len(space) == 2:
        found, other = _tokens(shape[1], shape[2], space), _tokens(shape[2], shape[1], space)
        flattened = found and found.prefix > 1 and other and other.prefix == 0  # (n, c, h * w), channels first
        return None if flattened else found
    return None


def _distortion(cells: tuple[int, ...], space: tuple[int, ...]) -> float:
    if 0 in cells:
        return float("inf")
    strides = [log(pixels / cell) for pixels, cell in zip(space, cells, strict=True)]
    return max(strides) - min(strides)


def _tokens(count: int, channels: int, space: tuple[int, ...]) -> Layout | None:
    height, width = space
    for prefix in range(min(MOST_PREFIX, count - 1) + 1):
        rows = isqrt((count - prefix) * height // width)
        for h in (rows, rows + 1):
            w = (count - prefix) // h if h else 0
            if h * w == count - prefix and h * width == w * height:
                return Layout(TOKENS, channels, (h, w), prefix)
    return None
