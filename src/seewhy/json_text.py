"""JSON that every reader takes, and JSON of strangers within bounds."""

import json
from collections.abc import Mapping
from os import fsdecode
from typing import Any
from urllib.parse import quote_from_bytes, unquote_to_bytes

from numpy import generic, isfinite, ndarray

LONGEST = 64 * 2**20  # characters
DEEPEST = 64  # lists and objects within each other
NOT_UTF8 = "not_utf8"  # the field that has the bytes of names which are no text


def json_of(text: str | bytes, longest: int = LONGEST) -> Any:
    """What a stranger's JSON says.

    Raises ValueError, in words, where it is none, is longer than `longest`, or is nested deeper than DEEPEST.
    """
    if len(text) > longest:
        raise ValueError(f"it is {len(text):,} characters of JSON, and {longest:,} are read at most")
    try:
        value = json.loads(text)
    except RecursionError:
        raise ValueError(f"its JSON is nested deeper than {DEEPEST}") from None
    inside = [value]
    for _ in range(DEEPEST):
        inside = [inner for outer in inside for inner in _parts(outer) if isinstance(inner, list | dict)]
    if inside:
        raise ValueError(f"its JSON is nested deeper than {DEEPEST}")
    return value


def as_json(facts: Mapping[str, Any]) -> str:
    """One JSON object on one line of ASCII, as the strictest reader takes it.

    Numbers that JSON does not have become null.  A name that is no text (bytes that are not UTF-8, which Python keeps as
    halves of surrogate pairs) has U+FFFD there; the field "not_utf8" then has its bytes, percent-encoded, by the path of the
    field: {"file": "caf\\ufffd.png", "not_utf8": {"file": "caf%E9.png"}}.
    """
    odd: dict[str, str] = {}
    known = plain(facts)
    if "\\ud" not in (text := json.dumps(known, allow_nan=False)):  # no half of a surrogate pair, and no whole one
        return text
    said = _text(known, "", odd)
    return json.dumps({**said, NOT_UTF8: {**said.get(NOT_UTF8, {}), **odd}} if odd else said, allow_nan=False)


def canonical(value: Any) -> str:
    """The one text that stands for a value of JSON, whoever writes it: RFC 8785 (JSON Canonicalization Scheme).

    No spaces; the keys of an object in the order of their UTF-16 code units; numbers as JavaScript writes them, shortest; text
    as it is.  Beyond the RFC, whole numbers of more than 53 bits, as seeds are, have all their digits.
    Raises ValueError for what has no such text: NaN and infinity, halves of surrogate pairs, keys that are no text.
    """
    if isinstance(value, Mapping):
        if not all(isinstance(key, str) for key in value):
            raise ValueError("an object of JSON has texts as keys")
        pairs = sorted(value.items(), key=lambda pair: pair[0].encode("utf-16-be", "surrogatepass"))
        return "{" + ",".join(f"{canonical(key)}:{canonical(inner)}" for key, inner in pairs) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(canonical, value)) + "]"
    if isinstance(value, float):
        return _shortest(value)
    if isinstance(value, str) and whole_text(value) != value:
        raise ValueError("it holds half of a surrogate pair, which is no text")
    return json.dumps(value, ensure_ascii=False)


def _shortest(number: float) -> str:
    """The number as JavaScript writes it.  Source: ECMA-262, Number::toString."""
    from decimal import Decimal  # here, for importing it takes as long as much of seewhy does

    if not isfinite(number):
        raise ValueError(f"JSON has no {number}")
    if number == 0:
        return "0"
    sign, each, exponent = Decimal(repr(number)).normalize().as_tuple()
    digits = "".join(map(str, each))
    point = len(digits) + int(exponent)  # the number of digits before it
    if 0 < point <= 21:
        text = digits.ljust(point, "0")
        text = text[:point] + ("." + text[point:] if text[point:] else "")
    elif -6 < point <= 0:
        text = "0." + "0" * -point + digits
    else:
        text = digits[0] + ("." + digits[1:] if digits[1:] else "") + f"e{point - 1:+d}"
    return "-" * sign + text


def with_bytes(facts: Mapping[str, Any]) -> dict[str, Any]:
    """What `as_json` was given of names, its field "not_utf8" taken back into the fields (of the object itself) it tells of."""
    odd = facts.get(NOT_UTF8)
    pairs = odd.items() if isinstance(odd, Mapping) else ()
    back = {key: fsdecode(unquote_to_bytes(value)) for key, value in pairs if isinstance(value, str)}
    return {key: back.get(key, value) for key, value in facts.items() if key != NOT_UTF8}


def plain(value: Any) -> Any:
    """What JSON can say of a value."""
    if isinstance(value, Mapping):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    if isinstance(value, generic | ndarray):
        return plain(value.tolist())
    if isinstance(value, float):
        return value if isfinite(value) else None
    return value if value is None or isinstance(value, str | int | bool) else str(value)


def whole_text(text: str) -> str:
    """The text with U+FFFD for each half of a surrogate pair, so that it can be written as UTF-8."""
    return text if text.isascii() else text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _text(value: Any, path: str, odd: dict[str, str]) -> Any:
    """The plain value with whole text in it; the bytes of names that were none go to `odd`."""
    if isinstance(value, dict):
        return {whole_text(key): _text(inner, f"{path}.{whole_text(key)}".lstrip("."), odd) for key, inner in value.items()}
    if isinstance(value, list):
        return [_text(inner, f"{path}.{i}".lstrip("."), odd) for i, inner in enumerate(value)]
    if not isinstance(value, str) or (said := whole_text(value)) == value:
        return value
    if _of_bytes(value):
        odd[path] = quote_from_bytes(value.encode("utf-8", "surrogateescape"), safe="/")
    return said


def _of_bytes(name: str) -> bool:
    """Do its halves of surrogate pairs stand for bytes that are not UTF-8?"""
    return all("\udc80" <= letter <= "\udcff" for letter in name if "\ud800" <= letter <= "\udfff")


def _parts(value: Any) -> Any:
    return value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
