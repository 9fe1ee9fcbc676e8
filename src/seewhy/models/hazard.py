"""What a person who explains a network should know about it."""

from typing import NamedTuple

SEVERITIES = ERROR, WARNING, NOTE = "error", "warning", "note"  # no map can be made; a map may mislead; good to know


class Hazard(NamedTuple):
    """Something about a network that a person who explains it should know."""

    name: str  # one word, the same in every version
    severity: str  # one of SEVERITIES
    words: str
    where: tuple[str, ...] = ()  # the layers or weights
    advice: str = ""
