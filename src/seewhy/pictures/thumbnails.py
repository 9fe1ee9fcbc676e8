"""Small pictures, kept as the bytes of a file: a hundredth of the memory that their pixels take."""

import io
from base64 import b64encode
from typing import NamedTuple

from PIL import Image

from .stretching import Size

QUALITY = 75  # of a JPEG


class Thumbnail(NamedTuple):
    """A small picture, as the bytes of a file."""

    content: bytes
    kind: str  # "jpeg", which is smaller, or "png", which is exact
    size: Size  # (w, h), in pixels

    @classmethod
    def of(cls, picture: Image.Image, side: int, kind: str = "jpeg") -> "Thumbnail":
        """The picture, reduced where it is wider or higher than `side`."""
        small, file = picture.convert("RGB"), io.BytesIO()
        if max(small.size) > side:
            small = small.resize(within(small.size, side), Image.Resampling.BOX, reducing_gap=3.0)
        small.save(file, kind, **({"quality": QUALITY} if kind == "jpeg" else {"compress_level": 1}))
        return cls(file.getvalue(), kind, small.size)

    @property
    def picture(self) -> Image.Image:
        """Its pixels: RGB, whatever the bound of pixels for photos of strangers, which `Image.open` keeps."""
        from PIL.JpegImagePlugin import JpegImageFile  # here, with the next, for importing them takes a while
        from PIL.PngImagePlugin import PngImageFile

        with (JpegImageFile if self.kind == "jpeg" else PngImageFile)(io.BytesIO(self.content)) as file:
            return file.convert("RGB")

    @property
    def address(self) -> str:
        """The picture itself as an address, for pages that are one file."""
        return f"data:image/{self.kind};base64,{b64encode(self.content).decode('ascii')}"


def within(size: Size, side: int) -> Size:
    """The size of a picture whose longer side is to have that many pixels."""
    scale = side / max(size)
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))
