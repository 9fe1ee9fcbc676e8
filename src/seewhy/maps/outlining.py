"""The boxes and regions that were found in maps, drawn over their photo, with the true ones beside."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from seewhy.errors import NotApplicable
from seewhy.objects.found import FoundBox
from seewhy.objects.suppress import overlap
from seewhy.pictures.canvas import magnified_size
from seewhy.pictures.outlines import Outline
from seewhy.pictures.outlines import outlined as with_outlines
from seewhy.printable import in_percent
from seewhy.truth.evidence import BoxEdges, checked, object_in


class Objects(NamedTuple):
    """What was found on a photo: boxes, the region in each, and how they were found, or why there is none."""

    boxes: Sequence[FoundBox]
    masks: Sequence[NDArray[np.bool_]]
    words: str


def outlined(
    photo: Any,
    objects: Objects,
    true_boxes: Any = None,
    true_mask: Any = None,
    legend: bool = False,
    contours: bool = True,
    magnify: float = 1,
    under: Image.Image | None = None,
) -> Image.Image:
    """The photo with boxes and contours, as `Heatmap.outlined` says it; under: what they are drawn on in its place, magnified.

    Raises NotApplicable where it is no photo, BadParameter where the true boxes or mask do not fit it.
    """
    if not isinstance(photo, Image.Image):
        kind = "a prepared array" if photo is None or isinstance(photo, np.ndarray) else f"a {type(photo).__name__.lower()}"
        raise NotApplicable(f"Boxes are drawn on photos, and this is {kind}. Its boxes() and mask() are numbers to draw.")
    size = magnified_size(photo.size, magnify)
    under = under or (photo if size == photo.size else photo.resize(size, Image.Resampling.LANCZOS))
    edges = [] if true_boxes is None else checked(true_boxes, photo.size)
    mask = None if true_mask is None else object_in(None, true_mask, photo.size[::-1], flat=True).inside >= 0.5
    outlines = [
        Outline(
            _words(box, region, edges, mask),
            f"{box.named.partition(',')[0]} {box.confidence:.2f}",
            _edges(box),
            region if contours else None,
            _colour_of(box, objects.boxes),
        )
        for box, region in zip(objects.boxes, objects.masks, strict=True)
    ]
    if edges:
        noun = "the true box" if len(edges) == 1 else f"{len(edges)} true boxes"
        outlines += [Outline(noun if place == 0 else "", "", box, true=True) for place, box in enumerate(edges)]
    if mask is not None:
        outlines.append(Outline("the true mask" + ("" if mask.any() else ", which marks nothing"), "", None, mask, true=True))
    return with_outlines(under, outlines, objects.words if legend else None, photo.size, magnify)


def _edges(box: FoundBox) -> BoxEdges:
    (top, bottom), (left, right) = box.spans
    return left, top, right, bottom


def _colour_of(box: FoundBox, boxes: Sequence[FoundBox]) -> int:
    """The number of its class among those that there are."""
    return [*dict.fromkeys((other.index, other.label) for other in boxes)].index((box.index, box.label))


def _words(box: FoundBox, region: NDArray[np.bool_], true_boxes: Sequence[BoxEdges], true_mask: Any) -> str:
    """What a legend says of a box."""
    chance = "" if box.probability is None else f", {in_percent(box.probability)}"
    words = f"{box.named}{chance}: score {box.score:.2f}, {in_percent(box.evidence)} of the evidence"
    if true_boxes:
        spans = [((y0, y1), (x0, x1)) for x0, y0, x1, y1 in true_boxes]
        words += f", IoU {max(overlap(box.spans, true) for true in spans):.2f}"
    if true_mask is not None and (either := int(region.sum()) + int(true_mask.sum())):
        both = int((true_mask[box.slices] & region).sum())
        words += f", IoU of the masks {both / (either - both):.2f}"
    return words
