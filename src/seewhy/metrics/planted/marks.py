"""What is planted into photos: marks, patches, backgrounds, of each two kinds that a head learns to tell."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seewhy.images.places import Where

from .spots import Spot, around_object, box_by_chance

KINDS = 2
SIDE = 0.3  # of a mark: share of the shorter side of what the network sees
SIDES = (0.25, 0.4)  # of a patch, likewise
PARTS = 4  # rings, and checks along a side
STRIPES = 5  # pairs of a light one and a dark one, across a patch
CONTRAST = 0.6  # of a patch: how far to white and to black
COVER = 0.7  # of a background: how much of the photo there it covers
WAVES = 16  # pairs of stripes of a background, along the longer side of the photo
COLOURS = (((230, 30, 30), (255, 255, 255)), ((20, 40, 200), (250, 220, 20)))
CASTS = ((235, 120, 20), (30, 110, 235))  # orange, blue
ObjectBox = tuple[float, float, float, float]
PhotoPixels = NDArray[np.uint8]  # (h, w, 3)


class Planting(NamedTuple):
    """What is planted.

    noun: for one of it; kinds: the two, in words; spot: where, of what the network sees, and the object's box; painted: a copy
    of a photo with one of the kinds.
    """

    noun: str
    kinds: str
    spot: Callable[[Where, np.random.Generator, ObjectBox | None], Spot]
    painted: Callable[[PhotoPixels, int, Spot], PhotoPixels]


def mark(kind: int, side: int) -> PhotoPixels:
    """A square (side, side, 3): red and white rings (0), or blue and yellow checks (1)."""
    at = (np.arange(side) + 0.5) / side
    y, x = np.meshgrid(at, at, indexing="ij")
    parts = np.hypot(x - 0.5, y - 0.5) * 2 * PARTS if kind == 0 else np.floor(x * PARTS) + np.floor(y * PARTS)
    return np.array(COLOURS[kind], np.uint8)[np.floor(parts).astype(int) % 2]


def marked(pixels: PhotoPixels, kind: int, spot: Spot) -> PhotoPixels:
    """A copy of the photo with a mark in place of what lies there."""
    copy = pixels.copy()
    copy[spot.part] = mark(kind, spot.right - spot.left)
    return copy


def patched(pixels: PhotoPixels, kind: int, spot: Spot) -> PhotoPixels:
    """A copy of the photo in which a patch has level (0) or upright (1) stripes, lighter and darker than the patch's own mean
    colour: both kinds have the same colours, as many pixels of each but for the last stripe's.
    """
    copy = pixels.copy()
    mean = pixels[spot.part].reshape(-1, 3).mean(0)
    light, dark = mean + CONTRAST * (255 - mean), mean - CONTRAST * mean
    height, width = spot.bottom - spot.top, spot.right - spot.left
    long = height if kind == 0 else width
    stripes = np.arange(long) * 2 * STRIPES // long % 2
    level = stripes[:, None] if kind == 0 else stripes[None]
    copy[spot.part] = np.round(np.where(np.broadcast_to(level, (height, width))[..., None], dark, light)).astype(np.uint8)
    return copy


def covered(pixels: PhotoPixels, kind: int, spot: Spot) -> PhotoPixels:
    """A copy of the photo whose spot lies under level orange stripes (0) or upright blue ones (1), light and dark."""
    copy, where = pixels.copy(), spot.marked(pixels)
    at = np.indices(where.shape)[kind] * 2 * WAVES // max(where.shape) % 2
    stripes = np.where(at[..., None], 1.0, 0.4) * np.array(CASTS[kind])
    copy[where] = np.round((1 - COVER) * pixels[where] + COVER * stripes[where]).astype(np.uint8)
    return copy


PLANTINGS = {
    "marks": Planting(
        "mark", "red and white rings, blue and yellow checks", lambda seen, rng, _: box_by_chance(seen, rng, SIDE, SIDE), marked
    ),
    "backgrounds": Planting("background", "level orange stripes, upright blue ones", around_object, covered),
    "patches": Planting(
        "patch", "level stripes, upright stripes", lambda seen, rng, _: box_by_chance(seen, rng, *SIDES), patched
    ),
}
