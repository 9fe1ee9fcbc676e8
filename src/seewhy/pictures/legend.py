"""What stands below a picture: what the map is, and a bar of its colours with the numbers that they stand for."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .lettering import Letters
from .render import Below, Look, mask, room_above, shares
from .stretching import Size

NARROWEST = 220  # pixels of a legend; a narrower picture stands in its middle
SMALLEST = 12  # pixels of its letters


class TextMark(NamedTuple):
    """A text and the place of its anchor, which is named as in Pillow: "la", "ma", "ra" for left, middle and right."""

    x: float
    y: float
    text: str
    anchor: str = "la"


@dataclass(frozen=True)
class Legend:
    """A strip of white with texts and a bar of colours: where each of them lies, in pixels."""

    width: int
    height: int
    letters: Letters
    texts: tuple[TextMark, ...]
    look: Look | None = None  # whose colours the bar shows
    bar: tuple[int, int, int, int] = (0, 0, 0, 0)  # left, top, right, bottom

    @classmethod
    def of(cls, width: int, look: Look | None, caption: str, largest: float = np.inf, magnify: float = 1) -> "Legend":
        """Below a picture of that width: the caption, and what the colours mean.

        largest: pixels of its letters; magnify: the picture is drawn so many times larger than it is to be looked at.
        """
        width = max(width, round(NARROWEST * magnify))
        letters = Letters.of(caption, min(max(SMALLEST * magnify, width // 30), largest))
        line, edge = letters.line, letters.line // 2
        lines = letters.wrapped(caption.replace(" %", "\u00a0%"), width - line)
        texts = [TextMark(edge, line // 3 + place * line, text) for place, text in enumerate(lines)]
        height, top = line * len(lines) + edge, edge + len(lines) * line
        if look is None:
            return cls(width, height, letters, tuple(texts))
        bar = edge, top, width - line + edge, top + line // 2
        texts += _numbers(look, bar, letters)
        return cls(width, height + 2 * line, letters, tuple(texts), look, bar)

    def colours(self) -> NDArray[np.uint8]:
        """The colours of the bar from left to right: (pixels, 3)."""
        assert self.look is not None
        ramp = np.linspace(self.look.low, self.look.high, self.bar[2] - self.bar[0])
        return self.look.paint(ramp[None])[0]

    def coloured(self, size: Size) -> Image.Image:
        """The bar; where colours are as opaque as the value is large, over grey squares, which show through as a photo does."""
        assert self.look is not None
        bar = Image.fromarray(self.colours()[None]).resize(size)
        if not self.look.by_value:
            return bar
        ramp = np.linspace(self.look.low, self.look.high, size[0])
        return Image.composite(bar, _squares(size), mask(np.tile(self.look.alpha * shares(ramp, self.look), (size[1], 1))))

    def drawn(self) -> Image.Image:
        """The strip as a picture: RGB."""
        strip = Image.new("RGB", (self.width, self.height), "white")
        if self.look:
            left, top, right, bottom = self.bar
            strip.paste(self.coloured((right - left, bottom - top)), (left, top))
        for mark in self.texts:
            self.letters.write(strip, (mark.x, mark.y), mark.text, anchor=mark.anchor)
        return strip


def _squares(size: Size) -> Image.Image:
    """Light and dark squares, two rows of them, as stand for what is transparent."""
    side = max(1, size[1] // 2)
    x, y = (np.arange(length) // side for length in size)
    return Image.fromarray(np.where((x + y[:, None]) % 2, 205, 160).astype(np.uint8)).convert("RGB")


def _numbers(look: Look, bar: tuple[int, int, int, int], letters: Letters) -> list[TextMark]:
    """The numbers at the ends of the bar, and a zero in the middle where that is what the middle means and there is room."""
    left, _, right, bottom = bar
    y, (low, high) = bottom + letters.line // 8, (f"{end + 0.0:.3g}" for end in (look.low, look.high))
    marks = [TextMark(left, y, low)]
    if look.high > look.low:
        marks.append(TextMark(right, y, high, "ra"))
        free = (right - left) / 2 - max(letters.width(low), letters.width(high))
        if look.centred and free > letters.size:
            marks.append(TextMark((left + right) / 2, y, "0", "ma"))
    return marks


class Plate(NamedTuple):
    """A picture and its legend, each drawn when it is needed."""

    draw: Callable[[Below | None], Image.Image]  # the picture, over what is to stand below it
    legend: Callable[[int], Legend]  # from the picture's width

    def drawn(self, legend: bool) -> Image.Image:
        """The picture, over its legend if that is wanted."""
        return self.draw((lambda width: self.legend(width).drawn()) if legend else None)


def with_legend(picture: Image.Image, look: Look | None, caption: str, largest: float = np.inf) -> Image.Image:
    """The picture over its legend."""
    return over(picture, Legend.of(picture.width, look, caption, largest).drawn())


def over(picture: Image.Image, strip: Image.Image) -> Image.Image:
    """The picture above the strip, in its middle."""
    out, left = room_above(picture.size, strip)
    out.paste(picture, (left, 0))
    return out
