"""The boxes of a map at every threshold at once, from the tree of its level sets."""

from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seewhy.arrays import Floats
from seewhy.objects.scikit import skimage

from .overlap import overlaps

LEVELS = 256  # of a map in eight bits, 0 to 255
NOTHING = np.zeros((1, 4))  # the box of a map of which nothing lies above the threshold, in the released code


class Branches(NamedTuple):
    """Regions that hang together, each over a span of levels.

    Region k is there at the levels low[k] <= level < high[k].  corners: (n, 4), x0, y0, x1, y1 of its pixels, all inclusive;
    area: of the polygon through the centres of its outline's pixels, its holes cut out; first: (n, 2), its first pixel, row by
    row.
    """

    low: NDArray[np.intp]
    high: NDArray[np.intp]
    corners: NDArray[np.intp]
    area: NDArray[np.float64]
    first: NDArray[np.intp]

    def those(self, kept: NDArray[np.bool_]) -> "Branches":
        low, high, corners, area, first = self
        return Branches(low[kept], high[kept], corners[kept], area[kept], first[kept])


def eight_bits(values: Floats) -> NDArray[np.uint8]:
    """A map stretched from its least to its greatest value over 0 to 255; zeros where it is flat or holds no numbers.

    Source: the released code of Choe et al. 2020 (clovaai/wsolevaluation).
    """
    values = np.asarray(values)
    low, high = float(values.min(initial=np.inf)), float(values.max(initial=-np.inf))
    if not (np.isfinite([low, high]).all() and low < high):
        return np.zeros(values.shape, np.uint8)
    shifted = values - values.min()
    return (shifted / shifted.max() * 255).astype(np.uint8)


def levels_of(thresholds: Floats, greatest: int = 255) -> NDArray[np.intp]:
    """The level that a map has to be above at each threshold, a share of its greatest value: rounded down."""
    return (np.asarray(thresholds, np.float64) * greatest).astype(np.intp)


class LevelBoxes:
    """The boxes of a map (h, w) in eight bits at each level: around its regions above the level.

    As the released code of Choe et al. 2020 has them: pixels hang together at corners, too; x1 = x + w and y1 = y + h are cut
    off at the last pixel, and count as belonging to the box; where nothing is above the level, the box is (0, 0, 0, 0).
    """

    def __init__(self, image: NDArray[np.uint8]) -> None:
        self.image = image
        self.greatest = int(image.max(initial=0))

    @cached_property
    def regions(self) -> Branches:
        return _branches(self.image, frame=-1, connectivity=2)

    @cached_property
    def holes(self) -> Branches:
        """The holes in regions; corners: of the region's pixels around each."""
        basins = skimage("morphology").local_minima(np.pad(self.image, 1), connectivity=1, allow_borders=False)
        if not basins.any():
            return self.regions.those(np.zeros(len(self.regions.low), bool))
        found = _branches(255 - self.image, frame=256, connectivity=1)
        inner = found.corners[:, :2].min(1) >= 0  # what holds the frame is no hole
        low, high, corners, area, first = found.those(inner)
        return Branches(255 - high, 255 - low, corners + np.array([-1, -1, 1, 1]), area, first)

    @cached_property
    def contours(self) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
        """(low, high, boxes) of all outlines: those of the regions, and those of the holes in them."""
        regions, holes = self.regions, self.holes
        corners = np.concatenate([regions.corners, holes.corners])
        return np.concatenate([regions.low, holes.low]), np.concatenate([regions.high, holes.high]), self._edges(corners)

    @cached_property
    def largest(self) -> NDArray[np.intp]:
        """(256, 4): at each level the box of the region whose outline encloses most, between the centres of its pixels."""
        regions, exact = self.regions, dict[int, float]()
        sides = regions.corners[:, 2:] - regions.corners[:, :2]
        most = np.where(sides.min(1) < 2, regions.area, sides.prod(1))  # where no hole has room, the area is exact
        boxes = np.zeros((LEVELS, 4), np.intp)
        for level in range(self.greatest):
            there = np.flatnonzero((regions.low <= level) & (level < regions.high))
            rivals = [int(k) for k in there[most[there] >= regions.area[there].max()]]
            for k in rivals if len(rivals) > 1 else ():
                if k not in exact:
                    exact[k] = self._filled(k) if most[k] > regions.area[k] else float(regions.area[k])
            chosen = max(rivals, key=lambda k: (exact.get(k, 0.0), *regions.first[k]))  # OpenCV lists the last one first
            boxes[level] = self._edges(regions.corners[chosen])
        return boxes

    def best(self, boxes: Floats, largest: bool = False) -> NDArray[np.float64]:
        """(256,): at each level, how much the best of the map's boxes overlaps the best of these (n, 4), by the inclusive IoU.

        largest: take the box of the largest region alone.
        """
        if largest:
            return overlaps(self.largest, boxes, inclusive=True).max(1)
        low, high, found = self.contours
        best = np.zeros(LEVELS)
        best[self.greatest :] = overlaps(NOTHING, boxes, inclusive=True).max()
        overlap = overlaps(found, boxes, inclusive=True).max(1)
        for level in range(self.greatest):
            best[level] = overlap[(low <= level) & (level < high)].max()
        return best

    def _edges(self, corners: NDArray[np.intp]) -> NDArray[np.intp]:
        height, width = self.image.shape
        return np.minimum(corners + np.array([0, 0, 1, 1]), [width, height, width - 1, height - 1])

    def _mask(self, k: int) -> NDArray[np.bool_]:
        """The region's pixels within its corners."""
        x0, y0, x1, y1 = self.regions.corners[k]
        above = self.image[y0 : y1 + 1, x0 : x1 + 1] > self.regions.low[k]
        row, column = self.regions.first[k]
        labels = skimage("measure").label(above, connectivity=2)
        return labels == labels[row - y0, column - x0]

    def _filled(self, k: int) -> float:
        """The area that the region's outline encloses, holes and all."""
        from scipy import ndimage  # comes with scikit-image, and takes as long to import

        holes, level, (x0, y0, x1, y1) = self.holes, self.regions.low[k], self.regions.corners[k]
        left, top, right, bottom = holes.corners.T
        there = (holes.low <= level) & (level < holes.high)
        if not (there & (left >= x0) & (top >= y0) & (right <= x1) & (bottom <= y1)).any():
            return float(self.regions.area[k])
        corners = _corners(np.asarray(ndimage.binary_fill_holes(self._mask(k)), np.uint8))
        return float((corners == 4).sum() + (corners == 3).sum() / 2)


