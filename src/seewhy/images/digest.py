"""The SHA-256 of an image as it was read, by which it is known again whatever its file is called."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from PIL import Image

from seewhy.arrays import numbers

from .volume import Volume


def image_sha256(image: Any) -> str:
    """The SHA-256, as 64 digits, of what an image holds.

    Of a photo, upright, its mode, its size and its pixels; of a Volume the voxels and the affine; of a Clip all frames; of an
    array or tensor its kind, its shape and its numbers, in C order.
    """
    if isinstance(image, Image.Image):
        return pixels_sha256(image.mode, image.size, [image.tobytes()])
    if isinstance(image, Volume):
        return _hashed("volume", *_array(image.values), *_array(image.affine))
    if hasattr(image, "frames"):
        return _hashed("clip", *(image_sha256(frame) for frame in image.frames))
    return _hashed("array", *_array(numbers(image)))


def pixels_sha256(mode: str, size: tuple[int, int], parts: Iterable[bytes]) -> str:
    """Of a photo (w, h) whose pixels come in parts, rows by rows."""
    return _hashed(f"{mode} {size[0]}x{size[1]}", *parts)


def _array(array: Any) -> tuple[str, Any]:
    return f"{array.dtype} {array.shape}", np.ascontiguousarray(array).reshape(-1).view(np.uint8)


def _hashed(*parts: Any) -> str:
    from hashlib import sha256  # here, for it takes as long to import as much of seewhy

    total = sha256()
    for part in parts:
        total.update(f"{part}\0".encode() if isinstance(part, str) else part)
    return total.hexdigest()
