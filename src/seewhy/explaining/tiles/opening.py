"""Opens images so that they can be cut into tiles: each as the class of large image that can read its parts."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from seewhy.explaining.image_facts import image_facts
from seewhy.images.inputs import Images, PreparedBatch, is_clip
from seewhy.images.photo import Photo, read
from seewhy.images.volume import Volume
from seewhy.images.volume_kinds import holds_volume
from seewhy.prepare.batch import Batch

from .large_image import Decoded, LargeImage, PixelArray, PreparedArray
from .scene import scene


def large_images(images: PreparedBatch | list[Any], model: Any, first: int = 0) -> Iterator[LargeImage]:
    """Each image that `images.inputs.sort_out` returned, as a large image; those without a name are numbered from `first` on.

    Volumes, clips and signals become the arrays that the model prepares from them.
    """
    if isinstance(images, PreparedBatch):
        for place, x in enumerate(images.x, first):
            signal = x.ndim == 2
            yield _ready(model, PreparedBatch(x[None]), f"image {place}") if signal else PreparedArray(x, f"image {place}")
        return
    for place, image in enumerate(images, first):
        other = isinstance(image, Volume) or is_clip(image) or holds_volume(image)
        yield _ready(model, [image]) if other else _photo(image, f"image {place}")


def _ready(model: Any, image: Images, name: str = "") -> "PreparedArray":
    batch: Batch = next(iter(model.batches(image)))
    return PreparedArray(batch.x[0], name or batch.names[0], batch, image_facts(batch, 0, model.prepare))


def _photo(image: Any, name: str) -> LargeImage:
    if isinstance(image, np.ndarray) and image.dtype == np.uint8 and image.ndim in (2, 3):
        return PixelArray(image, name)
    if isinstance(image, str | Path) and Path(image).suffix.lower() in (".tif", ".tiff"):
        raster = scene(Path(image))
        if raster is not None:
            return raster
    named = isinstance(image, str | Path | Photo) or getattr(image, "filename", "")
    return Decoded(read(image) if named else read(image, name))