def _corners(mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """How many of each four pixels about a corner are set."""
    return mask[:-1, :-1] + mask[1:, :-1] + mask[:-1, 1:] + mask[1:, 1:]


def _branches(values: NDArray[np.uint8], frame: int, connectivity: int) -> Branches:
    """All regions of a map above each level, by the tree in which each lies within the one below it.

    frame: the value of a frame of one pixel around it, at -1 in `corners`.

    Source: Salembier, Oliveras & Garrido 1998, Antiextensive connected operators for image and sequence processing.
    """
    image = np.pad(values.astype(np.int16), 1, constant_values=frame)
    parent, order = skimage("morphology").max_tree(image, connectivity=connectivity)
    flat, above = image.ravel(), parent.ravel()
    root = order[0]
    stands = flat[above] != flat  # for its region; other pixels point to the one that does
    stands[root] = True
    own, number = np.flatnonzero(stands), np.cumsum(stands) - 1
    of = number[np.where(stands, np.arange(flat.size), above)]  # the region of each pixel where it enters
    rows, columns = np.divmod(np.arange(flat.size), image.shape[1])
    corners = np.full((len(own), 4), -1, np.intp)
    corners[:, :2] = flat.size
    for at, place in enumerate((columns, rows)):
        np.minimum.at(corners[:, at], of, place)
        np.maximum.at(corners[:, at + 2], of, place)
    area, first = _areas(image, of, len(own)), np.full(len(own), flat.size)
    np.minimum.at(first, of, np.arange(flat.size))
    level, within = flat[own].astype(np.intp), number[above[own]]
    order = np.argsort(-level, kind="stable")
    starts = np.flatnonzero(np.diff(level[order], prepend=np.iinfo(np.int16).max))
    for some in np.split(order, starts[1:]):  # from the highest down: what lies within is known before what it lies in
        some = some[own[some] != root]
        np.minimum.at(corners[:, :2], within[some], corners[some, :2])
        np.maximum.at(corners[:, 2:], within[some], corners[some, 2:])
        np.minimum.at(first, within[some], first[some])
        np.add.at(area, within[some], area[some])
    kept = (own != root) & (level > 0)  # neither all there is nor what lies above no level
    pixels = np.stack(np.divmod(first, image.shape[1]), 1) - 1
    return Branches(level[within], level, corners - 1, area, pixels).those(kept)


def _areas(image: NDArray[np.int16], of: NDArray[np.intp], count: int) -> NDArray[np.float64]:
    """What enters each region of the area between pixels: of each four about a corner half when the third is in, half when
    the fourth is.
    """
    area = np.zeros(count)
    parts = (slice(None, -1), slice(1, None))
    four = np.stack([image[rows, columns].ravel() for rows in parts for columns in parts])
    numbers = np.arange(image.size).reshape(image.shape)
    pixels = np.stack([numbers[rows, columns].ravel() for rows in parts for columns in parts])
    ranked = np.take_along_axis(pixels, np.argsort(-four, axis=0, kind="stable"), 0)
    for place in (2, 3):
        np.add.at(area, of[ranked[place]], 0.5)
    return area
