"""The maps of one image by class, as arrays: the positive evidence of each class as a share of its greatest."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from PIL import Image

from seewhy.arrays import Floats, numbers
from seewhy.errors import BadParameter, NoSuchName, closest
from seewhy.images.resample import resized
from seewhy.maps.finding import evidence
from seewhy.maps.heatmap import Heatmap
from seewhy.printable import printable, quoted
from seewhy.truth.evidence import seen

MOST = 254  # classes: a label map has one byte for each pixel, 0 is background, 255 is left out
ADVICE = "Give the maps of one image by class: {'dog': map, 'cat': map}, or Heatmaps of one image."


@dataclass(frozen=True, eq=False)
class ClassMaps:
    """What the maps of one image say of each class.

    names: of the classes; indices: their numbers in the network, from 0 on, where these are known.
    scores: (k, *shape), float32, 0 to 1: max(map, 0) over its greatest; zero outside of `part`.
    part: what the network saw of the image, along each axis; notes: of each class why it has no evidence, "" where it has some.
    """

    names: tuple[str, ...]
    indices: tuple[int | None, ...]
    scores: Floats = field(repr=False)
    part: tuple[slice, ...]
    image: Any = field(repr=False)
    notes: tuple[str, ...]
    captions: tuple[str, ...] = ()  # of the Heatmaps: method, class, layer

    def of(self, labels: Sequence[Any] | None) -> "ClassMaps":
        """The maps of these classes alone, those that the image truly has.  Raises NoSuchName where one has no map."""
        if labels is None:
            return self
        kept = [self._place(label) for label in ((labels,) if isinstance(labels, str | int) else labels)]
        if not kept:
            raise BadParameter("labels= is empty: an image without objects is background, and has no seeds.")
        kept = sorted({*kept})
        return ClassMaps(
            tuple(self.names[place] for place in kept), tuple(self.indices[place] for place in kept), self.scores[kept],
            self.part, self.image, tuple(self.notes[place] for place in kept),
            tuple(self.captions[place] for place in kept) if self.captions else (),
        )  # fmt: skip

    def _place(self, label: Any) -> int:
        known: list[Any] = [*self.indices] if isinstance(label, int | np.integer) else [*self.names]
        if label not in known:
            near = closest(str(label), [*self.names])
            raise NoSuchName("map of the class", label, near, f"There are maps of: {_listed(self.names)}.")
        return known.index(label)

    def on(self, grid: Sequence[int]) -> "ClassMaps":
        """The same on a grid of other cells, each of which has the mean of what it covers."""
        shape, spans = self.scores.shape[1:], list[slice]()
        for cells, pixels, part in zip(grid, shape, self.part, strict=True):
            centre = (np.arange(cells) + 0.5) * pixels / cells
            inside = np.flatnonzero((centre >= part.start) & (centre <= part.stop))
            spans.append(slice(int(inside[0]), int(inside[-1]) + 1) if len(inside) else slice(0, 0))
        return replace(self, scores=resized(self.scores, grid), part=tuple(spans))


def class_maps(maps: Any) -> ClassMaps:
    """The maps of one image by class: a mapping from names or numbers to Heatmaps or arrays, or a sequence of Heatmaps.

    Raises BadParameter where they are of several images, sizes or of one class twice, or there are none.
    """
    entries = _entries(maps)
    if not entries:
        raise BadParameter(f"There are no maps to make seeds of. {ADVICE}")
    heatmaps = [each for _, each in entries if isinstance(each, Heatmap)]
    if len(images := {(each.place, each.source.image): None for each in heatmaps}) > 1:
        few = ", ".join(printable(name, 60) for _, name in [*images][:3])
        raise BadParameter(f"These are maps of {len(images)} images ({few}). Take those of one: maps.where(image=0).")
    names = tuple(str(name) for name, _ in entries)
    if twice := [name for name in dict.fromkeys(names) if names.count(name) > 1]:
        raise BadParameter(
            f"There are {names.count(twice[0])} maps of {quoted(twice[0])}. Pick one with where(method=..., layer=...)."
        )
    arrays, shape = [_array(name, each) for name, each in entries], None
    for (name, _), array in zip(entries, arrays, strict=True):
        shape = shape or array.shape
        if array.shape != shape:
            raise BadParameter(f"The maps are of different sizes: {shape}, and that of {quoted(name)} {array.shape}.")
    parts = [seen(each.box, shape) for each in heatmaps]  # type: ignore[arg-type]
    part = tuple(parts[0]) if parts else tuple(slice(0, side) for side in shape or ())
    scores, notes = zip(*(_shares(name, array, part) for name, array in zip(names, arrays, strict=True)), strict=True)
    image, indices = heatmaps[0].image if heatmaps else None, tuple(_index(*entry) for entry in entries)
    captions = tuple(each.source.caption if isinstance(each, Heatmap) else "" for _, each in entries)
    return ClassMaps(names, indices, np.stack(scores), part, image, tuple(notes), captions)


def photo_of(image: Any) -> Any:
    """The colours (h, w, 3) of a photo; None of anything else."""
    return np.asarray(image.convert("RGB")) if isinstance(image, Image.Image) else None


def _entries(maps: Any) -> list[tuple[Any, Any]]:
    if isinstance(maps, Heatmap):
        maps = [maps]
    if isinstance(maps, Mapping):
        return [*maps.items()]
    if not isinstance(maps, Sequence) or not all(isinstance(each, Heatmap) for each in maps):
        raise BadParameter(f"{type(maps).__name__} is no maps by class. {ADVICE}")
    return [(_class_of(each), each) for each in maps]


def _class_of(heatmap: Heatmap) -> Any:
    source = heatmap.source
    return source.label or (source.target if source.index is None else source.index)


def _index(name: Any, each: Any) -> int | None:
    return each.source.index if isinstance(each, Heatmap) else int(name) if isinstance(name, int | np.integer) else None


def _array(name: Any, each: Any) -> Floats:
    if isinstance(each, Heatmap):
        return evidence(each.full(), each.values, each.source)
    array = numbers(each)
    if array.ndim not in (2, 3) or not array.size or array.dtype.kind not in "fiub" or not np.isfinite(array).all():
        raise BadParameter(f"The map of {quoted(name)} is no array (h, w) of finite numbers: {array.dtype} {array.shape}.")
    return array.astype(np.float32)


def _shares(name: str, values: Floats, part: tuple[slice, ...]) -> tuple[Floats, str]:
    """The positive values as shares of the greatest, zero outside of what was seen; and why all are zero, if they are."""
    inside = values[part]
    greatest = float(inside.max(initial=0))
    scores = np.zeros(values.shape, np.float32)
    if greatest <= 0:
        return scores, f"{name}: no value of its map is positive, so it has no seeds"
    if greatest == float(inside.min()):
        return scores, f"{name}: its map is the same everywhere, so it has no seeds"
    scores[part] = np.maximum(inside, 0) / greatest
    return scores, ""


def _listed(names: Sequence[str]) -> str:
    return printable(", ".join(names[:8]), 300) + ", ..." * (len(names) > 8)
