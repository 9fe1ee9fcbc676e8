"""Text in pictures: evenly spaced at any size, and in a font that has its letters."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import chain
from typing import Any
from unicodedata import category, normalize

import numpy as np
from PIL import Image

FINER = 3  # text is drawn this many times larger and then reduced, as Pillow puts each letter at a whole pixel
FONTS = (  # of Linux, Windows and macOS, for letters that the font in Pillow, which is used first, lacks
    "DejaVuSans.ttf", "NotoSans-Regular.ttf", "NotoSansCJK-Regular.ttc", "wqy-microhei.ttc", "DroidSansFallbackFull.ttf",
    "segoeui.ttf", "msyh.ttc", "msgothic.ttc", "malgun.ttf", "Arial Unicode.ttf", "PingFang.ttc", "AppleSDGothicNeo.ttc",
)  # fmt: skip


@dataclass(frozen=True)
class Letters:
    """Letters of a font, `size` pixels high; file: of a font of the system, or None: the one that comes with Pillow."""

    size: int
    file: str | None = None

    @classmethod
    def of(cls, text: str, size: float) -> "Letters":
        """Of that size, in the first font that has all letters of the text, else in the one that has most of them."""
        text = normalize("NFC", text)
        some = {letter for letter in text if not _plain(letter)}
        best, most = None, sum(_has(None, letter) for letter in some)
        for file in FONTS if most < len(some) else ():
            if _font(file, 20) is not None and (count := sum(_has(file, letter) for letter in some)) > most:
                best, most = file, count
            if most == len(some):
                break
        return cls(max(1, round(size)), best)

    @property
    def line(self) -> int:
        """From one line of text to the next, in pixels."""
        return round(self.size * 1.5)

    @property
    def ascent(self) -> float:
        """From the top of a line to the foot of its letters, in pixels."""
        return self._font.getmetrics()[0] / FINER

    @property
    def path(self) -> str | None:
        """The file of the font, if it is one of the system's."""
        return None if self.file is None else str(self._font.path)

    def width(self, text: str) -> float:
        """How wide the text is, in pixels."""
        return self._font.getlength(self.shown(text)) / FINER

    def shown(self, text: str) -> str:
        """The text in letters that the font has: an accent is left out where it lacks that (a for ä), and any other letter
        written by its number, as Python does: \\u864e.
        """
        return "".join(c if _plain(c) or _has(self.file, c) else self._instead(c) for c in normalize("NFC", text))

    def _instead(self, letter: str) -> str:
        bare = "".join(c for c in normalize("NFKD", letter.replace("ß", "ss")) if category(c) != "Mn")
        known = bare and all(_plain(c) or _has(self.file, c) for c in bare)
        return bare if known else letter.encode("unicode_escape").decode("ascii")

    def write(
        self, picture: Image.Image, at: tuple[float, float], text: str, ink: Any = "black", anchor: str = "la", halo: Any = None
    ) -> None:
        """Draw the text into a picture.

        at: the place of its anchor (as in Pillow: "la" is its left end at the top), in pixels; halo: the colour of an edge of
        two pixels around it.
        """
        for colour, edge in ((halo, 2), (ink, 0)) if halo is not None else ((ink, 0),):
            mask, corner = self._mask(self.shown(text), at, anchor, edge)
            picture.paste(colour, (*corner, corner[0] + mask.width, corner[1] + mask.height), mask)

    def _mask(self, text: str, at: tuple[float, float], anchor: str, edge: int) -> tuple[Image.Image, tuple[int, int]]:
        """How much of each pixel the text covers, as a grey picture; and where in the picture its upper left corner lies."""
        from PIL import ImageDraw  # here, for importing it takes as long as much of seewhy does

        x, y = (round(FINER * place) for place in at)
        left, top, right, bottom = self._font.getbbox(text, anchor=anchor, stroke_width=edge * FINER)
        corner = int((x + left) // FINER), int((y + top) // FINER)
        size = int(-(-(x + right) // FINER)) - corner[0], int(-(-(y + bottom) // FINER)) - corner[1]
        large = Image.new("L", (max(1, size[0]) * FINER, max(1, size[1]) * FINER))
        place = x - FINER * corner[0], y - FINER * corner[1]
        self._draw(ImageDraw.Draw(large), place, text, anchor, edge * FINER)
        return large.reduce(FINER), corner

    def _draw(self, draw: Any, place: tuple[float, float], text: str, anchor: str, edge: int) -> None:
        """Draw the text, in halves where Pillow would take it for a photo larger than may be read."""
        left, top, right, bottom = self._font.getbbox(text, anchor=anchor, stroke_width=edge)
        if len(text) < 2 or (right - left) * (bottom - top) < (Image.MAX_IMAGE_PIXELS or np.inf):
            draw.text(place, text, 255, self._font, anchor=anchor, stroke_width=edge)
            return
        start, half = place[0] - self._font.getlength(text) * {"l": 0, "m": 0.5, "r": 1}[anchor[0]], len(text) // 2
        self._draw(draw, (start, place[1]), text[:half], f"l{anchor[1]}", edge)
        self._draw(draw, (start + self._font.getlength(text[:half]), place[1]), text[half:], f"l{anchor[1]}", edge)

    def wrapped(self, text: str, width: float) -> list[str]:
        """The text in lines that are not wider than that many pixels."""
        lines, end = [""], 0.0
        for word in chain.from_iterable(self._parted(word, width) for word in text.split(" ")):
            end += self.width(f" {word}" if lines[-1] else word)
            if end <= width or not lines[-1]:
                lines[-1] = f"{lines[-1]} {word}".strip(" ")
            else:
                lines.append(word)
                end = self.width(word)
        return lines

    def _parted(self, word: str, width: float) -> Iterator[str]:
        """A word cut into pieces that each fit into a line, as the name of a layer can be long."""
        piece = ""
        for letter in word if self.width(word) > width else ():
            if piece and self.width(piece + letter) > width:
                yield piece
                piece = ""
            piece += letter
        yield piece or word

    def fitted(self, text: str, width: float) -> str:
        """The text, its end cut off where it is wider than that."""
        if self.width(text) <= width:
            return text
        while text and self.width(f"{text}...") > width:
            text = text[:-1]
        return f"{text}..."

    @property
    def _font(self) -> Any:
        return _font(self.file, self.size * FINER)


def _plain(letter: str) -> bool:
    return " " <= letter <= "~"


@cache
def _font(file: str | None, size: int) -> Any:
    """The font, or None where the system has none of that name."""
    from PIL import ImageFont  # here, for importing it takes as long as much of seewhy does

    if file is None:  # laid out the same way on every system
        return ImageFont.load_default(size).font_variant(layout_engine=ImageFont.Layout.BASIC)  # type: ignore[union-attr]
    try:
        return ImageFont.truetype(file, size)
    except OSError:
        return None


@cache
def _has(file: str | None, letter: str) -> bool:
    """Whether the font draws the letter as such, and not as what stands for all that it lacks."""
    if category(letter) == "Cs":  # half of a surrogate pair, in the names of files that are no UTF-8: no font draws it
        return False
    font = _font(file, 20)
    return bytes(font.getmask(letter)) != bytes(font.getmask("\uffff"))
