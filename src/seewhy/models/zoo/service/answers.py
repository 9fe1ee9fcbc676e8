"""Scores in the JSON that a service answers with: numbers, labels with numbers, wherever they lie."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seewhy.errors import BadNetwork, BadParameter
from seewhy.json_text import json_of
from seewhy.printable import printable, quoted

from .refusals import MESSAGES, page

LABEL = ("label", "name", "class", "class_name", "className", "displayName", "tagName")  # keys of lists of results
SCORE = ("score", "probability", "confidence", "prob", "value")
SHOWN = 8  # names or places in a message
Row = list[Any] | dict[str, Any]  # the scores of one image: numbers, or numbers by label


def parsed(body: bytes, shown: str) -> Any:
    """The JSON of an answer; BadNetwork where it is none."""
    try:
        return json_of(body)
    except ValueError as error:
        text = body[:2000].decode("utf-8", "replace")
        what = page(text) or (f"{quoted(text, 100)} ({printable(error, 100)})" if text.strip() else "nothing")
        raise BadNetwork(f"{shown} answers with no JSON but with {printable(what, 200)}.") from None


def path_of(output: Any) -> tuple[str | int, ...] | None:
    """The keys and places that lead to the scores: "outputs.0.data", a place, or a list of these; None if nothing is said."""
    if output is None:
        return None
    parts = output.split(".") if isinstance(output, str) else [output] if isinstance(output, int) else output
    if not isinstance(parts, Sequence) or not all(isinstance(part, str | int) and part != "" for part in parts):
        raise BadParameter(
            f"output={quoted(output)}: the way to the scores in the answer, as in 'predictions' or 'outputs.0.data'."
        )
    return tuple(int(part) if isinstance(part, str) and part.isdecimal() else part for part in parts)


def rows(value: Any, images: int, path: tuple[str | int, ...] | None, shown: str) -> list[Row]:
    """The scores of so many images in an answer, one row for each; BadNetwork where they are not found, or not for certain."""
    if path is not None:
        there = _followed(value, path, shown)
        found = as_rows(there, images)
        if found is None:
            raise BadNetwork(
                f"{shown}: at {_written(path)} the answer has {described(there)}, and no scores of {_count(images)}."
            )
        return found
    places = [*_places(value, images)]
    if len(places) == 1:
        return places[0][1]
    if places:
        several = ", ".join(_written(place) or "the whole" for place, _ in places[:SHOWN])
        raise BadNetwork(f"{shown}: the answer may have scores at {several}. Say which: output= (--output).")
    raise BadNetwork(
        f"{shown}: no scores of {_count(images)} are found in the answer, which is {described(value)}. Say where they are: "
        "output='outputs.0.data' (--output)."
    )


def as_rows(value: Any, images: int) -> list[Row] | None:
    """The scores of so many images, where that is what a value is."""
    if isinstance(value, list) and len(value) == images:
        each = [_row(entry) for entry in value]
        if all(row is not None for row in each) and (images > 1 or not _is_number(value[0])):
            return [row for row in each if row is not None]
    if images == 1 and (row := _row(value)) is not None:
        return [row]
    return None


def table(found: list[Row], labels: Sequence[str] | None, missing: float | None, shown: str) -> NDArray[np.float64]:
    """Rows as numbers (n, k), those by label in the order of the labels; BadNetwork where they do not fit."""
    numbers = [_in_order(row, labels, missing, shown) if isinstance(row, dict) else row for row in found]
    lengths = {len(row) for row in numbers}
    if len(lengths) != 1:
        raise BadNetwork(f"{shown} gave {', '.join(map(str, sorted(lengths)))} scores for images of one request.")
    return np.array(numbers, np.float64)


def _in_order(row: dict[str, Any], labels: Sequence[str] | None, missing: float | None, shown: str) -> list[Any]:
    if labels is None:
        raise BadNetwork(f"{shown} gives scores by label, such as {_some([*row])}: give all of them, labels= (--labels).")
    known = set(labels)
    strange = [label for label in row if label not in known]
    absent = [label for label in labels if label not in row]
    if strange or (absent and missing is None):
        words = f"it has {_some(strange)}" if strange else f"it lacks {_some(absent)}"
        raise BadNetwork(
            f"{shown} answers with {len(row)} classes that are not the {len(labels)} known ones ({words}). A service that "
            "tells the top few alone cannot be explained: where a class is left out, how its score changes is unknown. Let it "
            "give all classes (a handler of TorchServe: set_max_result_classes(k)); or give all labels= (--labels), and the "
            "score of what is left out: options={'missing': 0}."
        )
    return [row.get(label, missing) for label in labels]


def _row(value: Any) -> Row | None:
    """The scores of one image, where that is what a value is."""
    if _is_number(value):
        return [value]
    if isinstance(value, Mapping):
        return {str(key): number for key, number in value.items()} if value and all(map(_is_number, value.values())) else None
    if not isinstance(value, list) or not value:
        return None
    if all(map(_is_number, value)):
        return value
    pairs = [_pair(entry) for entry in value]
    named = dict(pair for pair in pairs if pair is not None)
    if len(named) == len(value):
        return named
    return _row(value[0]) if len(value) == 1 and isinstance(value[0], list) else None


def _pair(entry: Any) -> tuple[str, Any] | None:
    """A label and its score, in an entry such as {"label": "cat", "score": 0.9} or ["cat", 0.9]."""
    if isinstance(entry, list) and len(entry) == 2 and isinstance(entry[0], str) and _is_number(entry[1]):
        return entry[0], entry[1]
    if not isinstance(entry, Mapping):
        return None
    label = [entry[key] for key in LABEL if isinstance(entry.get(key), str)]
    score = [entry[key] for key in SCORE if _is_number(entry.get(key))]
    return (label[0], score[0]) if len(label) == 1 and len(score) == 1 else None


def _places(value: Any, images: int, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], list[Row]]]:
    """Where scores may lie: a value that is scores is not looked into, and lone numbers beside other things are none."""
    found = None if path and _is_number(value) else as_rows(value, images)
    if found is not None:
        yield path, found
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _places(inner, images, (*path, str(key)))
    elif isinstance(value, list) and len(value) <= SHOWN:
        for i, inner in enumerate(value):
            if isinstance(inner, Mapping):  # a list within a list is a row of numbers, and no place of its own
                yield from _places(inner, images, (*path, i))


def _followed(value: Any, path: tuple[str | int, ...], shown: str) -> Any:
    for at, part in enumerate(path):
        key = next((key for key in value if key == str(part)), None) if isinstance(value, Mapping) else part
        try:
            value = value[key]
        except (KeyError, IndexError, TypeError):
            before = f" at {_written(path[:at])}" if at else ""
            raise BadNetwork(f"{shown}: the answer has no {_written(path)};{before} there is {described(value)}.") from None
    return value


def described(value: Any) -> str:
    """What a value of JSON is, in a few words."""
    if isinstance(value, Mapping):
        said = [f" ({quoted(value[key], 100)})" for key in MESSAGES if isinstance(value.get(key), str)][:1]
        return f"an object with {_some([*map(str, value)])}" + "".join(said) if value else "an empty object"
    if isinstance(value, list):
        return f"a list of {len(value)}" + (f", the first {described(value[0])}" if value else "")
    return f"the text {quoted(value, 60)}" if isinstance(value, str) else quoted(value, 60)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _some(names: Sequence[str]) -> str:
    return ", ".join(printable(name, 60) for name in names[:SHOWN]) + (", ..." if len(names) > SHOWN else "")


def _written(path: Sequence[str | int]) -> str:
    return printable(".".join(map(str, path)), 200)


def _count(images: int) -> str:
    return f"{images} image{'s' * (images != 1)}"
