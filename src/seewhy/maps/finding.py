"""The objects that a map shows, with what its Source and its image say of them."""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from seewhy.arrays import Floats
from seewhy.images.inputs import is_clip
from seewhy.images.volume import Volume
from seewhy.objects.find import find
from seewhy.objects.found import FoundBox, FoundBoxes
from seewhy.objects.threshold import cut_of
from seewhy.pictures.canvas import Overlay, full
from seewhy.truth.evidence import seen

from .georeference import on_earth
from .source import Source


def evidence(values: Floats, of_cells: Floats, source: Source) -> Floats:
    """Values whose positive part is evidence: of mean scores (RISE), which all lie far from zero, how far above the least.

    values: at the size of the image; of_cells: the same map as it was computed.
    """
    return values - np.float32(nothing) if (nothing := _nothing(of_cells, source)) else values


def boxes_of(
    shown: Overlay,
    source: Source,
    threshold: float | None,
    of: str,
    components: str,
    connectivity: int,
    least: float | None,
    preset: str | None,
    refine: Any,
) -> FoundBoxes:
    """The boxes of a map, as `Heatmap.boxes` says it."""
    values, pixels = evident(shown, source), None if refine is None else _pixels(shown.image)
    part = seen(shown.box, values.shape)
    found = find(values, part, threshold, of, components, connectivity, least, preset, refine, pixels)
    boxes = on_earth([_told(box, shown.image, source) for box in found], shown, source)
    nothing = _nothing(shown.values, source)
    why = "the map is the same everywhere" if nothing and _flat(shown.values) else found.why
    return replace(found, boxes=tuple(boxes), cut=found.cut + nothing, why=why)


def above(
    shown: Overlay, source: Source, threshold: float | None, of: str, preset: str | None = None
) -> NDArray[np.bool_]:  # fmt: skip
    """Where the map lies above the threshold, of the image's size."""
    values = evident(shown, source)
    part, mask = seen(shown.box, values.shape), np.zeros(values.shape, np.bool_)
    mask[part] = values[part] > cut_of(values[part], threshold, of, preset)
    return mask


def evident(shown: Overlay, source: Source) -> NDArray[np.float32]:
    """The map's evidence at the size of the image: zero outside of what the network saw."""
    values = full(shown)
    part, cells = seen(shown.box, values.shape), shown.values
    if _flat(cells):  # between equal cells values may differ by a rounding error
        values[part] = cells.flat[0]
    if nothing := _nothing(cells, source):
        values[part] -= np.float32(nothing)
    return values


def _flat(values: Floats) -> bool:
    return bool(values.size) and bool(values.min() == values.max())


def _nothing(of_cells: Floats, source: Source) -> float:
    """The value that says nothing: zero, but of mean scores (RISE), which all lie far from zero, the least of them."""
    return float(of_cells.min()) if "mean_score" in source.measured else 0.0


def _pixels(image: Any) -> NDArray[Any] | None:
    """The image as an array (*its own size, channels); None of an array that was given prepared."""
    if isinstance(image, Image.Image):
        return np.asarray(image.convert("RGB"))
    if isinstance(image, Volume):
        return np.moveaxis(image.channels, 0, -1)
    return np.stack([np.asarray(frame.convert("RGB")) for frame in image.frames]) if is_clip(image) else None


def _told(box: FoundBox, image: Any, source: Source) -> FoundBox:
    """The box with the class that its map explains, and of a volume with its place in the scanner."""
    box = replace(box, label=source.label, index=source.index, probability=source.probability)
    if not isinstance(image, Volume):
        return box
    lows, highs = (np.array(side, np.float64) for side in zip(*box.spans, strict=True))
    corners = np.array(np.meshgrid(*zip(lows - 0.5, highs - 0.5, strict=True))).reshape(3, -1).T  # edges lie beside centres
    placed = image.mm(corners)
    least, greatest = (tuple(map(float, side)) for side in (placed.min(0), placed.max(0)))
    size_mm = tuple(map(float, (highs - lows) * image.spacing))
    return replace(box, size_mm=size_mm, corners_mm=(least, greatest) if image.sides_known else None)
