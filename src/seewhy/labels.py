"""Names of classes: from a file, a list, or ImageNet's own."""

import json
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from .errors import BadParameter

Labels = Sequence[str] | Mapping[Any, str]


def read_labels(labels: Labels | str | Path | None) -> list[str] | None:
    """A name per class.

    Takes a list, a dict by index, "imagenet" (the 1000 names of ILSVRC 2012), or a file: one name a line, or JSON: a
    list of names, a list of {"index": ..., "name": ...}, or {"0": name} and Keras's {"0": [wnid, name]}.
    """
    if labels is None:
        return None
    if isinstance(labels, str) and labels == "imagenet":
        return files("seewhy").joinpath("imagenet.txt").read_text("utf-8").splitlines()
    try:
        if not isinstance(labels, str | Path):
            return _from_json(labels)
        path = Path(labels)
        text = path.read_text("utf-8-sig")
        return _from_json(json.loads(text)) if path.suffix.lower() == ".json" else _lines(text)
    except (OSError, KeyError, TypeError, ValueError, IndexError) as error:
        raise BadParameter(
            f"The labels {str(labels)[:200]!r} cannot be read ({type(error).__name__}: {error}). "
            "Give a text file with one name a line, a JSON list, or 'imagenet'."
        ) from None


def _lines(text: str) -> list[str]:
    lines = [line.strip() for line in text.splitlines()]
    while lines and not lines[-1]:
        lines.pop()
    if not lines:
        raise ValueError("it is empty")
    return lines


def _from_json(found: Any) -> list[str]:
    if isinstance(found, Mapping):
        found = _in_order(list(found), list(found.values()))
    if isinstance(found, str):
        raise TypeError("a single word is no list")
    found = list(found)
    if found and isinstance(found[0], Mapping) and "index" in found[0]:
        found = _in_order([entry["index"] for entry in found], found)
    if not found:
        raise ValueError("there are none")
    return [_name(entry) for entry in found]


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
        raise TypeError(f"{entry!r} is no name")
    return str(entry)
