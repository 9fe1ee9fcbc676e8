"""Where in a photo something is planted: inside of a box, or all around one."""

from math import ceil, floor
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seewhy.errors import NotApplicable
from seewhy.images.places import Extent, Where

LEAST = 8  # pixels of a side, at least
MIDDLE = (0.7, 0.8)  # of the sides of what the network sees: what is kept in the middle where no object is known
ASIDE = 0.05  # of these sides: how far from the middle, at most
ROOM = 0.25  # of what the network sees: what has to be left around an object, at least


class Spot(NamedTuple):
    """A part of a photo, in pixels: what lies inside of the edges, or, `around`, all but that."""

    left: int
    top: int
    right: int
    bottom: int
    around: bool = False

    @property
    def part(self) -> tuple[slice, slice]:
        """Rows and columns inside of the edges."""
        return slice(self.top, self.bottom), slice(self.left, self.right)

    def marked(self, pixels: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """Which pixels of a photo (h, w, 3) are of it: (h, w)."""
        inside = np.zeros(pixels.shape[:2], bool)
        inside[self.part] = True
        return ~inside if self.around else inside


def box_by_chance(seen: Where, rng: np.random.Generator, least: float, most: float) -> Spot:
    """A box somewhere within what the network sees of a photo; its sides are shares, from `least` to `most`, of the shorter
    side of that, one for both where these are alike.

    Raises NotApplicable where that is no upright part of a photo, or too small.
    """
    left, top, right, bottom = _seen(seen)
    shorter = min(right - left, bottom - top)
    width, height = (max(LEAST, round(shorter * (rng.uniform(least, most) if least < most else least))) for _ in range(2))
    if shorter < 2 * max(width, height):
        raise NotApplicable(f"The network sees {right - left} x {bottom - top} pixels of the photo: too few to plant anything.")
    x, y = int(rng.integers(left, right - width + 1)), int(rng.integers(top, bottom - height + 1))
    return Spot(x, y, x + width, y + height)


def around_object(seen: Where, rng: np.random.Generator, box: tuple[float, float, float, float] | None) -> Spot:
    """All around the object, or where none is known around the middle of what the network sees, give or take a little.

    Raises NotApplicable as `box_by_chance`, and where the object leaves too little around it.
    """
    left, top, right, bottom = _seen(seen)
    width, height = right - left, bottom - top
    if box is None:
        share, (x, y) = rng.uniform(*MIDDLE), 0.5 + rng.uniform(-ASIDE, ASIDE, 2)
        box = (left + width * (x - share / 2), top + height * (y - share / 2),
               left + width * (x + share / 2), top + height * (y + share / 2))  # fmt: skip
    kept = max(left, floor(box[0])), max(top, floor(box[1])), min(right, ceil(box[2])), min(bottom, ceil(box[3]))
    area = max(0, kept[2] - kept[0]) * max(0, kept[3] - kept[1])
    if not 0 < area <= (1 - ROOM) * width * height:
        raise NotApplicable(
            "The object fills the photo, or lies where the network does not look: no background can be planted."
        )
    return Spot(*kept, around=True)


def _seen(seen: Where) -> tuple[int, int, int, int]:
    """The whole pixels that the network sees."""
    if not isinstance(seen, Extent):
        raise NotApplicable("Nothing is planted but into photos of which the network sees an upright part.")
    left, top, right, bottom = ceil(seen.left), ceil(seen.top), floor(seen.right), floor(seen.bottom)
    if min(right - left, bottom - top) < 2 * LEAST:
        raise NotApplicable(f"The network sees {right - left} x {bottom - top} pixels of the photo: too few to plant anything.")
    return left, top, right, bottom
