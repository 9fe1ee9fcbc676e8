"""Photos with a red square at a known place, and whether the map of one lies there."""

from typing import Any

import numpy as np
from PIL import Image, ImageDraw

SIZE = (120, 80)
HALF = 5  # pixels from the square's middle to its edges


def planted(seed: int, size: tuple[int, int] = SIZE) -> tuple[Image.Image, tuple[int, int]]:
    """A photo without any red but a square, and the square's middle (x, y)."""
    draws = np.random.default_rng([seed, *size])
    small = draws.integers(40, 200, (6, 9, 3), dtype=np.uint8)
    small[..., 0] //= 3
    photo = Image.fromarray(small).resize(size, Image.Resampling.BICUBIC)
    x, y = (int(draws.integers(3 * HALF, side - 3 * HALF)) for side in size)
    ImageDraw.Draw(photo).rectangle((x - HALF, y - HALF, x + HALF - 1, y + HALF - 1), fill=(255, 0, 0))
    return photo, (x, y)


def lies_there(heatmap: Any, place: tuple[int, int], off: float = 10) -> bool:
    """Is the map's peak at the square?"""
    full = heatmap.full()
    y, x = np.unravel_index(full.argmax(), full.shape)
    return full.max() > 0 and abs(x + 0.5 - place[0]) <= off and abs(y + 0.5 - place[1]) <= off


def doubted(heatmap: Any) -> bool:
    """Does the map say that its place is not known?"""
    return any("cannot be measured" in warning for warning in heatmap.warnings)
