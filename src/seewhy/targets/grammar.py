"""How targets are written: quotes, whole numbers, decimal numbers, and pieces between separators.

What `str()` of a target writes has every name in double quotes, so that no label of a model can be taken for a part of it.
What a person types may leave the quotes out.  docs/target_grammar.md has the whole of it.
"""

import json
import re
from collections.abc import Iterator

from seewhy.errors import BadParameter
from seewhy.printable import quoted

QUOTED = r'"(?:[^"\\]|\\(?:.|\n))*"'  # as in JSON
INDEX = r"(?:0|[1-9][0-9]{0,9})"  # of a class, a channel, a cell, as `str` writes it
DIGITS = 400  # of a number before or behind the point: what no float exceeds
NUMBER = rf"[-+]?(?:[0-9]{{1,{DIGITS}}}(?:\.[0-9]{{0,{DIGITS}}})?|\.[0-9]{{1,{DIGITS}}})(?:[eE][-+]?[0-9]{{1,4}})?"


def quote(text: str) -> str:
    """The text in double quotes, with a backslash before quotes and backslashes, and line ends and the like as \\n: a string of
    JSON.
    """
    return json.dumps(text, ensure_ascii=False)


def unquoted(text: str) -> str | None:
    """The text that stands in double quotes; None where what is given is not in quotes from its beginning to its end.

    Raises BadParameter for a backslash that means nothing.
    """
    token = text.strip()
    if not re.fullmatch(QUOTED, token):
        return None
    try:
        return str(json.loads(token, strict=False))
    except ValueError:
        raise BadParameter(
            f"{quoted(token)}: in double quotes a backslash stands before a quote, before another backslash, or as in \\n; "
            "write \\\\ for a backslash."
        ) from None


def literal(text: str) -> str:
    """What a piece of a text means: what is in its quotes, or itself without the white space around it."""
    inner = unquoted(text)
    return text.strip() if inner is None else inner


def operand(text: str) -> int | str:
    """The class that a piece of a text means: by its index, or by a name, which stands in quotes or is left bare."""
    return int(text) if re.fullmatch(rf"\s*{INDEX}\s*", text) else literal(text)


def class_text(of: int | str) -> str:
    """A class as it stands within a target's text: its index, or its name in quotes."""
    return quote(of) if isinstance(of, str) else str(of)


def bare_or_quoted(text: str, stops: str = "") -> str:
    """The text as it is where it is read as it stands: where it is no number, has no quotes before it, no `stops` in it."""
    bare = text == text.strip() and not text.startswith('"') and text.isprintable() and not {*text} & {*stops}
    return text if text and bare and not re.fullmatch("-?[0-9]+", text) else quote(text)


def number_text(value: float) -> str:
    """The shortest text of a number that is read as the same number."""
    return repr(float(value)).removesuffix(".0")


def pieces(text: str, separator: str) -> list[str]:
    """The pieces between separators; within a piece that is in double quotes a separator is none."""
    return [*_pieces(text, separator)]


def _pieces(text: str, separator: str) -> Iterator[str]:
    in_quotes = re.compile(rf"\s*{QUOTED}\s*(?={re.escape(separator)}|\Z)")
    at = 0
    while at >= 0:
        token = in_quotes.match(text, at)
        end = text.find(separator, token.end() if token else at)
        yield text[at : end if end >= 0 else len(text)]
        at = end + len(separator) if end >= 0 else -1


def holds_no_question(text: str) -> bool:
    """Does the text end in what is said of an array or a picture, from which no question can be made again?"""
    return re.search(r"(array|image) \([^\"]*\) sha256:[0-9a-f]+\s*\Z", text) is not None


def unreadable(text: str, rest: str, how: str) -> BadParameter:
    """The error for a text that makes sense no further than to its rest.  how: what to write."""
    where = f"nothing can be made of {quoted(rest)}" if rest.strip() else "something is missing at its end"
    return BadParameter(f"{quoted(text)}: {where}; write {how}")
