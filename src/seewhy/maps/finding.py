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
from seewhy.pictures.canvas import Overlay, full
from seewhy.truth.evidence import seen

from .source import Source


def evidence(values: Floats, of_cells: Floats, source: Source) -> Floats:
    """Values whose positive part is evidence: of mean scores (RISE), which all lie far from zero, how far above the least.

    values: at the size of the image; of_cells: the same map as it was computed.
    """
    return values - of_cells.min() if "mean_score" in source.measured else values


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
    values = full(shown)
    part = seen(shown.box, values.shape)
    strong = np.zeros_like(values)
    strong[part] = evidence(values[part], shown.values, source)
    pixels = None if refine is None else _pixels(shown.image)
    found = find(strong, part, threshold, of, components, connectivity, least, preset, refine, pixels)
    return replace(found, boxes=tuple(_told(box, shown.image, source) for box in found))


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
    return replace(box, size_mm=tuple(map(float, (highs - lows) * image.spacing)), corners_mm=(least, greatest))
