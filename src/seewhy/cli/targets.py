"""What a person writes for --target.

What is imported inside functions is imported when the command runs, so that `--help` is quick.
"""

from typing import Any

import click


def parse_target(text: str, labels: Any) -> list[Any]:
    """The targets that the text means: several, of top:3."""
    from seewhy.printable import quoted
    from seewhy.targets.parse import LONGEST, as_targets

    if len(text) > LONGEST and text not in (labels or ()):
        raise click.BadParameter(f"{quoted(text, 60)} is {len(text):,} characters long; {LONGEST:,} are the most.")
    return as_targets(text.strip(), labels)
