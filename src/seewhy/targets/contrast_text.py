"""How a contrast is read from a text: A-vs-B, A-vs-B+C, A-vs-3 look-alikes, each with a strength behind it."""

import re
from collections.abc import Sequence

from seewhy.errors import BadParameter
from seewhy.printable import quoted

from .class_names import classes_named
from .grammar import INDEX, NUMBER, QUOTED, operand, pieces, unquoted
from .target import LOOK_ALIKES, USUAL, VERSUS, Contrast, Labels

CLASS = rf"(?:{QUOTED}|{INDEX})"  # in which no label can be taken for a part
STRICT = (  # no compiled pattern: that would take a hundredth of the import
    rf"\s*({CLASS})\s*{VERSUS}\s*(?:({CLASS}(?:\s*\+\s*{CLASS})*)|([0-9]{{1,4}})?\s*{LOOK_ALIKES})\s*(?::\s*({NUMBER})\s*)?"
)
TAIL = r"(?s)(.*):\s*([-+]?\.?[0-9][^:\"]*)"  # a strength, or what was to be one
HOW = "write A-vs-B, A-vs-B+C, and a strength behind it, if not 1: A-vs-B:0.6; a name that holds such signs in double quotes."
PARTS = 64  # pieces between -vs- that are tried in every way
JOINED = 8  # pieces between plus signs that one label may hold


def contrast_of(text: str, labels: Labels) -> Contrast:
    """The contrast that a text with VERSUS in it writes down.

    Labels may themselves hold -vs-, a plus, or a colon and a number: the text is cut where both sides then are classes.  Raises
    BadParameter where that is so in several ways, or nothing stands on a side.
    """
    strict = re.fullmatch(STRICT, text)
    if strict:
        return _made(text, strict[1], pieces(strict[2], "+") if strict[2] else [], strict[4] or "1", strict[3])
    parts = pieces(text, VERSUS)
    if len(parts) < 2:
        raise BadParameter(f"{quoted(text)}: {HOW}")
    cuts = range(1, min(len(parts), PARTS))
    ways = [(VERSUS.join(parts[:cut]), *_other_side(VERSUS.join(parts[cut:]), labels)) for cut in cuts]
    fitting = [way for way in ways if all(_is_class(name, labels) for name in (way[0], *way[1]))]
    if len(fitting) > 1:
        both = " or ".join(
            f"{quoted(of.strip())} rather than {quoted('+'.join(against).strip())}" for of, against, *_ in fitting[:2]
        )
        raise BadParameter(f"{quoted(text)} can be read as {both}: put the names in double quotes.")
    of, against, strength, count = (fitting or ways)[0]
    return _made(text, of, against, strength, count)


def _made(text: str, of: str, against: Sequence[str], strength: str, count: str | None) -> Contrast:
    if not re.fullmatch(NUMBER, strength.strip()):
        raise BadParameter(f"{quoted(text)}: {quoted(strength)} is no strength; write a number, as in A-vs-B:0.6.")
    if not all(part.strip() for part in (of, *against)):
        raise BadParameter(f"{quoted(text)}: a class is missing; {HOW}")
    return Contrast(operand(of), [operand(part) for part in against], float(strength), int(count or USUAL))


def _other_side(rest: str, labels: Labels) -> tuple[list[str], str, str | None]:
    """What stands behind -vs-: the names, the strength, and how many look-alikes there are to be in place of names."""
    tail = None if _is_label(rest, labels) else re.fullmatch(TAIL, rest)
    rest, strength = (tail[1], tail[2]) if tail else (rest, "1")
    alike = re.fullmatch(rf"\s*([0-9]{{1,4}})?\s*{LOOK_ALIKES}\s*", rest)
    return ([], strength, alike[1]) if alike else (_names(rest, labels), strength, None)


def _names(rest: str, labels: Labels) -> list[str]:
    """The names between plus signs; where these are no classes, but with a plus in some of them would be, so."""
    parts = pieces(rest, "+")
    if _is_label(rest, labels):
        return [rest]
    if all(_is_class(part, labels) for part in parts):
        return parts
    best: list[list[str] | None] = [[], *[None] * len(parts)]  # of the first parts: the fewest names that they make
    for end in range(1, len(parts) + 1):
        for start in range(max(0, end - JOINED), end):
            name, before, now = "+".join(parts[start:end]), best[start], best[end]
            if before is not None and (now is None or len(before) + 1 < len(now)) and _is_class(name, labels):
                best[end] = [*before, name]
    return best[-1] or parts


def _is_class(name: str, labels: Labels) -> bool:
    return isinstance(operand(name), int) or unquoted(name) is not None or _is_label(name, labels)


def _is_label(name: str, labels: Labels) -> bool:
    return bool(classes_named(name, labels))
