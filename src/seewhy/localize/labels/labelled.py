"""What was found on one image, as every writer of labels takes it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from seewhy.errors import BadParameter
from seewhy.maps.heatmap import Heatmap
from seewhy.maps.image_boxes import ImageBoxes
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
    maps: Sequence[Heatmap], found: Sequence[FoundBoxes] | ImageBoxes, how: Mapping[str, Any] | None = None
) -> LabelledImage:  # fmt: skip
    """What was found on one image, of its maps and their boxes.

    maps: of one image, one or more, such as one for each class; found: for each map its boxes, as `Heatmap.boxes` gives
        them, or those of all together, as `Heatmaps.boxes` does.
    how: what they were found with, such as threshold, of, components, refine; it travels in the files, with the words of
        `FoundBoxes.how` as "found", and with what was left out and why as "notes".
    Raises BadParameter where there are no maps, they are of several images, or boxes are missing.
    """
    together = isinstance(found, ImageBoxes)
    if not maps or not (together or len(maps) == len(found)):
        raise BadParameter(f"{len(maps)} maps and {len(found)} results of their boxes: give both of each, of one image.")
    names = {(one.place, one.source.image, one.size) for one in maps}
    if len(names) > 1 or (together and (found.place, found.name) != (maps[0].place, maps[0].source.image)):
        raise BadParameter(f"The maps are of several images, {maps[0].source.image} and others: give those of one.")
    first = maps[0]
    if together:
        objects, words, why, notes = _objects(maps, found.boxes, found.masks), found.how, found.why, found.notes
    else:
        pairs = [*zip(maps, found, strict=True)]
        objects = [one for heatmap, boxes in pairs for one in _objects([heatmap], boxes.boxes, boxes.masks)]
        whys = dict.fromkeys(f"{category_of(heatmap)}: {boxes.why}" for heatmap, boxes in pairs)
        words, why, notes = found[0].how, found[0].why if len(maps) == 1 else "; ".join(whys), ()
    objects.sort(key=lambda one: -one.score)
    made = _made(first, {"found": words or None, **(how or {}), "notes": [*notes] or None})
    return LabelledImage(first.source.image, first.size, tuple(objects), made, "" if objects else why, first.image)


def of_run(made: Mapping[str, Any]) -> dict[str, Any]:
    """What made the labels of an image, without what is said of this image alone."""
    return {name: value for name, value in made.items() if name != "notes"}


def category_of(heatmap: Heatmap) -> str:
    """The name of the class that a map explains, else its target as it was asked."""
    source = heatmap.source
    return source.label or (source.target if source.index is None else f"class {source.index}")


def _objects(
    maps: Sequence[Heatmap], boxes: Sequence[FoundBox], masks: Sequence[NDArray[np.bool_]]
) -> list[LabelledObject]:  # fmt: skip
    categories = {(one.source.label, one.source.index): category_of(one) for one in maps}
    return [
        LabelledObject(categories[box.label, box.index], box, mask, round(box.confidence, 6))
        for box, mask in zip(boxes, masks, strict=True)
    ]


def _made(heatmap: Heatmap, how: Mapping[str, Any]) -> dict[str, Any]:
    source = heatmap.source
    facts = {"seewhy": source.versions.get("seewhy"), "model": source.model, "weights": source.weights, "method": source.method}
    facts |= {"params": dict(source.params), "layer": source.layer, **how}
    return {name: value for name, value in facts.items() if value is not None}
