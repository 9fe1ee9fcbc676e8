"""Numbers as bars to the left and right of zero, each with its name: what a layer without space emits."""

from collections.abc import Sequence
from typing import NamedTuple

from PIL import Image, ImageDraw

from .curves import AGAINST, FOR, INK
from .lettering import Letters

WIDTH, ROW, LETTERS = 480, 20, 13  # pixels of the picture, from bar to bar, and of letters
EDGE, GAP = 10, 8  # pixels around all, and between a bar and words


class NamedNumber(NamedTuple):
    """A number, and what it is of."""

    name: str
    value: float


def bars(numbers: Sequence[NamedNumber]) -> Image.Image:
    """One bar a number below each other, red above zero and blue below, as long as the number is large: RGB."""
    letters, words = Letters(LETTERS), [f"{number.value:.4g}" for number in numbers]
    names = [letters.fitted(number.name, WIDTH / 3) for number in numbers]
    low, high = min(0.0, *(number.value for number in numbers)), max(0.0, *(number.value for number in numbers))
    left = EDGE + round(max(map(letters.width, names))) + GAP
    right = WIDTH - EDGE - round(max(map(letters.width, words))) - GAP
    scale = (right - left) / (high - low) if high > low else 0.0
    picture = Image.new("RGB", (WIDTH, ROW * len(numbers) + 2 * EDGE), "white")
    draw, zero = ImageDraw.Draw(picture), left - low * scale
    for place, (number, name, said) in enumerate(zip(numbers, names, words, strict=True)):
        middle = EDGE + ROW * place + ROW // 2
        start, end = sorted((zero, zero + number.value * scale))
        draw.rectangle((round(start), middle - 6, round(end), middle + 6), FOR if number.value > 0 else AGAINST)
        letters.write(picture, (left - GAP, middle), name, INK, "rm")
        letters.write(picture, (WIDTH - EDGE, middle), said, INK, "rm")
    draw.line((round(zero), EDGE, round(zero), picture.height - EDGE), INK)
    return picture
