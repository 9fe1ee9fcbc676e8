"""Places where the maps of one class put their evidence and those of other classes do not, without being told where.

A network that learned a watermark looks for it at the same places of the frame, whatever the photo shows.  Searched are boxes
on a coarse grid of the frame, each alone and together with its mirror images, for a mark that may be in any corner.  What
chance gives is found by giving the classes of the photos to other photos: that keeps the maps as they are, smooth and centred.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from seewhy.arrays import Floats
from seewhy.images.places import Extent
from seewhy.maps.heatmap import Heatmap
from seewhy.metrics.localization.resampling import middle, resampled
from seewhy.printable import in_percent

from .chance import LEVEL
from .frames import GRID, Shares, on_photo
from .photos import PhotoEvidence

FEWEST = 5  # photos of a class, and of all others
TIMES = 2.0  # as much evidence as the maps of other classes have there: less is how objects of one kind lie on photos
DRAWS, ROOM = 1999, 2**22  # exchanges of the classes at least; shares that are summed at once
MOST = 3  # regions of one class that are told
EXAMPLES = 3  # photos that show a region
LEAST = 1e-12  # variance that is none
NUMBERS = ("photos", "share", "low", "high", "area", "others", "p", "adjusted")


class PileExample(NamedTuple):
    """A photo with much of its evidence in a region: its name, how much, and its map."""

    name: str
    share: float
    heatmap: Heatmap


@dataclass(frozen=True, eq=False)
class EvidencePile:
    """A region where the evidence of a class piles up beyond its area and beyond that of other classes.

    boxes: (left, top, right, bottom) in shares of the frame's sides: one, or one with its mirror images, which count together.
    share: of the evidence of the class's maps, the mean over photos; low, high: its 95 % interval, as if the region had been
        named beforehand.  area: of the frame; others: the mean share of the maps of other classes.
    p: how often the greatest of all regions would stand out as far, were the classes given to other photos; adjusted: the same
        for all classes that were searched (Bonferroni).
    examples: the photos with the most evidence there, and their maps.
    """

    explained: str
    boxes: tuple[Shares, ...]
    photos: int
    share: float
    low: float
    high: float
    area: float
    others: float
    p: float
    adjusted: float
    examples: tuple[PileExample, ...] = field(default=(), repr=False)

    @property
    def facts(self) -> dict[str, Any]:
        """All of it by name, for JSON; examples by their names and boxes in pixels of the photo."""
        shown = [
            {"image": name, "share": share, "boxes": [list(box) for box in self.on(heatmap)]}
            for name, share, heatmap in self.examples
        ]
        numbers = {name: getattr(self, name) for name in NUMBERS}
        return {"explained": self.explained, "boxes": [list(box) for box in self.boxes], **numbers, "examples": shown}

    def on(self, heatmap: Heatmap) -> list[Extent]:
        """Its boxes in pixels of the photo that a map is of."""
        return [on_photo(box, heatmap.box) for box in self.boxes if isinstance(heatmap.box, Extent)]

    def crops(self) -> list[Image.Image]:
        """Of each example the part of the photo in that of the boxes that holds most of its evidence."""
        crops = list[Image.Image]()
        for _, _, heatmap in self.examples:
            if isinstance(heatmap.image, Image.Image):
                crops.append(
                    max(self.on(heatmap), key=lambda box, h=heatmap: h.evidence_in([box]).share or 0).cut(heatmap.image)
                )
        return crops

    def share_of(self, cells: Floats) -> float:
        """The share of a photo's evidence that lies in it; cells: as in `PhotoEvidence`."""
        inside = [np.round(np.multiply(box, GRID)).astype(int) for box in self.boxes]
        return float(sum(cells[top:bottom, left:right].sum() for left, top, right, bottom in inside))

    @property
    def place(self) -> str:
        """Where it is, in words: "0-25 % across, 75-100 % down, and its 3 mirror images"."""
        left, top, right, bottom = (round(100 * edge) for edge in self.boxes[0])
        more = len(self.boxes) - 1
        mirrored = "" if not more else ", and its mirror image" if more == 1 else f", and its {more} mirror images"
        return f"{left}-{right} % across, {top}-{bottom} % down{mirrored}"

    def __str__(self) -> str:
        return (
            f"{self.explained}: {in_percent(self.share)} ({in_percent(self.low)} to {in_percent(self.high)}) of the evidence "
            f"at {self.place}: {in_percent(self.area)} of the area, {in_percent(self.others)} in maps of other classes; "
            f"{self.photos} photos, adjusted p {self.adjusted:.2g}"
        )


class SearchRegion(NamedTuple):
    """A region of the grid that is searched: its boxes in cells (left, top, right, bottom)."""

    boxes: tuple[tuple[int, int, int, int], ...]

    @property
    def mask(self) -> NDArray[np.bool_]:
        inside = np.zeros((GRID, GRID), np.bool_)
        for left, top, right, bottom in self.boxes:
            inside[top:bottom, left:right] = True
        return inside


