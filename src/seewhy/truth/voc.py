"""Boxes from a folder of Pascal VOC's XML files."""

from pathlib import Path

from seewhy.errors import BadParameter
from seewhy.printable import printable

from .marked import FORMS, PhotoBoxes, checked_box, size_of
from .xml_tree import tree_of


def boxes_of_voc(folder: Path, files: list[Path]) -> dict[str, PhotoBoxes]:
    """The boxes of each photo, by its name without suffix.  Raises BadParameter."""
    return {str(file.relative_to(folder).with_suffix("")): _annotation(file) for file in files}


def _annotation(file: Path) -> PhotoBoxes:
    """One file of VOC, whose pixels count from 1, both ends included."""
    root = tree_of(file, "Pascal VOC")
    try:
        boxes = []
        for mark in root.iter("object"):
            x0, y0, x1, y1 = (float(mark.findtext(f"bndbox/{name}") or "none") for name in ("xmin", "ymin", "xmax", "ymax"))
            boxes.append(checked_box((max(x0 - 1, 0), max(y0 - 1, 0), x1, y1), mark.findtext("name"), str(file)))
        size = size_of(*(float(root.findtext(f"size/{side}") or 0) for side in ("width", "height")))
    except ValueError as error:
        if isinstance(error, BadParameter):
            raise
        raise BadParameter(f"{file} is no annotation of Pascal VOC: {printable(error, 200)}. {FORMS}.") from None
    return PhotoBoxes(tuple(boxes), size)
