"""Names of classes: from a file, a list, or ImageNet's own."""

import io
from collections.abc import Iterable, Mapping, Sequence
from importlib.resources import files
from itertools import islice
from pathlib import Path
from typing import Any

from seewhy.errors import BadParameter
from seewhy.json_text import json_of, whole_text
from seewhy.printable import printable, quoted

Labels = Sequence[str] | Mapping[Any, str]
LARGEST = 2**26  # bytes of a file of names
MOST = 10**6  # names


def read_labels(labels: Labels | str | Path | None) -> list[str] | None:
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
        asked = quoted(str(labels) if isinstance(labels, str | Path) else labels)
        raise BadParameter(
            f"The labels {asked} cannot be read ({type(error).__name__}: {printable(error, 300)}). "
            "Give a text file with one name a line, a JSON list, or 'imagenet'."
        ) from None


def _text(path: Path) -> str:
    if path.exists() and not path.is_file():
        raise ValueError("it is a folder, a device or a pipe, and no file")
    with path.open("rb") as file:
        found = file.read(LARGEST + 1)
    if len(found) > LARGEST:
        raise ValueError(f"it is larger than {LARGEST >> 20} MB, so it is no list of names")
    return found.decode("utf-8-sig")


def _lines(text: str) -> list[str]:
    """Split where a text file's lines end, and nowhere else: a name may hold what Unicode calls a separator."""
    lines = [line.strip() for line in io.StringIO(text, newline=None)]
    while lines and not lines[-1]:
        lines.pop()
    if not lines:
        raise ValueError("it is empty")
    return _few(lines)


def _from_json(found: Any) -> list[str]:
    if isinstance(found, Mapping):
        found = _in_order(_few(found), [*found.values()])
    if isinstance(found, str):
        raise TypeError("a single word is no list")
    found = _few(islice(found, MOST + 1))
    if found and isinstance(found[0], Mapping) and "index" in found[0]:
        found = _in_order([entry["index"] for entry in found], found)
    if not found:
        raise ValueError("there are none")
    return [_name(entry) for entry in found]


def _few(names: Iterable[Any]) -> list[Any]:
    found = [*names]
    if len(found) > MOST:
        raise ValueError(f"there are more than {MOST:,} names")
    return found


def _in_order(indices: list[Any], entries: list[Any]) -> list[Any]:
    order = sorted(range(len(indices)), key=lambda i: int(indices[i]))
    if [int(indices[i]) for i in order] != list(range(len(order))):
        raise ValueError("its indices are not 0, 1, 2, ...")
    return [entries[i] for i in order]


def _name(entry: Any) -> str:
    if isinstance(entry, Mapping):
        entry = entry.get("name") or entry["label"]
    entry = entry[-1] if isinstance(entry, list | tuple) else entry
    if not isinstance(entry, str | int) or isinstance(entry, bool):
        raise TypeError(f"{quoted(entry)} is no name")
    return whole_text(str(entry))
