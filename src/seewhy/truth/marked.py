"""The objects that files mark on photos: boxes, and masks where a file has them."""

from collections.abc import Callable, Sequence
from math import isfinite
from typing import Any, NamedTuple

from seewhy.errors import BadParameter
from seewhy.printable import quoted

from .evidence import BoxEdges
from .run_lengths import Mask

FORMS = (
    "Boxes are read from a table with a header (file,x0,y0,x1,y1 or file,x,y,width,height, and label where it is known), from "
    "COCO's JSON, from what Label Studio (JSON) or CVAT (for images 1.1, XML) exports, or from a folder of Pascal VOC's XML "
    "files or of YOLO's text files"
)
MarkedShape = Callable[[tuple[int, int]], Mask]  # the mask (h, w) on a photo of that size (w, h); raises ValueError


class MarkedBox(NamedTuple):
    """An object's box on an upright photo, and its mask where the file has one."""

    edges: BoxEdges
    label: str | None
    shape: MarkedShape | None = None


class PhotoBoxes(NamedTuple):
    """The boxes on one photo; none where it is known to hold no object.

    size: (w, h) of the photo that they were drawn on, where the file says it; shares: edges are shares of the photo's sides,
    from 0 to 1, and no pixels; crowds: where objects are that are not marked one by one, so nothing is to be counted there.
    """

    boxes: tuple[MarkedBox, ...]
    size: tuple[int, int] | None = None
    shares: bool = False
    crowds: tuple[MarkedShape, ...] = ()

    def on(self, size: tuple[int, int] | None) -> tuple[MarkedBox, ...]:
        """The boxes in pixels of the photo, of that size (w, h); None where it is not known.

        Raises BadParameter where they were drawn on another size, or are shares of an unknown one.
        """
        if self.size and size and self.size != tuple(size):
            drawn, given = (f"{width} x {height}" for width, height in (self.size, size))
            raise BadParameter(f"the boxes were drawn on {drawn} pixels, and the photo has {given}: was it resized or turned?")
        if not self.shares:
            return self.boxes
        if size is None:
            raise BadParameter("the boxes are shares of the photo's sides, and how large it is is not known.")
        width, height = size
        return tuple(
            box._replace(edges=(x0 * width, y0 * height, x1 * width, y1 * height))
            for box in self.boxes
            for x0, y0, x1, y1 in (box.edges,)
        )


def checked_box(edges: Sequence[Any], label: Any, where: str, shape: MarkedShape | None = None) -> MarkedBox:
    """A box of four numbers.  Raises BadParameter where it is none, or empty."""
    try:
        x0, y0, x1, y1 = map(float, edges)
    except (TypeError, ValueError):
        raise BadParameter(f"{where}: {quoted(edges)} is no box of four numbers. {FORMS}.") from None
    if not all(map(isfinite, (x0, y0, x1, y1))) or x1 <= x0 or y1 <= y0:
        raise BadParameter(f"{where}: the box from ({x0:g}, {y0:g}) to ({x1:g}, {y1:g}) is empty.")
    return MarkedBox((x0, y0, x1, y1), str(label) if label not in (None, "") else None, shape)


def with_sides(x: Any, y: Any, width: Any, height: Any) -> Sequence[Any]:
    """Left, top, right and bottom, of a corner and the sides; what are no numbers stay as they are."""
    try:
        return float(x), float(y), float(x) + float(width), float(y) + float(height)
    except (TypeError, ValueError):
        return x, y, width, height


def size_of(width: Any, height: Any) -> tuple[int, int] | None:
    """A size (w, h), of numbers or their text; None where one of them is missing or 0."""
    return (int(float(width)), int(float(height))) if width and height else None
