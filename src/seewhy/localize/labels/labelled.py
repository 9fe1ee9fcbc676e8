"""What was found on one image, as every writer of labels takes it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from seewhy.errors import BadParameter
from seewhy.maps.heatmap import Heatmap
from seewhy.objects.found import FoundBox, FoundBoxes


@dataclass(frozen=True, eq=False)
class LabelledObject:
    """One object of an image.

    category: the name of its class; found: the box, with its score; mask: bool, of the box's own size alone (found.slices of
        the image), true on the object; score: the confidence that is written: the class's probability where it is known, times
        the box's own score.
    """

    category: str
    found: FoundBox
    mask: NDArray[np.bool_] = field(repr=False)
    score: float


@dataclass(frozen=True, eq=False)
class LabelledImage:
    """One image and what was found on it.

    file: its name as the person gave it; size: as `Heatmap.size`, (w, h) of a photo.
    objects: the surest first; none where nothing was found, which `why` tells.
    made: what made it, for formats with room for that: method, model, weights, layer, threshold, refine, seewhy's version.
    image: what was opened (photo, Volume, or None), for formats that lie on its own grid.
    """

    file: str
    size: tuple[int, ...]
    objects: tuple[LabelledObject, ...]
    made: Mapping[str, Any]
    why: str = ""
    image: Any = field(default=None, repr=False)


class LabelWriter(Protocol):
    """Writes the labels of many images, one after the other; what was added is on the disk when `close` returns, and as far as
    the format allows also where the run ends before.
    """

    def add(self, image: LabelledImage) -> None: ...
    def close(self) -> None: ...


def labelled_image(
    maps: Sequence[Heatmap], found: Sequence[FoundBoxes], how: Mapping[str, Any] | None = None
) -> LabelledImage:  # fmt: skip
    """What was found on one image, of its maps and the boxes of each.

    maps: of one image, one or more, such as one for each class; found: for each map its boxes, as `Heatmap.boxes` gives them.
    how: what they were found with, such as threshold, of, components, refine; it travels in the files, with the words of
        `FoundBoxes.how` as "found".
    Raises BadParameter where there are no maps, they are of several images, or boxes are missing.
    """
    if not maps or len(maps) != len(found):
        raise BadParameter(f"{len(maps)} maps and {len(found)} results of their boxes: give both of each, of one image.")
    if len({(one.place, one.source.image, one.size) for one in maps}) > 1:
        raise BadParameter(f"The maps are of several images, {maps[0].source.image} and others: give those of one at a time.")
    objects = [one for heatmap, boxes in zip(maps, found, strict=True) for one in _objects(heatmap, boxes)]
    objects.sort(key=lambda one: -one.score)
    whys = dict.fromkeys(f"{category_of(heatmap)}: {boxes.why}" for heatmap, boxes in zip(maps, found, strict=True))
    first = maps[0]
    why = "" if objects else found[0].why if len(maps) == 1 else "; ".join(whys)
    return LabelledImage(
        first.source.image,
        first.size,
        tuple(objects),
        _made(first, {**({"found": found[0].how} if found[0].how else {}), **(how or {})}),
        why,
        first.image,
    )


def category_of(heatmap: Heatmap) -> str:
    """The name of the class that a map explains, else its target as it was asked."""
    source = heatmap.source
    return source.label or (source.target if source.index is None else f"class {source.index}")


def _objects(heatmap: Heatmap, boxes: FoundBoxes) -> list[LabelledObject]:
    category = category_of(heatmap)
    return [
        LabelledObject(category, box, mask, round(box.confidence, 6))
        for box, mask in zip(boxes.boxes, boxes.masks, strict=True)
    ]


def _made(heatmap: Heatmap, how: Mapping[str, Any]) -> dict[str, Any]:
    source = heatmap.source
    facts = {"seewhy": source.versions.get("seewhy"), "model": source.model, "weights": source.weights, "method": source.method}
    facts |= {"params": dict(source.params), "layer": source.layer, **how}
    return {name: value for name, value in facts.items() if value is not None}
