"""Boxes around objects on photos, from a table, COCO's JSON, or a folder of Pascal VOC's XML files."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from math import isfinite
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree import ElementTree

from seewhy.errors import BadParameter
from seewhy.json_text import json_of
from seewhy.printable import printable, quoted

from .evidence import BoxEdges
from .labels import FILES, LABELS
from .table import read_table, text_of

EDGES = (  # names of columns: left, top, and right, bottom or width, height
    ("x0", "y0", "x1", "y1"), ("xmin", "ymin", "xmax", "ymax"), ("x_min", "y_min", "x_max", "y_max"), ("x1", "y1", "x2", "y2"),
    ("left", "top", "right", "bottom"),
)  # fmt: skip
SIDES = (("x", "y", "width", "height"), ("x", "y", "w", "h"), ("left", "top", "width", "height"))
FORMS = (
    "Boxes are read from a table with a header (file,x0,y0,x1,y1 or file,x,y,width,height, and label where it is known), from "
    "COCO's JSON, or from a folder of Pascal VOC's XML files"
)
CUT = "<!DOCTYPE"  # of XML: the files of VOC have none, and it is what hostile ones work by


class MarkedBox(NamedTuple):
    """An object's box on an upright photo."""

    edges: BoxEdges
    label: str | None


class PhotoBoxes(NamedTuple):
    """The boxes on one photo; none where it is known to hold no object."""

    boxes: tuple[MarkedBox, ...]
    size: tuple[int, int] | None = None  # (w, h) of the photo that they were drawn on, where the file says it


def read_boxes(path: Path) -> dict[str, PhotoBoxes]:
    """The boxes of each photo, by the photo's name in the file.

    Tables and COCO's JSON count pixels from 0, the edges of the first pixel being 0 and 1; VOC counts whole pixels from 1.
    Raises BadParameter, which says what is read, for anything else.
    """
    if path.is_dir():
        return _voc(path)
    found = _from_json(path) if path.suffix.lower() == ".json" else _from_table(path)
    if not any(photo.boxes for photo in found.values()):
        raise BadParameter(f"{path} holds no box. {FORMS}.")
    if all(max(box.edges) <= 1 for photo in found.values() for box in photo.boxes):
        raise BadParameter(f"{path}: all its boxes lie within one pixel. Are these fractions? Multiply by the photo's sides.")
    return found


def _box(edges: Sequence[Any], label: Any, where: str) -> MarkedBox:
    """A box of four numbers, checked."""
    try:
        x0, y0, x1, y1 = map(float, edges)
    except (TypeError, ValueError):
        raise BadParameter(f"{where}: {quoted(edges)} is no box of four numbers. {FORMS}.") from None
    if not all(map(isfinite, (x0, y0, x1, y1))) or x1 <= x0 or y1 <= y0:
        raise BadParameter(f"{where}: the box from ({x0:g}, {y0:g}) to ({x1:g}, {y1:g}) is empty.")
    return MarkedBox((x0, y0, x1, y1), str(label) if label not in (None, "") else None)


def _with_sides(x: Any, y: Any, width: Any, height: Any) -> Sequence[Any]:
    """Left, top, right and bottom, of a corner and the sides; what are no numbers stay as they are."""
    try:
        return float(x), float(y), float(x) + float(width), float(y) + float(height)
    except (TypeError, ValueError):
        return x, y, width, height


def _from_table(path: Path) -> dict[str, PhotoBoxes]:
    table = read_table(path, {*FILES, *LABELS, *(name for names in (*EDGES, *SIDES) for name in names)})
    header = table.header or ["file", "x0", "y0", "x1", "y1", "label"][: len(table.rows[0])]
    if not table.header and len(table.rows[0]) not in (5, 6):
        raise BadParameter(f"{path} has {len(table.rows[0])} columns and no header. {FORMS}.")
    file = next((header.index(name) for name in FILES if name in header), None)
    edges = next((names for names in EDGES if {*names} <= {*header}), None)
    sides = next((names for names in SIDES if {*names} <= {*header}), None)
    if file is None or not (names := edges or sides):
        raise BadParameter(f"{path} has the columns {printable(', '.join(header), 300)}. {FORMS}.")
    places, label = (
        [header.index(name) for name in names],
        next((header.index(name) for name in LABELS if name in header), None),
    )
    found = defaultdict[str, list[MarkedBox]](list)
    for row in table.rows:
        numbers = [row[place] for place in places]
        boxes = found[row[file]]
        if any(numbers):  # a row without numbers says that the photo has no object
            said = row[label] if label is not None else None
            boxes.append(_box(numbers if edges else _with_sides(*numbers), said, f"{path}, {printable(row[file], 100)}"))
    return {name: PhotoBoxes(tuple(boxes)) for name, boxes in found.items()}