@cache
def candidates() -> tuple[SearchRegion, ...]:
    """Boxes of up to half the frame's sides, each alone, and with its mirror images across, down, and both; no region twice."""
    found = dict[bytes, SearchRegion]()
    sides = [(first, first + length) for length in range(1, GRID // 2 + 1) for first in range(GRID - length + 1)]
    for across, down in ((False, False), (True, False), (False, True), (True, True)):
        for top, bottom in sides:
            for left, right in sides:
                if (across and right > GRID // 2) or (down and bottom > GRID // 2):
                    continue  # its mirror image comes, or they overlap
                lefts = [(left, right), (GRID - right, GRID - left)][: 1 + across]
                tops = [(top, bottom), (GRID - bottom, GRID - top)][: 1 + down]
                one = SearchRegion(tuple((x0, y0, x1, y1) for y0, y1 in tops for x0, x1 in lefts))
                found.setdefault(one.mask.tobytes(), one)
    return tuple(found.values())


def searchable(photos: Sequence[PhotoEvidence]) -> dict[str, int]:
    """The classes that can be searched, and how many of their photos have evidence: 5 or more, beside as many of all others."""
    sizes = Counter(photo.explained for photo in photos if photo.cells is not None)
    return {name: count for name, count in sizes.items() if min(count, sizes.total() - count) >= FEWEST}


def piles(photos: Sequence[PhotoEvidence], seed: int = 0, draws: int = DRAWS) -> tuple[EvidencePile, ...]:
    """The regions where the evidence of a class piles up, class by class, without examples; () where there is none.

    Photos without evidence are left out; classes of fewer than 5 photos are others to the rest.
    """
    asked = searchable(photos)
    if not asked:
        return ()
    photos = [photo for photo in photos if photo.cells is not None]
    every = candidates()
    masks = np.array([one.mask.ravel() for one in every], np.float64)
    shares = np.array([photo.cells for photo in photos], np.float64).reshape(len(photos), -1) @ masks.T  # (n, regions)
    draws = max(draws, 2 * round(len(asked) / LEVEL))
    sums, areas = RegionSums.of(shares), masks.mean(1)
    greatest = {count: chance(sums, count, draws, seed) for count in dict.fromkeys(asked.values())}
    found = list[EvidencePile]()
    for name, count in asked.items():
        own = np.array([photo.explained == name for photo in photos])
        stands_out = standing(sums, own.nonzero()[0], areas)
        by_chance = greatest[count]
        p = (1 + len(by_chance) - np.searchsorted(by_chance, stands_out - 1e-9)) / (1 + len(by_chance))
        for at in _told(p * len(asked) <= LEVEL, shares[own].mean(0) - areas, masks):
            low, high = middle(resampled(shares[own][:, [at]], seed)[:, 0] / count, count)
            share, area, others = shares[own, at].mean(), areas[at], shares[~own, at].mean()
            share, area, others, own_p = map(float, (share, area, others, p[at]))
            adjusted, boxes = min(1.0, own_p * len(asked)), _in_shares(every[at])
            found.append(EvidencePile(name, boxes, int(own.sum()), share, low, high, area, others, own_p, adjusted))
    return tuple(found)


def _in_shares(one: SearchRegion) -> tuple[Shares, ...]:
    return tuple((left / GRID, top / GRID, right / GRID, bottom / GRID) for left, top, right, bottom in one.boxes)


def _told(significant: NDArray[np.bool_], beyond: Floats, masks: Floats) -> Iterator[int]:
    """Of the regions that stand out, that with the most evidence beyond its area, then those that share no cell with it."""
    left = significant.copy()
    for _ in range(MOST):
        if not left.any():
            return
        at = int(np.where(left, beyond, -np.inf).argmax())
        yield at
        left &= masks @ masks[at] == 0


class RegionSums(NamedTuple):
    """The shares of all photos in all regions, (n, regions), their squares, and the sums of both, (regions,) each."""

    shares: Floats
    squares: Floats
    total: Floats
    total_squares: Floats

    @classmethod
    def of(cls, shares: Floats) -> "RegionSums":
        squares = shares**2
        return cls(shares, squares, shares.sum(0), squares.sum(0))

    def moments(self, groups: NDArray[np.intp]) -> "_Moments":
        """groups: (groups, k), the places of the photos of each."""
        count, rest = groups.shape[1], len(self.shares) - groups.shape[1]
        sums, squares = self.shares[groups].sum(1), self.squares[groups].sum(1)
        own, others = sums / count, (self.total - sums) / rest
        var_own = (squares / count - own**2) / (count - 1)
        var_others = ((self.total_squares - squares) / rest - others**2) / (rest - 1)
        return _Moments(own, others, np.maximum(var_own, 0), np.maximum(var_others, 0))


class _Moments(NamedTuple):
    """Means over photos and the variances of these means, of groups and of all other photos: (groups, regions) each."""

    own: Floats
    others: Floats
    var_own: Floats
    var_others: Floats


def standing(sums: RegionSums, own: NDArray[np.intp], areas: Floats) -> NDArray[np.float64]:
    """How far each region stands out for a class, (regions,), in standard errors: the lesser of how far its mean share lies
    above TIMES that of the others (Welch's statistic), and above its area.

    own: (k,), the places of the class's photos; areas: (regions,).
    """
    m = sums.moments(own[None])
    beyond_others = (m.own - TIMES * m.others) / np.sqrt(m.var_own + TIMES**2 * m.var_others + LEAST)
    beyond_area = (m.own - areas) / np.sqrt(m.var_own + LEAST)
    return np.minimum(beyond_others, beyond_area)[0]


def chance(sums: RegionSums, count: int, draws: int, seed: int = 0) -> NDArray[np.float64]:
    """The greatest of all regions' statistics of `count` photos, drawn from all, against the rest: (draws,), in their order.

    Sources: Westfall & Young 1993, Resampling-based multiple testing (the greatest of all); Janssen 1997, Studentized
    permutation tests (the statistic is one whose scale does not depend on how much the shares of either group spread).
    """
    rng, found = np.random.default_rng([seed, count]), list[NDArray[np.float64]]()
    n, regions = sums.shares.shape
    together = max(1, ROOM // (count * regions))
    for first in range(0, draws, together):
        some = range(min(together, draws - first))
        m = sums.moments(np.stack([rng.choice(n, count, replace=False, shuffle=False) for _ in some]))
        found.append(((m.own - m.others) / np.sqrt(m.var_own + m.var_others + LEAST)).max(1))
    return np.sort(np.concatenate(found))
