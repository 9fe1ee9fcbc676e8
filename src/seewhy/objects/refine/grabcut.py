"""GrabCut: the cheapest border between two mixtures of colours, which the map begins."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from seewhy.arrays import Floats
from seewhy.errors import MissingExtra
from seewhy.images.resample import resized

from .small import SmallImage

MOST = 2**14  # cells of the grid that is cut, as 128 x 128


def grabcut(values: Floats, cut: float, pixels: NDArray[Any], *, sure: float = 0.85, iterations: int = 3) -> NDArray[np.bool_]:
    """What OpenCV's GrabCut finds of a photo when it begins from the map.

    sure: object is fixed where the map lies further above the cut than this share of how far its greatest value does;
    background where it lies further below the cut than this share of it; the rest is only likely.
    Where there is no object or no background to begin with, the mask stays as it is.
    Source: Rother, Kolmogorov & Blake, GrabCut, 2004.  Raises MissingExtra.
    """
    cv2 = _opencv()
    small = SmallImage.of(values, pixels, MOST)
    inside, outside = small.sure(cut, sure)
    marks = np.where(small.values > cut, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    marks[inside], marks[outside] = cv2.GC_FGD, cv2.GC_BGD
    colours = np.rint(small.colours * 255).astype(np.uint8)
    colours = np.ascontiguousarray(colours if colours.shape[-1] == 3 else np.repeat(colours[..., :1], 3, -1))
    if not 0 < np.count_nonzero(marks & 1) < marks.size:
        return values > cut
    cv2.setRNGSeed(0)  # it draws the colours that its mixtures begin from
    cv2.grabCut(colours, marks, None, np.zeros((1, 65)), np.zeros((1, 65)), iterations, cv2.GC_INIT_WITH_MASK)
    return resized((marks & 1).astype(np.float32), values.shape) > 0.5  # an odd mark is object


def _opencv() -> Any:
    try:
        import cv2  # here, for it is an extra
    except ImportError:
        raise MissingExtra("OpenCV", "grabcut") from None
    return cv2
