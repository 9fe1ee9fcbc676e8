"""How much of a map's evidence lies on an object, beside how much of the area the object takes."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seewhy.arrays import Floats, numbers
from seewhy.errors import BadParameter, NotApplicable
from seewhy.images.places import BESIDE, Grid, Where
from seewhy.printable import in_percent, quoted

BoxEdges = tuple[float, float, float, float]  # (left, top, right, bottom) in pixels of the upright photo; pixel 0 is (0, 1)
BEYOND = 1.0  # pixels by which a box may reach over the edge of the photo, as boxes that were rounded do


@dataclass(frozen=True)
class EvidenceShare:
    """How much of a map's positive evidence lies on an object.

    share: of the sum of the map's positive values over what the network saw, the part on the object, 0 to 1; None where no
        value is positive.
    area: of what the network saw, the part that the object takes, 0 to 1: the share of a map that is the same everywhere.
    hit: does the strongest place lie on the object (the pointing game, without tolerance)?  None of a map that has no strongest
        place, or where that place is marked as not to be counted.
    seen: of the object, the part that the network saw, 0 to 1: less than 1 where `prepare` cut some of it off; 0, too, where
        there is no object.
    """

    share: float | None
    area: float
    hit: bool | None
    seen: float

    @property
    def ratio(self) -> float | None:
        """How many times more evidence lies on the object than on as much of the image anywhere: share / area."""
        return self.share / self.area if self.share is not None and self.area else None

    def __str__(self) -> str:
        if not self.seen:
            return "nothing of it was seen by the network"
        if self.share is None:
            return f"no positive evidence anywhere (it takes {in_percent(self.area)} of the image)"
        strongest = {True: ", strongest place inside", False: ", strongest place outside", None: ""}[self.hit]
        cut = "" if self.seen > 0.995 else f"; {in_percent(self.seen, 0)} of it seen"
        times = f" (x {self.ratio:.3g})" if self.ratio is not None else ""
        return f"{in_percent(self.share)} of the evidence on {in_percent(self.area)} of the image{times}{strongest}{cut}"


@dataclass(frozen=True, eq=False)
class MarkedObject:
    """Where an object lies in an image, of the image's own size.

    inside: how much of each pixel the object takes, 0 to 1, or False and True; ignored: True where a pixel counts neither as
        object nor as anything else; None: all count.
    """

    inside: NDArray[Any] = field(repr=False)
    ignored: NDArray[np.bool_] | None = field(default=None, repr=False)


def evidence_share(values: Floats, where: Where, marked: MarkedObject) -> EvidenceShare:
    """How much of a map lies on an object.

    values: at the size of the image, as `Heatmap.full()`; where: what the network saw of the image, as `Heatmap.box`.
    """
    ignored, part = marked.ignored, seen(where, values.shape)
    inside = marked.inside if ignored is None else np.where(ignored, 0, marked.inside)
    whole, values, inside = float(inside.sum(dtype=np.float64)), values[part], inside[part]
    counted = None if ignored is None else ~ignored[part]
    size = values.size if counted is None else int(counted.sum())
    positive = np.maximum(values, 0)
    if counted is not None:
        positive = positive * counted
    total, taken = float(positive.sum(dtype=np.float64)), float(inside.sum(dtype=np.float64))
    if inside.dtype == np.bool_:
        found = float(positive.sum(where=inside, dtype=np.float64))
    else:
        found = float((positive * inside).sum(dtype=np.float64))
    area = taken / size if size else 0.0
    return EvidenceShare(found / total if total else None, area, _hit(values, inside, counted), taken / whole if whole else 0.0)


def _hit(values: Floats, inside: NDArray[Any], counted: NDArray[np.bool_] | None) -> bool | None:
    """Does the strongest place lie inside?  Where several pixels are equally strong, at least half of them have to."""
    strongest = values.max(initial=0)
    if strongest <= 0 or values.min() == strongest:
        return None
    places = values == strongest
    if counted is not None and not (counted[places]).all():
        return None
    return bool(inside[places].mean(dtype=np.float64) >= 0.5)


def seen(where: Where, shape: Sequence[int]) -> tuple[slice, ...]:
    """The part of an image of this shape that the network saw: the pixels whose centres lie in it, as in `Heatmap.full`."""
    if isinstance(where, Grid):
        spans = []
        for way, pixels in enumerate(shape):
            axis = where.axes.index(way)
            at = (np.arange(pixels) - where.first[axis]) / where.step[axis]  # in cells of what the network saw
            spans.append((at >= -0.5 - BESIDE) & (at <= where.size[axis] - 0.5 + BESIDE))
    else:
        edges = (where.top, where.bottom), (where.left, where.right)
        shares = [(np.arange(n) + 0.5 - first) / (last - first) for n, (first, last) in zip(shape, edges, strict=True)]
        spans = [(at >= 0) & (at <= 1) for at in shares]
    return tuple(slice(int(span.argmax()), int(span.argmax() + span.sum())) for span in spans)


def coverage(boxes: Sequence[BoxEdges], size: tuple[int, int]) -> NDArray[np.float64]:
    """How much of each pixel lies in any of the boxes: (h, w), 0 to 1.  Pixels that an edge cuts count in part; where boxes
    overlap, nothing counts twice.

    size: (w, h) of the photo; what lies beyond it is cut off.
    """
    width, height = size
    covered = np.zeros((height, width))
    sides = np.clip(np.array(boxes, np.float64).reshape(-1, 4), 0, (width, height, width, height))
    sides = sides[(sides[:, 2] > sides[:, 0]) & (sides[:, 3] > sides[:, 1])]
    if not len(sides):
        return covered
    left, top = np.floor(sides[:, :2].min(0)).astype(int)
    right, bottom = np.ceil(sides[:, 2:].max(0)).astype(int)
    xs = np.unique([*range(left, right + 1), *sides[:, 0], *sides[:, 2]])  # edges of pixels and of boxes
    ys = np.unique([*range(top, bottom + 1), *sides[:, 1], *sides[:, 3]])
    cells = np.zeros((len(ys) - 1, len(xs) - 1), bool)
    for x0, y0, x1, y1 in sides:
        cells[np.searchsorted(ys, y0) : np.searchsorted(ys, y1), np.searchsorted(xs, x0) : np.searchsorted(xs, x1)] = True
    areas = cells * np.diff(ys)[:, None] * np.diff(xs)
    rows = np.add.reduceat(areas, np.searchsorted(ys, np.arange(top, bottom)), axis=0)
    pixels = np.add.reduceat(rows, np.searchsorted(xs, np.arange(left, right)), axis=1)
    covered[top:bottom, left:right] = np.minimum(pixels, 1)
    return covered


def object_in(boxes: Any, mask: Any, shape: tuple[int, ...], flat: bool) -> MarkedObject:
    """The object in an image of this shape that boxes or a mask mark.

    flat: is it a photo or a clip, on which boxes lie?  On a clip a box or a mask (h, w) holds for all frames.
    Raises BadParameter where neither or both are given, or they do not fit the image; NotApplicable where it takes no boxes.
    """
    if (boxes is None) == (mask is None):
        raise BadParameter("Say where the object lies by boxes=[(x0, y0, x1, y1), ...] or by mask=, one of the two.")
    if boxes is not None:
        if not flat:
            raise NotApplicable("Boxes (x0, y0, x1, y1) lie on photos and clips. Give mask=, an array of the image's own size.")
        size = shape[-1], shape[-2]
        return MarkedObject(np.broadcast_to(coverage(checked(boxes, size), size), shape))
    marked = mask if isinstance(mask, MarkedObject) else MarkedObject(_nonzero(numbers(mask)))
    if marked.inside.shape != shape and not (flat and marked.inside.shape == shape[-2:]):
        raise BadParameter(f"The mask is {marked.inside.shape}, and the image {shape}: give a mask of the image's own size.")
    ignored = None if marked.ignored is None else np.broadcast_to(marked.ignored, shape)
    return MarkedObject(np.broadcast_to(marked.inside, shape), ignored)


def _nonzero(marks: NDArray[Any]) -> NDArray[np.bool_]:
    """True where a mark is neither 0 nor NaN."""
    return (marks != 0) & (marks == marks)


def checked(boxes: Any, size: tuple[int, int]) -> list[BoxEdges]:
    """Boxes, or a single one, that lie on a photo of that size (w, h).  Raises BadParameter where one does not."""
    try:
        array = numbers(boxes).astype(np.float64).reshape(-1, 4)
    except (TypeError, ValueError):
        raise BadParameter(f"{quoted(boxes)} are no boxes: give a list of (x0, y0, x1, y1).") from None
    for box in array.tolist():
        x0, y0, x1, y1 = box
        said = f"The box ({', '.join(f'{edge:g}' for edge in box)})"
        if not np.isfinite(box).all() or x1 <= x0 or y1 <= y0:
            raise BadParameter(f"{said} is empty: boxes are (x0, y0, x1, y1), left, top, right and bottom.")
        if min(x0, y0) < -BEYOND or x1 > size[0] + BEYOND or y1 > size[1] + BEYOND:
            raise BadParameter(
                f"{said} reaches beyond the photo of {size[0]} x {size[1]} pixels. Boxes are (x0, y0, x1, y1) in pixels of the "
                "photo as it is, upright: was it resized, or turned, after they were drawn?"
            )
    return [(x0, y0, x1, y1) for x0, y0, x1, y1 in array.tolist()]
