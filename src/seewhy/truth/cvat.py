"""Boxes and masks from CVAT's XML, as "CVAT for images 1.1" has them.

Source: https://docs.cvat.ai/docs/other/xml_format/
"""

from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

from seewhy.errors import BadParameter
from seewhy.printable import printable

from .marked import FORMS, MarkedBox, PhotoBoxes, checked_box, size_of
from .run_lengths import mask_of_rows
from .shapes import around, outlined, placed, points_of, turned
from .xml_tree import tree_of


def boxes_of_cvat(file: Path) -> dict[str, PhotoBoxes]:
    """The boxes and masks of each photo, by its name.  Polylines, points, cuboids and skeletons are left out.

    Raises BadParameter where it is no such file.
    """
    root = tree_of(file, "CVAT")
    if root.tag != "annotations":
        raise BadParameter(f"{file} is XML of {printable(root.tag, 60)!r}, and no annotation of CVAT. {FORMS}.")
    if root.find("track") is not None:
        raise BadParameter(f"{file} is CVAT's form of videos, with tracks: export the task as CVAT for images 1.1.")
    found = dict[str, PhotoBoxes]()
    for image in root.iterfind("image"):
        name = image.get("name") or ""
        where = f"{file}, {printable(name, 100)}"
        try:
            boxes = tuple(box for mark in image for box in _marked(mark, where))
            found[name] = PhotoBoxes(boxes, size_of(image.get("width"), image.get("height")))
        except (KeyError, ValueError) as error:
            if isinstance(error, BadParameter):
                raise
            what = f"{error.args[0]!r} is missing" if isinstance(error, KeyError) else printable(error, 200)
            raise BadParameter(f"{where}: no annotation of CVAT: {what}. {FORMS}.") from None
    return found


def _marked(mark: Element, where: str) -> list[MarkedBox]:
    """The object of one element; none of elements of other kinds."""
    said: Any = mark.attrib
    label = said.get("label")
    if mark.tag == "box":
        x0, y0, x1, y1 = (float(said[name]) for name in ("xtl", "ytl", "xbr", "ybr"))
        degrees = float(said.get("rotation") or 0)
        if not degrees:
            return [checked_box((x0, y0, x1, y1), label, where)]
        ring = turned((x0, y0, x1, y1), degrees, ((x0 + x1) / 2, (y0 + y1) / 2))
        return [checked_box(around([ring]), label, where, outlined([ring]))]
    if mark.tag == "polygon":
        ring = points_of(number for corner in said["points"].split(";") for number in corner.split(","))
        return [checked_box(around([ring]), label, where, outlined([ring]))]
    if mark.tag == "mask":
        left, top, width, height = (int(said[name]) for name in ("left", "top", "width", "height"))
        mask = mask_of_rows([int(length) for length in said["rle"].split(",")], (height, width))
        return [checked_box((left, top, left + width, top + height), label, where, placed(mask, left, top))]
    return []
