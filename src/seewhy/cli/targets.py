"""What a person writes for --target.

What is imported inside functions is imported when the command runs, so that `--help` is quick.
"""

import re
from typing import Any

import click

TOPS = 1000  # of a model whose classes have no names, top classes at most


def parse_target(text: str, labels: Any) -> list[Any]:
    """The targets that the text means: several, of top:3."""
    from seewhy.api import Top
    from seewhy.printable import quoted
    from seewhy.targets.parse import LONGEST, as_targets

    head, _, count = text.partition(":")
    if head.lower() == "top":
        return [Top(rank + 1) for rank in range(_counted(text, count, labels))]
    if len(text) > LONGEST and text not in (labels or ()):
        raise click.BadParameter(f"{quoted(text, 60)} is {len(text):,} characters long; {LONGEST:,} are the most.")
    return as_targets(text.strip(), labels)


def _counted(text: str, count: str, labels: Any) -> int:
    """How many of the top classes."""
    from seewhy.printable import quoted
    from seewhy.targets.target import numbered

    most, known = (len(labels), f"the model has {len(labels)} classes") if labels else (TOPS, "that is too many at once")
    number = numbered(count) if re.fullmatch(r"[0-9]+", count) else 0
    if count and not number:
        raise click.BadParameter(f"{quoted(text)}: write top, or top:3 for the three top classes.", param_hint="--target")
    if number > most:
        raise click.BadParameter(f"{quoted(text)}: {known}; top:{most} is the most.", param_hint="--target")
    return number or 1
