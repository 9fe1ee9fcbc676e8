"""Marks that are pasted into photos: two kinds, which look like nothing else and unlike each other."""

from math import ceil, floor
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seewhy.errors import NotApplicable
from seewhy.images.places import Extent, Where

KINDS = 2
SHARE, LEAST = 0.3, 8  # of the shorter side of what the network sees; pixels at least
PARTS = 4  # rings, and checks along a side
COLOURS = (((230, 30, 30), (255, 255, 255)), ((20, 40, 200), (250, 220, 20)))


class Square(NamedTuple):
    """Where a mark lies, in pixels of the photo."""

    left: int
    top: int
    side: int

    @property
    def box(self) -> tuple[float, float, float, float]:
        return self.left, self.top, self.left + self.side, self.top + self.side


def mark(kind: int, side: int) -> NDArray[np.uint8]:
    """A square (side, side, 3): red and white rings (0), or blue and yellow checks (1)."""
    at = (np.arange(side) + 0.5) / side
    y, x = np.meshgrid(at, at, indexing="ij")
    parts = np.hypot(x - 0.5, y - 0.5) * 2 * PARTS if kind == 0 else np.floor(x * PARTS) + np.floor(y * PARTS)
    return np.array(COLOURS[kind], np.uint8)[np.floor(parts).astype(int) % 2]


def place(seen: Where, rng: np.random.Generator) -> Square:
    """A place for a mark by chance, within what the network sees of a photo.

    Raises NotApplicable where that is no upright part of a photo, or too small.
    """
    if not isinstance(seen, Extent):
        raise NotApplicable("Marks are pasted into photos of which the network sees an upright part.")
    left, top, right, bottom = ceil(seen.left), ceil(seen.top), floor(seen.right), floor(seen.bottom)
    side = max(LEAST, round(SHARE * min(right - left, bottom - top)))
    if min(right - left, bottom - top) < 2 * side:
        raise NotApplicable(f"The network sees {right - left} x {bottom - top} pixels of the photo: too few for a mark.")
    return Square(int(rng.integers(left, right - side + 1)), int(rng.integers(top, bottom - side + 1)), side)


def pasted(pixels: NDArray[np.uint8], kind: int, at: Square) -> NDArray[np.uint8]:
    """A copy of the photo (h, w, 3) with a mark."""
    marked = pixels.copy()
    marked[at.top : at.top + at.side, at.left : at.left + at.side] = mark(kind, at.side)
    return marked
