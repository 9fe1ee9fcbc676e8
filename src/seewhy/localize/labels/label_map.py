"""Label maps: for each pixel or voxel the number of a class."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seewhy.errors import BadParameter, NotApplicable
from seewhy.printable import printable
from seewhy.truth.table import text_of

from .coco import text_of_json
from .folder import LabelFolder
from .labelled import LabelledImage
from .numbering import Numbering

CLASSES = "classes.csv"
IGNORED = 255  # in maps of bytes: pixels that are not to be counted


class LabelMaps:
    """A folder of label maps, a file for each image, and classes.csv, which says what the numbers mean.

    suffix: of the files; labels: of the model, whose indices plus one are the numbers where `most` are enough; else classes are
    numbered from 1 on as they occur; ignored: does the format keep 255 for pixels that are not to be counted?
    Classes in a classes.csv that is there keep their numbers, for so have the maps of images that are not written again.
    """

    def __init__(
        self, folder: Path, suffix: str, over: bool, labels: Sequence[str] | None, most: int, ignored: bool = False
    ) -> None:  # fmt: skip
        self._files = LabelFolder(folder, suffix, over)
        self._numbering = Numbering(labels, most, _there(folder / CLASSES, ignored))
        self._most, self._ignored, self._named = most, ignored, -1

    def values(self, image: LabelledImage, shape: Sequence[int]) -> NDArray[Any]:
        """0 where nothing is, else the number of the class; where objects overlap, the surest is seen.  Of bytes, if these
        are enough.

        Raises NotApplicable for more classes than the format has numbers.
        """
        numbers = [self._numbering.of(one) + 1 for one in image.objects]
        if (greatest := max(numbers, default=0)) > self._most:
            raise NotApplicable(
                f"{printable(image.file, 200)} shows class {greatest} of these files, and a label map of this format holds "
                f"{self._most}. Write coco."
            )
        found = np.zeros(shape, np.uint8 if greatest < IGNORED else np.uint16)
        for number, one in reversed([*zip(numbers, image.objects, strict=True)]):
            found[one.found.slices][one.mask] = number
        return found

    def said(self, image: LabelledImage) -> str:
        """What made the labels, their numbers, and how sure each object is, as JSON."""
        objects = [{"number": self._numbering.of(one) + 1, "label": one.category, "score": one.score} for one in image.objects]
        return text_of_json({**image.made, "objects": objects, **({} if objects else {"why": image.why})})

    def put(self, image: LabelledImage, content: bytes) -> None:
        """Write the file of an image, and what its numbers mean.  Raises NotWritten."""
        self._files.put(image.file, content)
        names = self._numbering.names
        if len(names) != self._named:
            self._files.write(self._files.folder / CLASSES, class_table(names, self._ignored), "the names of classes")
            self._named = len(names)


def colours(count: int = 256) -> NDArray[np.uint8]:
    """The colours of Pascal VOC's label maps: (count, 3), black for 0.

    The bits of a number, three at a time from the lowest, are the bits of red, green and blue, from the highest.
    Source: VOClabelcolormap.m of the VOC 2012 development kit.
    """
    numbers, made = np.arange(count), np.zeros((count, 3), np.uint8)
    for place in range(8):
        for channel in range(3):
            made[:, channel] |= (((numbers >> (3 * place + channel)) & 1) << (7 - place)).astype(np.uint8)
    return made


def _there(file: Path, ignored: bool) -> list[str]:
    """The classes that a table of an earlier run names, in the order of their numbers from 1 on.  Raises BadParameter."""
    if not file.is_file():
        return []
    try:
        rows = [(int(row[0]), row[1]) for row in list(csv.reader(io.StringIO(text_of(file))))[1:] if row]
    except (ValueError, IndexError, csv.Error):
        raise BadParameter(f"{file} is no table of classes (number,label,...): give another folder for label maps.") from None
    names = {number: name for number, name in rows if 0 < number < (IGNORED if ignored else 65_536)}
    return [names.get(number, f"class {number}") for number in range(1, max(names, default=0) + 1)]


def class_table(names: Sequence[str], ignored: bool) -> bytes:
    """The classes of label maps as CSV: number, label and colour; also of 255, where such pixels are not counted."""
    file, shown = io.StringIO(newline=""), colours()
    rows = csv.writer(file, lineterminator="\n")
    rows.writerow(["number", "label", "red", "green", "blue"])
    listed = [(0, "background"), *enumerate(names, 1), *([(IGNORED, "not to be counted")] if ignored else [])]
    rows.writerows([number, printable(name), *shown[number % 256].tolist()] for number, name in listed)
    return file.getvalue().encode()
