"""Where text stands on photos, as an OCR library reads it."""

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from seewhy.errors import MissingExtra
from seewhy.truth.shapes import outlined

SURE = 0.8  # of a line: what is read with less is often no text, but a pattern that the photo shows


def text_on(photo: Image.Image) -> NDArray[np.bool_]:
    """True where a photo shows text: within the outlines of lines that RapidOCR (PP-OCR) finds and reads, surely enough.

    Lines that are found alone are not enough: on photos, whole photos are found then.
    Raises MissingExtra where RapidOCR is not installed.
    """
    width, height = photo.size
    found = _reader()(np.ascontiguousarray(np.asarray(photo.convert("RGB"))[..., ::-1]))  # it takes blue first
    if found.boxes is None:
        return np.zeros((height, width), np.bool_)
    lines = [np.asarray(box, np.float64) for box, sure in zip(found.boxes, found.scores, strict=True) if sure >= SURE]
    return outlined(lines)((width, height))


@cache
def _reader() -> Any:
    try:
        # here, for it is an extra
        from rapidocr import RapidOCR  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise MissingExtra("RapidOCR, which finds text,", "text") from None
    return RapidOCR(params={"Global.use_cls": False, "Global.log_level": "error"})
