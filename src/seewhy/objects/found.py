"""What was found in a map: connected regions, and a box around each."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import overload

import numpy as np
from numpy.typing import NDArray

from seewhy.printable import printable

Span = tuple[int, int]  # along one axis: the edges of the first and behind the last pixel; pixel 0 alone is (0, 1)


@dataclass(frozen=True)
class FoundBox:
    """The box around one connected region of a map.

    spans: along each axis of `Heatmap.full()`: of a photo (rows, columns), a volume (i, j, k), a clip (frames, rows, columns).
    score: the strongest value of the region as a share of the strongest of the map, above 0 to 1.
    area: of the region, in pixels or voxels; evidence: the part of the map's positive evidence that lies on it, 0 to 1.
    label: of the class that the map explains, and index, its number; None where it is no class.
    probability: that the network gives the class.
    size_mm: of a volume, how long the box is along each axis, in mm; corners_mm: its least and greatest corner in the scanner's
        coordinates (x to the right, y to the front, z to the head), ((x, y, z), (x, y, z)); None where the file does not say
        how the patient lies.
    crs: of a GeoTIFF, the reference system in which it lies on the earth, as "EPSG:32632"; corners_map: the corners of the box
        in it, (x, y) each, around it from the upper left one on.
    """

    spans: tuple[Span, ...]
    score: float
    area: int
    evidence: float
    label: str | None = None
    index: int | None = None
    probability: float | None = None
    size_mm: tuple[float, ...] | None = None
    corners_mm: tuple[tuple[float, ...], tuple[float, ...]] | None = None
    crs: str | None = None
    corners_map: tuple[tuple[float, float], ...] | None = None

    @property
    def edges(self) -> tuple[int, ...]:
        """On a photo (x0, y0, x1, y1), the edges left, top, right, bottom in pixels; of anything else the lower edge along
        each axis, then the upper: of a volume (i0, j0, k0, i1, j1, k1), of a clip (frame0, y0, x0, frame1, y1, x1).
        """
        spans = self.spans[::-1] if len(self.spans) == 2 else self.spans
        return (*(low for low, _ in spans), *(high for _, high in spans))

    @property
    def slices(self) -> tuple[slice, ...]:
        """The part of `Heatmap.full()`, or of an array of the photo, that the box takes."""
        return tuple(slice(low, high) for low, high in self.spans)

    @property
    def named(self) -> str:
        """Its class in words, or "object" where it has none."""
        return printable(self.label or ("object" if self.index is None else f"class {self.index}"), 60)

    @property
    def confidence(self) -> float:
        """How sure it is beside boxes of other classes: its score, times the probability of its class where that is known."""
        return self.score if self.probability is None else self.probability * self.score


def regions_of(boxes: Sequence[FoundBox], masks: Sequence[NDArray[np.bool_]], shape: tuple[int, ...]) -> NDArray[np.int32]:
    """Of that shape: 0 where there is no object, else the place of its box plus one; of several at one pixel, the first."""
    numbered = np.zeros(shape, np.int32)
    for place, (box, mask) in reversed([*enumerate(zip(boxes, masks, strict=True), start=1)]):
        numbered[box.slices][mask] = place
    return numbered


class BoxSequence(Sequence[FoundBox]):
    """A record that is the sequence of its boxes."""

    boxes: tuple[FoundBox, ...]

    def __len__(self) -> int:
        return len(self.boxes)

    @overload
    def __getitem__(self, at: int) -> FoundBox: ...
    @overload
    def __getitem__(self, at: slice) -> tuple[FoundBox, ...]: ...
    def __getitem__(self, at: int | slice) -> FoundBox | tuple[FoundBox, ...]:
        return self.boxes[at]

    def __iter__(self) -> Iterator[FoundBox]:
        return iter(self.boxes)


@dataclass(frozen=True, eq=False)
class FoundBoxes(BoxSequence):
    """The boxes of a map, the strongest region first.

    masks: of each box, bool, of the box's own size: True on the region that it lies around.
    shape: of the image, as `Heatmap.full()`.
    cut: the value of the map above which it counts as object; infinite where there is none.
    how: they were found, in words: "above 15 % of the maximum, the largest region".
    why: why there is no box, in words; "" where there is one.
    """

    boxes: tuple[FoundBox, ...]
    masks: tuple[NDArray[np.bool_], ...] = field(repr=False)
    shape: tuple[int, ...]
    cut: float
    how: str = ""
    why: str = ""

    @property
    def regions(self) -> NDArray[np.int32]:
        """Of the image's size, int32: 0 where there is no object, else 1 and on: the box's place in this sequence plus one."""
        return regions_of(self.boxes, self.masks, self.shape)

    @property
    def mask(self) -> NDArray[np.bool_]:
        """True on the objects, of the image's own size."""
        return self.regions > 0