def _from_json(path: Path) -> dict[str, PhotoBoxes]:
    """COCO's {"images": ..., "annotations": ...}, or a list of {"file": ..., "boxes": [[x0, y0, x1, y1], ...]}."""
    try:
        content = json_of(text_of(path))
        if isinstance(content, dict):
            return _coco(content, path)
        return {str(entry["file"]): _listed(entry, path) for entry in content}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        if isinstance(error, BadParameter):
            raise
        what = f"{error.args[0]!r} is missing" if isinstance(error, KeyError) else printable(error, 200)
        raise BadParameter(f"{path} is no JSON of boxes: {what}. {FORMS}.") from None


def _listed(entry: Mapping[str, Any], path: Path) -> PhotoBoxes:
    label = next((entry[name] for name in LABELS if isinstance(entry.get(name), str | int)), None)
    boxes = tuple(_box(box, label, f"{path}, {printable(entry['file'], 100)}") for box in entry["boxes"])
    return PhotoBoxes(boxes, _size(entry))


def _coco(content: Mapping[str, Any], path: Path) -> dict[str, PhotoBoxes]:
    names = {category["id"]: category["name"] for category in content.get("categories", ())}
    boxes = defaultdict[Any, list[MarkedBox]](list)
    for mark in content["annotations"]:
        if mark.get("iscrowd") or "bbox" not in mark:  # a crowd's box marks no object
            continue
        where = f"{path}, annotation {mark.get('id', '')} of image {mark['image_id']}"
        boxes[mark["image_id"]].append(_box(_with_sides(*mark["bbox"]), names.get(mark.get("category_id")), where))
    return {str(image["file_name"]): PhotoBoxes(tuple(boxes[image["id"]]), _size(image)) for image in content["images"]}


def _size(entry: Mapping[str, Any]) -> tuple[int, int] | None:
    width, height = entry.get("width"), entry.get("height")
    return (int(width), int(height)) if width and height else None


def _voc(folder: Path) -> dict[str, PhotoBoxes]:
    files = sorted(folder.rglob("*.xml"))
    if not files:
        yolo = "; those of YOLO (.txt) say no pixels: convert them" if any(folder.rglob("*.txt")) else ""
        raise BadParameter(f"The folder {folder} holds no .xml files{yolo}. {FORMS}.")
    return {str(file.relative_to(folder).with_suffix("")): _annotation(file) for file in files}


def _annotation(file: Path) -> PhotoBoxes:
    """One file of VOC, whose pixels count from 1, both ends included."""
    text = text_of(file)
    if CUT in text.upper():
        raise BadParameter(f"{file} holds a document type, which is not read. {FORMS}.")
    try:
        root = ElementTree.fromstring(text)
        sides = [int(float(root.findtext(f"size/{side}") or 0)) for side in ("width", "height")]
        boxes = []
        for mark in root.iter("object"):
            x0, y0, x1, y1 = (float(mark.findtext(f"bndbox/{name}") or "none") for name in ("xmin", "ymin", "xmax", "ymax"))
            boxes.append(_box((max(x0 - 1, 0), max(y0 - 1, 0), x1, y1), mark.findtext("name"), str(file)))
    except (ElementTree.ParseError, ValueError) as error:
        if isinstance(error, BadParameter):
            raise
        raise BadParameter(f"{file} is no annotation of Pascal VOC: {printable(error, 200)}. {FORMS}.") from None
    return PhotoBoxes(tuple(boxes), (sides[0], sides[1]) if all(sides) else None)
