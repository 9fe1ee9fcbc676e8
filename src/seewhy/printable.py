"""Text of strangers (labels, names of files, messages of other libraries) on a line that a person reads."""

import re
from unicodedata import category

MOST = 2000  # characters of one line
MARKS = 8  # of one letter: what no script needs more of
JOINERS = "\u200c\u200d"  # without which emoji and several scripts fall apart
VISIBLE = "\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2"  # format characters, by Unicode, that are drawn
EMPTY = "\u115f\u1160\u3164\uffa0"  # letters, by Unicode, of which nothing is drawn
SAFE = re.compile(r"[ -~]*")  # ASCII that is drawn
SECRET = ("header", "headers", "proxy")  # options of services that are never repeated: they may hold a password


def printable(text: object, most: int = MOST, spaces: bool = False) -> str:
    """The text as one line that a terminal shows and never obeys; of what is longer than `most` characters the middle is
    cut out, and said.

    Runs of white space, line ends among them, become one space; with `spaces`, each a space of its own, for what is set in
    columns.  Control characters (escape sequences begin with one), marks that turn the direction of writing, what is not
    seen at all, and halves of surrogate pairs are written as Python writes them: \\x1b, \\u202e, \\udcff; so are marks that
    are heaped on one letter.  Letters of all scripts, and emoji, are as they are.
    """
    whole = str(text)
    short = whole if len(whole) <= most else _shortened(whole, most)
    line = "".join(" " if letter.isspace() else letter for letter in short) if spaces else " ".join(short.split())
    shown = line if SAFE.fullmatch(line) else _shown(line)
    return shown if len(shown) <= most else _shortened(shown, most)


def words_of(error: BaseException) -> str:
    """What an error says; of one that cannot say it, nothing."""
    try:
        return str(error).strip()
    except Exception:  # noqa: BLE001 - the code of whoever wrote its class
        return ""


def quoted(value: object, most: int = 200) -> str:
    """What a person or a file gave, as Python would write it, and never long."""
    try:
        text = repr(_shortened(value, most - 2) if isinstance(value, str) and len(value) > most - 2 else value)
    except Exception:  # noqa: BLE001 - a number of 5000 digits, lists in lists without end, anybody's own class
        text = f"a {type(value).__name__}" + (f" of {value.bit_length()} bits" if isinstance(value, int) else "")
    return printable(text, most)


def in_percent(share: float, digits: int = 1) -> str:
    """A share as "84.6 %": with so many digits behind the point, or two digits of one below a tenth of a percent."""
    percent = 100 * share
    return f"{percent:.{digits}f} %" if not digits or percent >= 0.1 or not percent else f"{percent:.2g} %"


def _shortened(text: str, most: int) -> str:
    """Its beginning and its end, `most` characters in all."""
    between = f" ... ({len(text)} characters, cut) ... "
    room = most - len(between)
    if room < len(between):  # too little to say so
        return text[: max(most - 3, 0)] + "..."
    return text[: room - room // 3].rstrip() + between + text[-(room // 3) :].lstrip()


def _shown(line: str) -> str:
    letters, marks = [], 0
    for letter in line:
        kind = category(letter)
        marks = marks + 1 if kind in ("Mn", "Me") or letter in JOINERS else 0
        unseen = kind in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp") and letter not in JOINERS + VISIBLE
        escaped = unseen or marks > MARKS or letter in EMPTY
        letters.append(letter.encode("unicode_escape").decode("ascii") if escaped else letter)
    return "".join(letters)
