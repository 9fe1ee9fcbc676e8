"""Pre-annotations for Label Studio, which a person corrects there, and the labeling config that they fit.

Source: https://labelstud.io/guide/predictions (tasks with predictions, regions in percent of the image's sides), and
https://labelstud.io/guide/storage#Local-storage (photos that the server reads from its own disk).
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from seewhy.errors import NotApplicable
from seewhy.json_text import whole_text
from seewhy.printable import printable
from seewhy.truth.run_lengths import label_studio_bytes, within

from .coco import text_of_json
from .folder import LabelFolder
from .growing import GrowingFile, Output
from .labelled import LabelledImage, LabelledObject
from .markup import element, text_of_xml
from .numbering import Numbering
from .outlines import outlines

LOCAL = "/data/local-files/?d="  # before the path of a photo below LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT
TAGS = {"boxes": "RectangleLabels", "polygons": "PolygonLabels", "brush": "BrushLabels"}
NEAR = 1.0  # pixels by which outlines may lie beside the mask's edge


class LabelStudioWriter:
    """One JSON file, a task for each image with one prediction, and beside it labels.config.xml (of labels.json): the labeling
    config of a project that takes them.

    shapes: "boxes"; "polygons", outlines to a pixel; or "brush", the masks themselves.
    prefix: what stands before the names of photos, by default that of photos on the server's own disk.
    Scores stand at each region, and the greatest at the prediction, by which the data manager sorts; what made the labels, in
    the task's "meta", and in short as the prediction's "model_version".
    """

    def __init__(self, output: Output, over: bool = True, shapes: str = "boxes", prefix: str = "") -> None:
        self._file, self._shapes, self._prefix = GrowingFile(output, over), shapes, prefix or LOCAL
        self._config = output.with_name(f"{output.stem}.config.xml") if isinstance(output, Path) else None
        self._over, self._region, self._names = over, 0, Numbering()

    def add(self, image: LabelledImage) -> None:
        if len(image.size) != 2:
            raise NotApplicable(f"{printable(image.file, 200)} is no photo, and Label Studio takes photos here. Write nifti.")
        regions = [region for one in image.objects for region in self._regions(one, image)]
        for number, region in enumerate(regions, self._region + 1):
            region["id"] = f"seewhy{number}"
        prediction = {
            "model_version": _version(image),
            "score": max((one.score for one in image.objects), default=0.0),
            "result": regions,
        }
        task = {
            "data": {"image": self._prefix + quote(whole_text(image.file))},
            "predictions": [prediction] if regions else [],
            "meta": {**image.made, **({} if regions else {"why": image.why})},
        }
        self._file.add(("[" if self._file.empty else ",\n") + text_of_json(task))
        self._region += len(regions)
        for one in image.objects:
            self._names.of(one)

    def _regions(self, one: LabelledObject, image: LabelledImage) -> list[dict[str, Any]]:
        tag, (width, height) = TAGS[self._shapes].lower(), image.size
        said = {"from_name": "label", "to_name": "image", "type": tag, "original_width": width, "original_height": height}
        return [
            {**said, "image_rotation": 0, "score": one.score, "value": {**value, tag: [one.category]}}
            for value in _values(one, (width, height), self._shapes)
        ]

    def close(self) -> None:
        empty = self._file.empty
        self._file.close(["]\n"])
        if self._config is not None and not empty:
            folder = LabelFolder(self._config.parent, ".xml")
            folder.write(
                self._config, _config(TAGS[self._shapes], self._names.names).encode(), "the labeling config", self._over
            )


def _values(one: LabelledObject, size: Sequence[int], shapes: str) -> list[dict[str, Any]]:
    left, top, right, bottom = one.found.edges
    across, down = 100 / size[0], 100 / size[1]
    if shapes == "boxes":
        sides = {"width": (right - left) * across, "height": (bottom - top) * down}
        return [{"x": left * across, "y": top * down, **sides, "rotation": 0}]
    if shapes == "polygons":
        rings = outlines(one.mask, NEAR)
        return [{"points": [[(x + left) * across, (y + top) * down] for x, y in ring], "closed": True} for ring in rings]
    return [{"format": "rle", "rle": [*label_studio_bytes(within(one.mask, one.found.slices, size[::-1]))]}]


def _version(image: LabelledImage) -> str:
    return printable(" ".join(str(image.made[name]) for name in ("model", "method") if name in image.made) or "seewhy", 200)


def _config(tag: str, names: Sequence[str]) -> str:
    view = element(None, "View")
    element(view, "Image", name="image", value="$image")
    labels = element(view, tag, name="label", toName="image")
    for name in names:
        element(labels, "Label", value=name)
    return text_of_xml(view)
