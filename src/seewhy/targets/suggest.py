"""Which target suits a network that gives no score per class: one of its boxes, or a place in its map."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seewhy.arrays import Array, first_of
from seewhy.errors import NotApplicable

from .aim import ImageView
from .box import Box, by_score, together
from .class_names import own_name
from .decisions import as_floats, whole_numbers
from .dense import dense
from .detector import as_numbers, detections_of, is_boxes, is_yolo
from .parse import short_text
from .region import Region


def suggestion(output: Any, view: ImageView) -> str | None:
    """The targets that suit such an output, in words that follow "the network"; None where it is neither boxes nor a map."""
    if is_boxes(output) or is_yolo(output, view):
        return f"gives boxes. {_best(output, view)}"
    scores = _map(output, view)
    if scores is None:
        return None
    k, grid, dtype = scores.shape[1], "x".join(map(str, scores.shape[2:])), whole_numbers(scores)
    if k == 1 and dtype and dtype != "bool":
        regions = _regions(as_numbers(scores)[0], view)
        return (
            f"gives a map ({grid}) of class ids ({dtype}). Explain where a class is, a Region, here {regions}, by methods that "
            "change the image, such as occlusion; or Region(class, mask), the share of the mask that the class has"
        )
    if k == 1:
        return f"gives a map ({grid}). Explain a place in it: Point(y, x), or Region(None, mask) for the mean in a mask"
    regions = _regions(as_numbers(scores)[0].argmax(0), view)
    return (
        f"gives a map ({grid}) of each of {k} classes. Explain a class where the network predicts it, a Region, here {regions}"
        "; or a Point(y, x), or a Region(class, mask)"
    )


def _regions(classes: NDArray[Any], view: ImageView) -> str:
    """The regions of the classes (*where) that cover most, in words."""
    each, counts = np.unique(classes, return_counts=True)
    first = [int(i) for i in each[np.argsort(-counts, kind="stable")][:4]]
    return " or ".join(_argument(Region(own_name(i, view.labels) or i), view) for i in first)


def overall(output: Any, view: ImageView) -> Array:
    """Numbers (n, k) that depend on all that is in such an output."""
    if is_yolo(output, view):
        output = first_of(output)
        return output.reshape(len(output), -1).mean(1)[:, None]
    if is_boxes(output):
        return together([detections.chances.sum() for detections in detections_of(output, view)])[:, None]
    scores = as_floats(dense(output, len(view.space)))
    return scores.reshape(*scores.shape[:2], -1).mean(2)


def _best(output: Any, view: ImageView) -> str:
    """The strongest box of each of three labels, in words."""
    try:
        rows = by_score(detections_of(output, view)[0], view)
    except NotApplicable as error:
        return f"{error}".removesuffix(".")
    first = [row for row in rows if row.index == 0][:3]
    best = " or ".join(f"{_argument(Box(row.label, 0), view)} (score {row.score:.2f})" for row in first) or "it finds none here"
    return f"Explain one of them, a Box: {best}; seewhy.detections(model, image) lists them all"


def _argument(target: Any, view: ImageView) -> str:
    """A target as an argument of Python."""
    text = short_text(str(target), view.labels)
    return f"target={text!r}" if '"' in text else f'target="{text}"'


def _map(output: Any, view: ImageView) -> Array | None:
    """The dense scores in an output whose grid is of the image's proportions, and more than a point."""
    try:
        scores = dense(output, len(view.space))
    except NotApplicable:
        return None
    return scores if max(scores.shape[2:]) > 1 and _alike(scores.shape[2:], view.space) else None


def _alike(grid: Sequence[int], space: Sequence[int]) -> bool:
    """Is the grid the space in another size, to the rounding of a cell?"""
    shares = [cells / side for cells, side in zip(grid, space, strict=True)]
    return all(abs(share - shares[0]) * side <= 1.5 for share, side in zip(shares, space, strict=True))
