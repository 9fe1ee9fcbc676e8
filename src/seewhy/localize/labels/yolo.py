"""Boxes or outlines as YOLO's text files, a file for each photo, with data.yaml and classes.txt.

Source: https://docs.ultralytics.com/datasets/detect/ and https://docs.ultralytics.com/datasets/segment/
"""

import json
from collections.abc import Sequence
from pathlib import Path

from seewhy.errors import NotApplicable
from seewhy.json_text import whole_text
from seewhy.printable import printable
from seewhy.truth.table import text_of

from .coco import text_of_json
from .folder import LabelFolder
from .labelled import LabelledImage, LabelledObject, of_run
from .numbering import Numbering
from .outlines import outlines

MOST = 254  # classes of a model that are all listed; of models with more, those that occur
CLASSES = "classes.txt"
NEAR = 1.0  # pixels by which outlines may lie beside the mask's edge


class YoloWriter:
    """`labels/cat.txt` for `cat.jpg`: a line for each object, the class's number from 0 on, then, as shares of the photo's
    sides, the box's centre and sides, or the corners of its outline.  A photo without objects has an empty file.

    The format has no room for scores.  What made the labels stands in a comment of data.yaml.
    labels: of the model, whose indices are the numbers where there are few; else classes are numbered as they occur.
        Those in a classes.txt that is there keep their numbers, for so have the files of photos that are not written again.
    segments: outlines, to a pixel; holes by a cut of no width.
    """

    def __init__(
        self, folder: Path, over: bool = True, labels: Sequence[str] | None = None, segments: bool = False
    ) -> None:  # fmt: skip
        self._files = LabelFolder(folder / "labels", ".txt", over)
        self._place, self._over, self._segments = folder, over, segments
        self._numbering, self._named, self._made = Numbering(labels, MOST, _there(folder / CLASSES)), 0, ""

    def add(self, image: LabelledImage) -> None:
        if len(image.size) != 2:
            raise NotApplicable(f"{printable(image.file, 200)} is no photo, and YOLO knows photos alone. Write csv or nifti.")
        lines = [
            f"{self._numbering.of(one)} {' '.join(f'{number:.8f}' for number in numbers)}\n"
            for one in image.objects
            for numbers in (_segments(one, image.size) if self._segments else [_box(one, image.size)])
        ]
        self._files.put(image.file, "".join(lines).encode())
        self._made = self._made or text_of_json(of_run(image.made))
        if len(self._numbering.names) > self._named:  # now, so that the numbers have names also where the run is killed
            names = "".join(f"{_line(name)}\n" for name in self._numbering.names)
            self._files.write(self._place / CLASSES, names.encode(), "the names of classes")
            self._named = len(self._numbering.names)

    def close(self) -> None:
        if not self._made:
            return
        names = "".join(f"  {number}: {_quoted(name)}\n" for number, name in enumerate(self._numbering.names))
        text = (
            f"# weak labels from heatmaps: {self._made}\n"
            "train: images  # beside this file: put the photos there, under the names of the files in labels\nval: images\n"
            f"names:{'' if names else ' {}'}\n{names}"
        )
        self._files.write(self._place / "data.yaml", text.encode(), "the description of the labels")


def _box(one: LabelledObject, size: Sequence[int]) -> list[float]:
    left, top, right, bottom = one.found.edges
    width, height = size
    return [(left + right) / 2 / width, (top + bottom) / 2 / height, (right - left) / width, (bottom - top) / height]


def _segments(one: LabelledObject, size: Sequence[int]) -> list[list[float]]:
    left, top, _, _ = one.found.edges
    width, height = size
    return [
        [number for x, y in ring for number in ((x + left) / width, (y + top) / height)] for ring in outlines(one.mask, NEAR)
    ]


def _there(file: Path) -> list[str]:
    """The classes that a file of an earlier run names."""
    return [line.strip() for line in text_of(file).splitlines()] if file.is_file() and file.stat().st_size else []


def _line(name: str) -> str:
    return whole_text(" ".join(name.split())) or "?"


def _quoted(name: str) -> str:
    """The name as YAML's double quotes take it."""
    letters = (letter if letter.isprintable() else f"\\U{ord(letter):08X}" for letter in whole_text(name))
    return '"' + "".join(json.dumps(letter)[1:-1] if letter in '"\\' else letter for letter in letters) + '"'
