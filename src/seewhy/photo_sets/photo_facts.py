"""How a photo looks, in a few numbers: what a failure may have in common with others that no map shows."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIDE = 512  # pixels that the longer side of a photo has at most when it is measured
# Of the Independent JPEG Group's library: the table for luminance at quality 50, which other qualities scale
LUMINANCE = (
    16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22, 29, 51, 87, 80,
    62, 18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92, 49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98,
    112, 100, 103, 99,
)  # fmt: skip


def photo_facts(photo: Image.Image, quantization: Mapping[int, Sequence[int]]) -> dict[str, Any]:
    """The column `photo`, of an upright RGB photo; of one of more than SIDE pixels, of its means over blocks.

    brightness: mean of its luma (Rec. 601); contrast: twice the standard deviation of that; sharpness: the standard deviation
        of the Laplacian of the luma, over the largest there can be (Pech-Pacheco et al. 2000, sec. 3); saturation: mean of
        1 - min / max of each pixel's colours.  All from 0 to 1.
    jpeg_quality: by its quantization tables; None of a photo that is no JPEG.
    """
    times = max(1, -(-max(photo.size) // SIDE))
    small = photo.reduce(times) if times > 1 else photo
    luma, (red, green, blue) = np.asarray(small.convert("L"), np.int16), map(np.asarray, small.split())
    most = np.maximum(np.maximum(red, green), blue)
    spread = most - np.minimum(np.minimum(red, green), blue)
    return {
        "brightness": float(luma.mean()) / 255,
        "contrast": 2 * float(luma.std()) / 255,
        "sharpness": _sharpness(luma),
        "saturation": float((spread / np.maximum(most, np.float32(1))).mean()),
        "jpeg_quality": jpeg_quality(quantization[0]) if 0 in quantization else None,
    }


def _sharpness(luma: NDArray[np.int16]) -> float:
    if min(luma.shape) < 3:
        return 0.0
    middle = luma[1:-1, 1:-1]
    laplacian = luma[:-2, 1:-1] + luma[2:, 1:-1] + luma[1:-1, :-2] + luma[1:-1, 2:] - 4 * middle
    return float(laplacian.std()) / (4 * 255)


def jpeg_quality(table: Sequence[int]) -> int:
    """The quality from 1 to 100 at which the IJG's library writes the table for luminance most like this one: its own.

    table: of 64 numbers, in rows.
    """
    return int(abs(_TABLES - np.sort(np.asarray(table, np.float64)[:64])).sum(1).argmin()) + 1


def _scaled(quality: int) -> NDArray[np.float64]:
    """The numbers of the table for luminance at a quality, smallest first: files have them in zigzag, Pillow in rows."""
    scale = 5000 // quality if quality < 50 else 200 - 2 * quality
    return np.sort(np.clip((np.array(LUMINANCE) * scale + 50) // 100, 1, 255)).astype(np.float64)


_TABLES = np.stack([_scaled(quality) for quality in range(1, 101)])  # (100, 64)
