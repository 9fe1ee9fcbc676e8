"""Label maps as PNG files with the palette of Pascal VOC, a file for each photo."""

import io
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from seewhy.errors import NotApplicable
from seewhy.maps.made_here import LABELS
from seewhy.printable import printable

from .label_map import LabelMaps, colours
from .labelled import LabelledImage

MOST = 254


class MaskWriter:
    """`cat.png` for `cat.jpg`, of its size: 0 where nothing is, else the class's number: its index among `labels` plus one
    where these are 254 or fewer, else its place in the order in which classes occur.  255 is kept for pixels that do not count.

    The numbers stand in classes.csv and, with scores and what made the labels, in the PNG's text `seewhy-labels`.
    """

    def __init__(self, folder: Path, over: bool = True, labels: Sequence[str] | None = None) -> None:
        self._maps = LabelMaps(folder, ".png", over, labels, MOST, ignored=True)
        self._palette = colours().ravel().tolist()

    def add(self, image: LabelledImage) -> None:
        if len(image.size) != 2:
            raise NotApplicable(f"{printable(image.file, 200)} is no photo. Write nifti for label maps of volumes.")
        picture = Image.fromarray(self._maps.values(image, image.size[::-1]))
        picture.putpalette(self._palette)
        self._maps.put(image, _png(picture, self._maps.said(image)))

    def close(self) -> None:
        """Each file is whole already."""


def _png(picture: Image.Image, text: str) -> bytes:
    from PIL.PngImagePlugin import PngInfo  # here, for it takes a tenth of the time to import seewhy

    note, file = PngInfo(), io.BytesIO()
    note.add_itxt(LABELS, text)
    picture.save(file, "PNG", pnginfo=note)
    return file.getvalue()
