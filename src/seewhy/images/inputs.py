"""The images that a person gives: a list of pictures still to be read, or a prepared batch."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Union

from PIL import Image

from seewhy.arrays import Array, ArrayOfAny
from seewhy.errors import BadImage

from .photo import Photo
from .volume import Volume

if TYPE_CHECKING:
    from .clip import Clip


@dataclass(frozen=True)
class PreparedBatch:
    """Floats that already went through the user's own preprocessing."""

    x: Array  # (n, c, *space)
    first: int = 0  # the place of its first image among all images


# a photo, a volume or a clip: its path, what was read of it, or its numbers
Picture = Union[str, Path, bytes, Image.Image, Photo, Volume, "Clip", ArrayOfAny]
Images = Picture | PreparedBatch | Iterable[Picture]  # an array of floats (n, c, *space) is a prepared batch


def sort_out(images: Any, signals: bool | Callable[[], bool] = False) -> PreparedBatch | list[Any]:
    """The images as a prepared batch, or as a list of pictures that are still to be opened.

    signals: floats (n, c, l) are a prepared batch, too; a function is asked of arrays alone that have less than four axes.
    """
    if isinstance(images, PreparedBatch):
        return images
    if isinstance(images, str | Path | Image.Image | Photo | Volume | bytes) or is_clip(images):
        return [images]
    if hasattr(images, "dtype") and hasattr(images, "shape"):
        few = len(images.shape) < 4 and (signals() if callable(signals) else signals)
        return _sort_array(images, 3 if few else 4)
    if not isinstance(images, Sequence):
        images = _listed(images)
    if not len(images):
        raise BadImage("No images were given. Give a path, a PIL image, a uint8 array (h, w, 3), or a list of these.")
    if all(_is_float(i) for i in images):
        raise BadImage("A list of float arrays is neither photos nor a batch. Stack it: (n, c, h, w), prepared.")
    return list(images)


def is_clip(image: Any) -> bool:
    from .clip import Clip  # here, for with the reader of TIFF's tags it takes a while to import

    return isinstance(image, Clip)


def _listed(images: Any) -> list[Any]:
    try:
        return list(images)
    except TypeError:
        raise BadImage(
            f"{type(images).__name__} is no image. Give a path, a PIL image, a uint8 array (h, w, 3) or (h, w), "
            "a list of these, or a prepared float batch (n, c, h, w)."
        ) from None


def _is_float(image: Any) -> bool:
    return "float" in str(getattr(image, "dtype", ""))


def _sort_array(array: Array, least: int) -> PreparedBatch | list[Any]:
    shape, kind = tuple(array.shape), str(array.dtype)
    if "float" in kind:
        if len(shape) < least:
            raise BadImage(
                f"A float array {shape} is no prepared batch {'(n, c, l)' if least == 3 else '(n, c, h, w)'}. "
                "For a photo give uint8 (h, w, 3); for one prepared image add the batch axis: x[None]."
            )
        if 0 in shape:
            raise BadImage(f"The prepared batch {shape} is empty.")
        return PreparedBatch(array)
    if kind.endswith("uint8") and len(shape) == 4 and shape[-1] in (1, 3, 4):
        return list(array)
    return [array]
