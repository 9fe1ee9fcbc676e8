"""Boxes and masks of objects on photos, from the files of tools that draw and read them."""

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from seewhy.errors import BadParameter
from seewhy.json_text import json_of
from seewhy.printable import printable, quoted

from .cvat import boxes_of_cvat
from .label_studio import boxes_of_label_studio, is_label_studio
from .labels import FILES, LABELS
from .marked import FORMS, MarkedBox, MarkedShape, PhotoBoxes, checked_box, size_of, with_sides
from .shapes import of_coco
from .table import read_table, text_of
from .voc import boxes_of_voc
from .yolo import boxes_of_yolo, yolo_files

EDGES = (  # names of columns: left, top, and right, bottom or width, height
    ("x0", "y0", "x1", "y1"), ("xmin", "ymin", "xmax", "ymax"), ("x_min", "y_min", "x_max", "y_max"), ("x1", "y1", "x2", "y2"),
    ("left", "top", "right", "bottom"),
)  # fmt: skip
SIDES = (("x", "y", "width", "height"), ("x", "y", "w", "h"), ("left", "top", "width", "height"))
SIZE = ("image_width", "image_height")


def read_boxes(path: Path) -> dict[str, PhotoBoxes]:
    """The boxes of each photo, by the photo's name in the file.

    Tables, COCO, Label Studio and CVAT count pixels from 0, the edges of the first pixel being 0 and 1; VOC counts whole pixels
    from 1; YOLO's are shares of the photo's sides.
    Raises BadParameter, which says what is read, for anything else.
    """
    if path.is_dir():
        return _from_folder(path)
    readers = {".json": _from_json, ".xml": boxes_of_cvat}
    found = readers.get(path.suffix.lower(), _from_table)(path)
    if not any(photo.boxes for photo in found.values()):
        raise BadParameter(f"{path} holds no box. {FORMS}.")
    if all(not photo.shares and max(box.edges) <= 1 for photo in found.values() for box in photo.boxes):
        raise BadParameter(f"{path}: all its boxes lie within one pixel. Are these fractions? Multiply by the photo's sides.")
    return found


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
    sized = [header.index(name) for name in SIZE] if {*SIZE} <= {*header} else []
    found, sizes = defaultdict[str, list[MarkedBox]](list), dict[str, tuple[int, int] | None]()
    for row in table.rows:
        numbers = [row[place] for place in places]
        boxes = found[row[file]]
        if any(numbers):  # a row without numbers says that the photo has no object
            said = row[label] if label is not None else None
            boxes.append(checked_box(numbers if edges else with_sides(*numbers), said, f"{path}, {printable(row[file], 100)}"))
        if sized:
            sizes[row[file]] = _size(row[sized[0]], row[sized[1]], path)
    return {name: PhotoBoxes(tuple(boxes), sizes.get(name)) for name, boxes in found.items()}


def _size(width: str, height: str, path: Path) -> tuple[int, int] | None:
    try:
        return size_of(width, height)
    except (ValueError, OverflowError):
        raise BadParameter(f"{path}: {quoted(width)} x {quoted(height)} is no size of a photo in pixels.") from None


def _from_json(path: Path) -> dict[str, PhotoBoxes]:
    """COCO's {"images": ..., "annotations": ...}, Label Studio's list of tasks, or a list of {"file": ..., "boxes":
    [[x0, y0, x1, y1], ...]}.
    """
    try:
        content = json_of(text_of(path))
        if isinstance(content, dict):
            return _coco(content, path)
        if is_label_studio(content):
            return boxes_of_label_studio(content, path)
        return {str(entry["file"]): _listed(entry, path) for entry in content}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        if isinstance(error, BadParameter):
            raise
        what = f"{error.args[0]!r} is missing" if isinstance(error, KeyError) else printable(error, 200)
        raise BadParameter(f"{path} is no JSON of boxes: {what}. {FORMS}.") from None


def _listed(entry: Mapping[str, Any], path: Path) -> PhotoBoxes:
    label = next((entry[name] for name in LABELS if isinstance(entry.get(name), str | int)), None)
    boxes = tuple(checked_box(box, label, f"{path}, {printable(entry['file'], 100)}") for box in entry["boxes"])
    return PhotoBoxes(boxes, size_of(entry.get("width"), entry.get("height")))


def _coco(content: Mapping[str, Any], path: Path) -> dict[str, PhotoBoxes]:
    names = {category["id"]: category["name"] for category in content.get("categories", ())}
    boxes, crowds = defaultdict[Any, list[MarkedBox]](list), defaultdict[Any, list[MarkedShape]](list)
    for mark in content["annotations"]:
        shape, place = of_coco(mark.get("segmentation")), mark["image_id"]
        if mark.get("iscrowd") or "bbox" not in mark:  # a crowd's box marks no object
            crowds[place] += [shape] if shape else []
            continue
        where, label = f"{path}, annotation {mark.get('id', '')} of image {place}", names.get(mark.get("category_id"))
        boxes[place].append(checked_box(with_sides(*mark["bbox"]), label, where, shape))
    return {
        str(image["file_name"]): PhotoBoxes(
            tuple(boxes[image["id"]]), size_of(image.get("width"), image.get("height")), crowds=tuple(crowds[image["id"]])
        )
        for image in content["images"]
    }


def _from_folder(folder: Path) -> dict[str, PhotoBoxes]:
    """Pascal VOC's XML files, YOLO's text files, or what CVAT or Label Studio exports as a folder."""
    for name in ("annotations.xml", "result.json"):
        if (folder / name).is_file():
            return read_boxes(folder / name)
    if files := sorted(folder.rglob("*.xml")):
        return boxes_of_voc(folder, files)
    if files := yolo_files(folder):
        return boxes_of_yolo(folder, files)
    raise BadParameter(f"The folder {folder} holds no .xml and no .txt files of labels. {FORMS}.")
