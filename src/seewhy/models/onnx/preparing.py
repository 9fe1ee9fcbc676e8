"""How photos are prepared for an ONNX model, and the names of its classes, as far as its file says."""

import re
from ast import literal_eval
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from seewhy.errors import BadParameter
from seewhy.json_text import json_of
from seewhy.prepare.fit import Fit
from seewhy.prepare.unscaled import Unscaled
from seewhy.printable import printable

from .ending import EXPORTED
from .image_input import ImageInput

MOST = 10**6  # characters of metadata that are read
PHOTO_CHANNELS = (1, 3)
NUMBERS = frozenset(Fit.__dataclass_fields__)


@dataclass(frozen=True)
class FileFacts:
    """What a file says of preparation and classes."""

    size: tuple[int, int] | None = None  # of its images (h, w); None where any is taken
    channels: int | None = 3  # of its images; None of what takes no photos
    prepare: Mapping[str, Any] | None = None  # the numbers of a Fit; None where the file does not say them
    labels: Sequence[str] | None = None

    def fitted(self, given: Any) -> Any:
        """What a person says of the preparation, filled up with what the file says."""
        if self.channels is None or not (given is None or (isinstance(given, Mapping) and {*given} <= NUMBERS)):
            return given
        given = dict(given or {})
        if self.size and "crop" not in given and isinstance(given.get("size"), int):
            given["crop"] = self.size
        size, crop = (self.size, None) if self.size else (USUAL.size, USUAL.crop)
        return Unscaled(size, crop, grey=self.channels == 1).said({**(self.prepare or {}), **given})


USUAL = Fit()


def facts_of(metadata: Mapping[str, str], image: ImageInput) -> FileFacts:
    """What the metadata of a file, and the input that takes its images, say."""
    sides, channels = image.space, image.shape[image.channels]
    height, width = sides if len(sides) == 2 else (None, None)
    size = (height, width) if height is not None and width is not None else None
    channels = 3 if channels is None else channels
    prepare, labels = _said(metadata)
    if prepare is None and image.pixels:
        prepare = {"mean": 0.0, "std": 1 / 255}
    return FileFacts(size, channels if len(sides) == 2 and channels in PHOTO_CHANNELS else None, prepare, labels)


FileSaid = tuple[Mapping[str, Any] | None, Sequence[str] | None]


def _said(metadata: Mapping[str, str]) -> FileSaid:
    """The numbers of the preparation, and the names of the classes, by whoever wrote the file."""
    return _own(metadata) if EXPORTED in metadata else _ultralytics(metadata) if _is_ultralytics(metadata) else (None, None)


def _own(metadata: Mapping[str, str]) -> FileSaid:
    """What `seewhy export` wrote."""
    try:
        facts = json_of(metadata[EXPORTED], MOST)
        prepare, labels = facts.get("prepare"), facts.get("labels")
        numbers = {key: value for key, value in prepare.items() if key in NUMBERS} if isinstance(prepare, dict) else None
        if numbers is not None and isinstance(prepare, dict) and prepare.get("kind", "Fit") != "Fit":
            numbers = None
        return numbers, _names(labels)
    except (ValueError, AttributeError) as error:
        raise BadParameter(f"The metadata that the model carries under {EXPORTED!r} cannot be read: {error}") from None


def _is_ultralytics(metadata: Mapping[str, str]) -> bool:
    return {"author", "names", "imgsz", "task"} <= {*metadata} and metadata["author"] == "Ultralytics"


def _ultralytics(metadata: Mapping[str, str]) -> FileSaid:
    """What the exporter of Ultralytics wrote: the names of the classes and the size; its networks take pixels from 0 to 1."""
    names, size = _literal(metadata["names"]), _literal(metadata["imgsz"])
    labels = _names([names[key] for key in sorted(names)]) if isinstance(names, dict) else None
    numbers: dict[str, Any] = {"mean": 0.0, "std": 1.0}
    if isinstance(size, list) and len(size) == 2 and all(isinstance(side, int) for side in size):
        square = metadata["task"] == "classify" and size[0] == size[1]
        numbers |= {"size": size[0], "crop": size[0]} if square else {"size": tuple(size), "crop": None}
    return numbers, labels


def _literal(text: str) -> Any:
    """A literal of Python that a file holds: flat, so that reading it takes no more room than its text."""
    if len(text) > MOST or len(re.findall(r"[(\[{]", text)) > 1:
        return None
    try:
        return literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return None


def _names(labels: Any) -> list[str] | None:
    """Labels of a file, in a form that can be shown."""
    if not isinstance(labels, list) or not labels:
        return None
    return [printable(label, 200) for label in labels]
