"""What a person writes for --target.

What is imported inside functions is imported when the command runs, so that `--help` is quick.
"""

from typing import Any

import click

from .printing import LABEL, printable, say


def parse_target(text: str, labels: Any) -> list[Any]:
    """The targets that the text means: several, of top:3.  Says so where a number is also the label of another class."""
    from seewhy.targets.class_names import classes_named
    from seewhy.targets.parse import as_targets
    from seewhy.targets.target import name_of

    targets: list[Any] = [*as_targets(text, labels)]
    text = text.strip()
    if text.isdecimal() and len(targets) == 1 and classes_named(text, labels) not in ([], [targets[0].index]):
        label = printable(name_of(labels, targets[0].index), LABEL)
        say(f"seewhy: -t {text} is class {text}, {label}; the class whose label is {text} is -t '\"{text}\"'", err=True)
    return targets


def one_target(text: str, labels: Any, why: str) -> Any:
    """The one target that the text means, as `parse_target`.  why: what is done with it, for whoever gives several."""
    targets = parse_target(text, labels)
    if len(targets) > 1:
        raise click.BadParameter(f"{text!r} are several; {why}.", param_hint="--target")
    return targets[0]
