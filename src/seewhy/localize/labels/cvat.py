"""Annotations for CVAT, which a person corrects there: "CVAT for images 1.1".

Source: https://docs.cvat.ai/docs/dataset_management/formats/format-cvat/ and https://docs.cvat.ai/docs/other/xml_format/
"""

from itertools import chain
from typing import Any
from xml.etree.ElementTree import Element

from seewhy.errors import NotApplicable
from seewhy.printable import printable
from seewhy.truth.run_lengths import run_lengths

from .coco import text_of_json
from .growing import GrowingFile, LaterText, Output
from .labelled import LabelledImage, LabelledObject, of_run
from .markup import element, text_of_xml
from .numbering import Numbering
from .outlines import outlines

NEAR = 1.0  # pixels by which outlines may lie beside the mask's edge
HEAD = '<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n  <version>1.1</version>\n'
KINDS = {"boxes": "rectangle", "polygons": "polygon", "masks": "mask"}


class CvatWriter:
    """One XML file: for each image its boxes, outlines ("polygons", to a pixel) or masks (run lengths, row by row in the box).

    Each shape has the attribute `score`, which CVAT shows where the label of the task has a text attribute of that name.  What
    made the labels stands in "meta", under "seewhy".
    """

    def __init__(self, output: Output, over: bool = True, shapes: str = "boxes") -> None:
        self._file, self._shapes, self._images = GrowingFile(output, over), shapes, LaterText()
        self._count, self._names, self._made = 0, Numbering(), dict[str, Any]()

    def add(self, image: LabelledImage) -> None:
        if len(image.size) != 2:
            raise NotApplicable(f"{printable(image.file, 200)} is no photo, and CVAT takes photos here. Write nifti.")
        width, height = image.size
        root = element(None, "image", id=self._count, name=image.file.replace("\\", "/"), width=width, height=height)
        for one in image.objects:
            self._names.of(one)
            _shapes(root, one, self._shapes)
        self._images.add(text_of_xml(root, 1))
        self._made = self._made or of_run(image.made)
        self._count += 1

    def close(self) -> None:
        with self._images:
            try:
                if self._count:
                    self._file.add(HEAD)
            finally:
                self._file.close(chain([self._meta()], self._images.pieces(), ["</annotations>\n"]))

    def _meta(self) -> str:
        meta = element(None, "meta")
        task = element(meta, "task")
        for name, text in (("name", "weak labels from heatmaps"), ("size", self._count), ("mode", "annotation")):
            element(task, name, text)
        labels = element(task, "labels")
        for name in self._names.names:
            label = element(labels, "label")
            element(label, "name", name)
            element(label, "type", KINDS[self._shapes])
            attribute = element(element(label, "attributes"), "attribute")
            for key, text in (("name", "score"), ("mutable", "False"), ("input_type", "text"), ("default_value", "")):
                element(attribute, key, text)
        element(meta, "seewhy", text_of_json(self._made))
        return text_of_xml(meta, 1)


def _shapes(root: Element, one: LabelledObject, shapes: str) -> None:
    left, top, right, bottom = one.found.edges
    said = {"label": one.category, "source": "auto", "occluded": 0, "z_order": 0}
    if shapes == "boxes":
        made = [element(root, "box", **said, xtl=f"{left:.2f}", ytl=f"{top:.2f}", xbr=f"{right:.2f}", ybr=f"{bottom:.2f}")]
    elif shapes == "polygons":
        rings = outlines(one.mask, NEAR)
        texts = [";".join(f"{x + left:.2f},{y + top:.2f}" for x, y in ring) for ring in rings]
        made = [element(root, "polygon", **said, points=points) for points in texts]
    else:
        runs = ", ".join(map(str, run_lengths(one.mask.ravel())))
        sides = {"left": left, "top": top, "width": right - left, "height": bottom - top}
        made = [element(root, "mask", **said, rle=runs, **sides)]
    for shape in made:
        element(shape, "attribute", f"{one.score:.6g}", name="score")
