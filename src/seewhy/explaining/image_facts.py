"""What a Source says of an image: which it is, how large, and what was done to it before the network saw it."""

import sys
from typing import Any

import numpy as np

from seewhy.images.digest import image_sha256
from seewhy.images.places import Extent, Grid, Where
from seewhy.images.volume import Volume
from seewhy.images.volume_kinds import holds_volume
from seewhy.maps.source import ImageFacts, stored
from seewhy.prepare.batch import Batch
from seewhy.prepare.facts import facts_of
from seewhy.prepare.volume_fit import VolumeFit


def image_facts(batch: Batch, i: int, prepare: Any) -> ImageFacts:
    """The facts of image i, which the model's `prepare` made ready; of a prepared array no preprocessing is known."""
    photo = batch.photos[i]
    if photo is None or isinstance(photo.pixels, np.ndarray):
        return ImageFacts(image_sha256(batch.x[i]), size_of(None, batch.boxes[i]))
    pixels = photo.pixels
    how = VolumeFit() if prepare is None and isinstance(pixels, Volume) else prepare  # as volumes are taken without any
    sha256 = batch.sha256[i] if batch.sha256 else image_sha256(pixels)
    return ImageFacts(sha256, size_of(pixels, batch.boxes[i]), stored(facts_of(how)), _readers(pixels))


def size_of(pixels: Any, box: Where) -> tuple[int, ...]:
    """As `Heatmap.size`."""
    if isinstance(box, Grid):
        return tuple(map(int, box.shape))
    if isinstance(box, Extent) and pixels is None:
        return round(box.right), round(box.bottom)
    return tuple(pixels.size)


def _readers(pixels: Any) -> dict[str, str]:
    """The versions of the libraries that read a volume's file."""
    if not isinstance(pixels, Volume):
        return {}
    name = "nibabel" if pixels.header is not None else "pydicom" if holds_volume(pixels.name) else ""
    version = getattr(sys.modules.get(name), "__version__", None)
    return {name: version} if version else {}
