"""Boxes and masks in COCO's JSON.

Source: https://cocodataset.org/#format-data (object detection) and #format-results (score).
"""

import json
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any

from seewhy.errors import NotApplicable, NotWritten
from seewhy.json_text import plain, whole_text
from seewhy.printable import printable
from seewhy.truth.run_lengths import coco_counts, within

from .growing import GrowingFile, LaterText, Output
from .labelled import LabelledImage, LabelledObject, of_run
from .numbering import Numbering
from .outlines import outlines


class CocoWriter:
    """One JSON file: annotations with bbox, area, segmentation and score, as pycocotools' COCO reads it.

    A category's id is its index among `labels` plus one; without labels its place in the order in which classes occur.
    rle: segmentations are compressed run lengths; else polygons, the exact outlines of the pixels (a hole is reached by a cut
        of no width), which pycocotools turns into the same mask.
    What made the labels stands in "info", under "seewhy"; at an image where it differs for that one.
    """

    def __init__(
        self, output: Output, over: bool = True, labels: Sequence[str] | None = None, rle: bool = False
    ) -> None:  # fmt: skip
        self._file, self._numbering, self._rle = GrowingFile(output, over), Numbering(labels), rle
        self._images, self._image, self._annotation = LaterText(), 0, 0
        self._used, self._made = dict[int, str](), dict[str, Any]()

    def add(self, image: LabelledImage) -> None:
        if len(image.size) != 2:
            raise NotApplicable(f"{printable(image.file, 200)} is no photo, and COCO knows photos alone. Write csv or nifti.")
        made, place = plain(image.made), self._image + 1
        head = "" if self._image else '{"info": ' + text_of_json(_info(of_run(made))) + ', "annotations": ['
        numbers = [self._numbering.of(one) + 1 for one in image.objects]
        ids = range(self._annotation + 1, self._annotation + 1 + len(numbers))
        annotations = [
            self._annotated(one, image, {"id": i, "image_id": place, "category_id": number})
            for i, number, one in zip(ids, numbers, image.objects, strict=True)
        ]
        comma = ",\n" if annotations and self._annotation else ""
        self._made = self._made if self._image else of_run(made)
        self._images.add((",\n" if self._image else "") + text_of_json(self._entry(place, image, made)))
        try:
            self._file.add(head + comma + ",\n".join(annotations))
        except NotWritten:
            self._images.take_back()
            raise
        self._used |= {number: one.category for number, one in zip(numbers, image.objects, strict=True)}
        self._image, self._annotation = place, self._annotation + len(annotations)

    def _entry(self, place: int, image: LabelledImage, made: dict[str, Any]) -> dict[str, Any]:
        width, height = image.size
        entry = {"id": place, "file_name": image.file, "width": width, "height": height}
        other = {key: value for key, value in made.items() if self._made.get(key) != value}
        why = {} if image.objects else {"why": image.why}
        return {**entry, **({"seewhy": {**other, **why}} if other or why else {})}

    def _annotated(self, one: LabelledObject, image: LabelledImage, ids: dict[str, int]) -> str:
        left, top, right, bottom = one.found.edges
        if self._rle:
            width, height = image.size
            whole = within(one.mask, one.found.slices, (height, width))
            marked: Any = {"size": [height, width], "counts": coco_counts(whole)}
        else:
            marked = [[number for x, y in ring for number in (x + left, y + top)] for ring in outlines(one.mask)]
        said = {
            **ids,
            "bbox": [left, top, right - left, bottom - top],
            "area": int(one.mask.sum()),
            "iscrowd": 0,
            "score": one.score,
            "seewhy": {"probability": one.found.probability, "box_score": one.found.score, "evidence": one.found.evidence},
        }
        return with_numbers(said, "segmentation", marked)

    def close(self) -> None:
        with self._images:
            categories = [{"id": number, "name": name, "supercategory": ""} for number, name in sorted(self._used.items())]
            end = '],\n"categories": [' + _joined(categories) + "]}\n"
            self._file.close(chain(['],\n"images": ['], self._images.pieces(), [end]))


def _info(made: dict[str, Any]) -> dict[str, Any]:
    said = "weak labels from heatmaps: a machine drew them, and no person has looked at them"
    return {"description": said, "version": "1.0", "contributor": f"seewhy {made.get('seewhy', '')}".strip(), "seewhy": made}


def _joined(entries: Iterable[Any]) -> str:
    return ",\n".join(map(text_of_json, entries))


def text_of_json(value: Any) -> str:
    """A value as JSON in ASCII on one line; halves of surrogate pairs, which names that are no text have, become U+FFFD."""
    return json.dumps(_whole(plain(value)), allow_nan=False)


def with_numbers(said: dict[str, Any], name: str, numbers: Any) -> str:
    """A JSON object with one more field, of so many plain numbers that looking at each of them would take long."""
    return f'{text_of_json(said)[:-1]}, "{name}": {json.dumps(numbers)}}}'


def _whole(value: Any) -> Any:
    if isinstance(value, dict):
        return {whole_text(key): _whole(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_whole(inner) for inner in value]
    return whole_text(value) if isinstance(value, str) else value
