"""Text of strangers (labels, names of files, messages of other libraries) on a line that a person reads."""

from unicodedata import category

MOST = 2000  # characters of one line
JOINERS = "\u200c\u200d"  # without which emoji and several scripts fall apart


def printable(text: object, most: int = MOST) -> str:
    """The text as one line that a terminal shows and never obeys; what is longer than `most` characters is cut, and said.

    Runs of white space, line ends among them, become one space.  Control characters (escape sequences begin with one), marks
    that turn the direction of writing, and halves of surrogate pairs are written as Python writes them: \\x1b, \\u202e, \\udcff.
    """
    whole = str(text)
    said = "".join(map(_shown, " ".join(whole[: most + 1].split())))
    return said if len(whole) <= most else f"{said[:most]}... (cut: {len(whole)} characters in all)"


def _shown(character: str) -> str:
    unseen = category(character) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp") and character not in JOINERS
    return character.encode("unicode_escape").decode("ascii") if unseen else character
