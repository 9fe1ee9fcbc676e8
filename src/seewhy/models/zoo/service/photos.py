"""Photos as bytes of a file, as a service takes them."""

from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

TYPES = {"png": "image/png", "jpeg": "image/jpeg"}


def as_file(photo: NDArray[np.uint8], encoding: str, quality: int) -> bytes:
    """A photo (h, w, 3) as a PNG, which has its very pixels, or as a JPEG, which changes them a little."""
    file = BytesIO()
    settings: dict[str, Any] = {"compress_level": 1} if encoding == "png" else {"quality": quality}
    Image.fromarray(photo).save(file, encoding.upper(), **settings)
    return file.getvalue()
