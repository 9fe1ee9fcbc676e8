"""The boxes of all maps of an image together, as of several classes: which stay, which are left out, which maps have none."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from seewhy.errors import BadParameter
from seewhy.images.photo import UnderlayPixels
from seewhy.objects.found import BoxSequence, FoundBox, FoundBoxes, regions_of
from seewhy.objects.suppress import suppressed, surest
from seewhy.printable import in_percent, printable

from .heatmap import Heatmap
from .outlining import Objects, outlined


@dataclass(frozen=True)
class SuppressedBox:
    """A box that was left out for a surer one of the same image in the same place.

    box: that was left out; by: the box that stays; overlap: their IoU, 0 to 1.
    """

    box: FoundBox
    by: FoundBox
    overlap: float

    def __str__(self) -> str:
        sure, surer = (f"{box.named} ({in_percent(box.confidence)})" for box in (self.box, self.by))
        return f"{sure} was left out for {surer}, with which its box has an IoU of {self.overlap:.2f}"


@dataclass(frozen=True, eq=False)
class ImageBoxes(BoxSequence):
    """The boxes that the maps of one image have, the surest first (`FoundBox.confidence`).

    name: of the image; place: among those given.
    masks: of each box, bool, of the box's own size: True on the region that it lies around.
    shape: of the image, as `Heatmap.full()`; () of an image of which there is no map.
    how: the boxes were found, in words.
    suppressed: the boxes that were left out for surer ones.
    notes: in words, what was left out and why, and which maps have no box and why.
    why: why the image has no box at all, in words; "" where it has one.
    image: as `Heatmap.image`.
    """

    name: str
    place: int
    boxes: tuple[FoundBox, ...]
    masks: tuple[NDArray[np.bool_], ...] = field(repr=False)
    shape: tuple[int, ...] = ()
    how: str = ""
    suppressed: tuple[SuppressedBox, ...] = ()
    notes: tuple[str, ...] = ()
    why: str = ""
    image: UnderlayPixels = field(default=None, repr=False)

    @property
    def regions(self) -> NDArray[np.int32]:
        """Of the image's size, int32: 0 where there is no object, else 1 and on: the box's place in this sequence plus one;
        where regions of several classes meet, that of the surest.
        """
        return regions_of(self.boxes, self.masks, self.shape)

    def outlined(
        self, true_boxes: Any = None, true_mask: Any = None, legend: bool = False, contours: bool = True, magnify: float = 1
    ) -> Image.Image:
        """The photo with the boxes of all classes drawn on it, and the true ones beside, as `Heatmap.outlined` does it.

        Raises NotApplicable where it is no photo, BadParameter where the true boxes or mask do not fit it.
        """
        objects = Objects(self.boxes, self.masks, "; ".join((self.how, *self.notes)) if self.boxes else self.why)
        return outlined(self.image, objects, true_boxes, true_mask, legend, contours, magnify)


def boxes_by_image(
    maps: Iterable[Heatmap], left_out: Iterable[tuple[int, str, Exception]], suppress: float | None, **how: Any
) -> list[ImageBoxes]:
    """The boxes of each image, as `Heatmaps.boxes` says it; left_out: place, name and error of images without a map."""
    groups: dict[tuple[int, str], list[Heatmap]] = {}
    for heatmap in maps:
        groups.setdefault((heatmap.place, heatmap.source.image), []).append(heatmap)
    records = [_together(group, suppress, how) for group in groups.values()]
    for place, name, error in left_out:
        at = next((i for i, record in enumerate(records) if record.place > place), len(records))
        records.insert(at, ImageBoxes(name, place, (), (), why=printable(error, 300) or type(error).__name__))
    return records


def _together(maps: Sequence[Heatmap], suppress: float | None, how: dict[str, Any]) -> ImageBoxes:
    """The boxes of an image's maps."""
    every = [heatmap.boxes(**how) for heatmap in maps]
    first, source = every[0], maps[0].source
    if any(found.shape != first.shape for found in every):
        sizes = ", ".join(sorted({"x".join(map(str, found.shape)) for found in every}))
        raise BadParameter(f"The maps of {source.image} lie on images of different sizes: {sizes}. Pick some with where().")
    boxes = [box for found in every for box in found]
    masks = [mask for found in every for mask in found.masks]
    out = suppressed(boxes, suppress)
    stay = [place for place in surest(boxes) if place not in out]
    told = {place: winner for place, (winner, _) in out.items() if boxes[place] != boxes[winner]}  # not a class asked for twice
    lost = tuple(SuppressedBox(boxes[place], boxes[winner], out[place][1]) for place, winner in told.items())
    empty = [f"{_named(heatmap)} has no box: {found.why}" for heatmap, found in zip(maps, every, strict=True) if not found]
    return ImageBoxes(
        source.image,
        maps[0].place,
        tuple(boxes[place] for place in stay),
        tuple(masks[place] for place in stay),
        first.shape,
        first.how,
        lost,
        (*map(str, lost), *empty),
        "" if stay else _why(maps, every),
        maps[0].image,
    )


def _why(maps: Sequence[Heatmap], every: Sequence[FoundBoxes]) -> str:
    """Why none of the maps has a box."""
    reasons = dict.fromkeys(found.why for found in every)
    if len(reasons) == 1:
        return next(iter(reasons))
    return "; ".join(f"{_named(heatmap)}: {found.why}" for heatmap, found in zip(maps, every, strict=True))


def _named(heatmap: Heatmap) -> str:
    source = heatmap.source
    return printable(source.label or source.target if source.index is None else source.label or f"class {source.index}", 60)
