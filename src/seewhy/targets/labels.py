"""Names of classes: from a file, a list, or ImageNet's own."""

import io
import re
from collections.abc import Iterable, Mapping, Sequence
from importlib.resources import files
from itertools import islice
from pathlib import Path
from typing import Any

from seewhy.errors import BadParameter
from seewhy.json_text import json_of, whole_text
from seewhy.printable import printable, quoted

LabelNames = Sequence[str] | Mapping[Any, str]
LARGEST = 2**26  # bytes of a file of names
MOST = 10**6  # names
FILE = re.compile(r"\.(jpe?g|png|webp|gif|bmp|tiff?|dcm|nii|gz|npy)$", re.IGNORECASE)


def read_labels(labels: LabelNames | str | Path | None) -> list[str] | None:
    """A name per class.

    Takes a list, a dict by index, "imagenet" (the 1000 names of ILSVRC 2012), or a file: one name a line, or JSON: a
    list of names, a list of {"index": ..., "name": ...}, or {"0": name} and Keras's {"0": [wnid, name]}.
    """
    if labels is None:
        return None
    if isinstance(labels, str) and labels == "imagenet":
        return files("seewhy.targets").joinpath("imagenet.txt").read_text("utf-8").splitlines()
    try:
        if not isinstance(labels, str | Path):
            return _from_json(labels)
        path = Path(labels)
        text = _text(path)
        return _from_json(json_of(text)) if path.suffix.lower() == ".json" else _lines(text)
    except (OSError, KeyError, TypeError, ValueError, IndexError, RecursionError) as error:
        quotation = quoted(str(labels) if isinstance(labels, str | Path) else labels)
        raise BadParameter(
            f"The labels {quotation} cannot be read ({type(error).__name__}: {printable(error, 300)}). "
            "Give a text file with one name a line, a JSON list, or 'imagenet'."
        ) from None


def _text(path: Path) -> str:
    """The text of a file, of bounded size; ValueError where it is larger, or no plain file."""
    if path.exists() and not path.is_file():
        raise ValueError("it is a folder, a device or a pipe, and no file")
    with path.open("rb") as file:
        data = file.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise ValueError(f"it is larger than {LARGEST >> 20} MB, so it is no list of names")
    return data.decode("utf-8-sig")


def _lines(text: str) -> list[str]:
    """Split where a text file's lines end, and nowhere else: a name may hold what Unicode calls a separator."""
    lines = [line.strip() for line in io.StringIO(text, newline=None)]
    while lines and not lines[-1]:
        lines.pop()
    if not lines:
        raise ValueError("it is empty")
    lines = _not_too_many(lines)
    _check_column(lines)
    return lines


def _check_column(lines: list[str]) -> None:
    """Raise ValueError where the lines are rows of a table that begin with files or with the numbers of classes."""
    for mark in (",", ";", "\t"):
        rows = [line.split(mark, 1) for line in lines if line]
        if any(len(row) < 2 for row in rows):
            continue
        first = [row[0].strip().strip('"') for row in rows[1 if len(rows) > 1 else 0 :]]  # a head may stand above them
        if all(FILE.search(name) for name in first):
            table = "a table of files and their labels, which `seewhy explain --truth FILE` takes"
            raise ValueError(f"it is {table}; the names of classes stand one a line")
        if len(first) > 1 and all(name.isdecimal() for name in first):
            raise ValueError(
                "it is a table that begins with numbers: keep the names alone, one a line, in the order of the classes"
            )


def _from_json(names: Any) -> list[str]:
    """The names in a list or a dict by index, as they stand in JSON; ValueError, TypeError or KeyError where they are none."""
    if isinstance(names, Mapping):
        names = _in_order(_not_too_many(names), [*names.values()])
    if isinstance(names, str):
        raise TypeError("a single word is no list")
    names = _not_too_many(islice(names, MOST + 1))
    if names and isinstance(names[0], Mapping) and "index" in names[0]:
        names = _in_order([entry["index"] for entry in names], names)
    if not names:
        raise ValueError("there are none")
    return [_name(entry) for entry in names]


def _not_too_many(names: Iterable[Any]) -> list[Any]:
    """The names as a list; ValueError where there are more than MOST."""
    entries = [*names]
    if len(entries) > MOST:
        raise ValueError(f"there are more than {MOST:,} names")
    return entries


def _in_order(indices: list[Any], entries: list[Any]) -> list[Any]:
    """The entries in the order of their indices; ValueError where these are not 0, 1, 2, ..."""
    order = sorted(range(len(indices)), key=lambda i: int(indices[i]))
    if [int(indices[i]) for i in order] != list(range(len(order))):
        raise ValueError("its indices are not 0, 1, 2, ...")
    return [entries[i] for i in order]


def _name(entry: Any) -> str:
    """The name in an entry: a text or number itself, the last of a list, a dict's "name" or "label"."""
    if isinstance(entry, Mapping):
        entry = entry.get("name") or entry["label"]
    entry = entry[-1] if isinstance(entry, list | tuple) else entry
    if not isinstance(entry, str | int) or isinstance(entry, bool):
        raise TypeError(f"{quoted(entry)} is no name")
    return whole_text(str(entry))
