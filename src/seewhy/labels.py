"""Names of classes: from a file, a list, or ImageNet's own."""

import json
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from .errors import BadParameter


def read_labels(labels: Sequence[str] | str | Path | None) -> list[str] | None:
    """A name per class.

    Takes a list, "imagenet" (the 1000 names of ILSVRC 2012), or a file: one name a line, or JSON: a list of names,
    a list of {"index": ..., "name": ...}, or {"0": name} and Keras's {"0": [wnid, name]}.
    """
    if labels is None:
        return None
    if labels == "imagenet":
        return files("seewhy").joinpath("imagenet.txt").read_text("utf-8").splitlines()
    if not isinstance(labels, str | Path):
        return [str(label) for label in labels]
    path = Path(labels)
    try:
        text = path.read_text("utf-8-sig")
        return _from_json(json.loads(text)) if path.suffix.lower() == ".json" else _lines(text)
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, KeyError, TypeError, ValueError) as error:
        raise BadParameter(
            f"The labels {str(labels)!r} cannot be read ({type(error).__name__}: {error}). "
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
    if isinstance(found, dict):
        found = [found[key] for key in _in_order(found)]
    elif found and isinstance(found[0], dict) and "index" in found[0]:
        by_index = {str(entry["index"]): entry for entry in found}
        found = [by_index[key] for key in _in_order(by_index)]
    return [_name(entry) for entry in found]


def _in_order(keys: dict[str, Any]) -> list[str]:
    order = sorted(keys, key=int)
    if [int(key) for key in order] != list(range(len(order))):
        raise ValueError("its indices are not 0, 1, 2, ...")
    return order


def _name(entry: Any) -> str:
    if isinstance(entry, dict):
        return str(entry.get("name") or entry["label"])
    return str(entry[-1] if isinstance(entry, list) else entry)
