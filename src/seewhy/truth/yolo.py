"""Boxes and outlines from a folder of YOLO's text files.

Source: https://docs.ultralytics.com/datasets/detect/ and https://docs.ultralytics.com/datasets/segment/
"""

import re
from pathlib import Path

import numpy as np

from seewhy.errors import BadParameter
from seewhy.printable import printable

from .marked import FORMS, MarkedBox, PhotoBoxes, checked_box
from .shapes import around, outlined, points_of
from .table import text_of

NAMES = ("classes.txt", "obj.names", "_darknet.labels")  # files with a class's name on each line
OTHERS = (*NAMES, "train.txt", "val.txt", "test.txt", "readme.txt", "notes.txt")
ENTRY = re.compile(r"^\s+(?:(\d+)\s*:|-)\s*(.*)$")  # of a mapping or a list in YAML


def yolo_files(folder: Path) -> list[Path]:
    """The files that hold boxes: those in `labels`, if there is such a folder."""
    inside = folder / "labels" if (folder / "labels").is_dir() else folder
    return [file for file in sorted(inside.rglob("*.txt")) if file.name.lower() not in OTHERS]


def boxes_of_yolo(folder: Path, files: list[Path]) -> dict[str, PhotoBoxes]:
    """The boxes of each photo, in shares of its sides, by its name without suffix.

    Classes have their names where classes.txt or data.yaml say them, in the folder or above it, else their numbers.
    Raises BadParameter where a line is none of YOLO.
    """
    names, inside = _names(folder), folder / "labels" if (folder / "labels").is_dir() else folder
    return {str(file.relative_to(inside).with_suffix("")): _photo(file, names) for file in files}


def _photo(file: Path, names: dict[int, str]) -> PhotoBoxes:
    if not file.stat().st_size:
        return PhotoBoxes((), shares=True)
    lines = [line.split() for line in text_of(file).splitlines() if line.strip()]
    return PhotoBoxes(tuple(_marked(words, names, f"{file}, line {at}") for at, words in enumerate(lines, 1)), shares=True)


def _marked(words: list[str], names: dict[int, str], where: str) -> MarkedBox:
    """A line: the class, then a box (and a score, which is not looked at), or the corners of an outline."""
    try:
        number, numbers = int(float(words[0])), [float(word) for word in words[1:]]
        label = names.get(number, str(number))
        if len(numbers) in (4, 5):
            x, y, width, height = numbers[:4]
            return checked_box((x - width / 2, y - height / 2, x + width / 2, y + height / 2), label, where)
        ring = points_of(numbers)
    except (ValueError, OverflowError) as error:
        if isinstance(error, BadParameter):
            raise
        raise BadParameter(f"{where} is no line of YOLO: {printable(error, 200)}. {FORMS}.") from None
    if np.abs(ring).max() > 2:
        raise BadParameter(f"{where} has numbers beyond 1, and no shares of the photo's sides.")
    return checked_box(around([ring]), label, where, outlined([ring], shares=True))


def _names(folder: Path) -> dict[int, str]:
    for place in (folder, folder.parent):
        for name in NAMES:
            if (place / name).is_file():
                return dict(enumerate(line.strip() for line in text_of(place / name).splitlines()))
        for file in (*place.glob("*.yaml"), *place.glob("*.yml")):
            if names := _of_yaml(text_of(file)):
                return names
    return {}


def _of_yaml(text: str) -> dict[int, str]:
    """The names in a data.yaml: a list, in brackets or line by line, or a mapping of numbers; nothing where there are none."""
    lines = text.splitlines()
    at = next((place for place, line in enumerate(lines) if line.startswith("names:")), None)
    if at is None:
        return {}
    rest = lines[at].removeprefix("names:").strip()
    if rest.startswith("["):
        inside = " ".join([rest, *lines[at + 1 :]]).partition("]")[0]
        return dict(enumerate(_unquoted(word) for word in inside.lstrip("[").split(",") if word.strip()))
    found = dict[int, str]()
    for line in lines[at + 1 :]:
        entry = ENTRY.match(line) or re.match(r"^(?:(\d+)\s*:|-)\s*(.*)$", line)
        if not entry:
            break
        found[int(entry[1]) if entry[1] else len(found)] = _unquoted(entry[2])
    return found


def _unquoted(word: str) -> str:
    word = word.strip()
    if word[:1] == '"' and len(word) > 1:
        inner = word[1:].rpartition('"')[0]
        return re.sub(r"\\(U[0-9a-fA-F]{8}|.)", lambda said: chr(int(said[1][1:], 16)) if len(said[1]) > 1 else said[1], inner)
    if word[:1] == "'" and len(word) > 1:
        return word[1:].rpartition("'")[0].replace("''", "'")
    return word.partition(" #")[0].strip()
