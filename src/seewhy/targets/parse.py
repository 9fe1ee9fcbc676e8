"""What a person may write for a target.

A new target that is written as `word:...` is one file, with a class that has `parse` and the `str()` that `parse` reads, and
one line in KINDS.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from importlib import import_module
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from seewhy.errors import BadParameter
from seewhy.printable import quoted

from .aim import Aim
from .class_names import class_index, classes_named
from .group import AnyOf, Group
from .target import LOOK_ALIKES, VERSUS, Class, Contrast, Labels, PerImage, Target, Top, Unit, numbered

KINDS = {  # the word that the text begins with -> module:class, whose `parse` reads it; imported on first use
    "any": "seewhy.targets.group:AnyOf",
    "unit": "seewhy.targets.target:Unit",
    "region": "seewhy.targets.region:Region",
    "point": "seewhy.targets.region:Point",
    "box": "seewhy.targets.box:Box",
    "similar": "seewhy.targets.embedding:Similar",
    "text": "seewhy.targets.embedding:Text",
}
AnyTarget = Target | PerImage | Aim | Group
OneTarget = int | str | np.integer | AnyTarget | Unit
Targets = OneTarget | Sequence[OneTarget] | NDArray[np.integer]  # what a person may write
MOST = 100_000  # targets of one call
LONGEST = 10_000  # characters of a target
TOPS = 1000  # of a model whose classes have no names, top classes at most
STRENGTH = r"-?[0-9.]{1,20}(?:e-?[0-9]{1,3})?"


def as_targets(target: Any, labels: Labels) -> list[AnyTarget]:
    """The targets that a person means by an index, a label, a text such as "region:cat", a Target, or a list of these."""
    many = isinstance(target, list | tuple | range) or (isinstance(target, np.ndarray) and target.ndim)
    if many and len(target) > MOST:
        raise BadParameter(f"{len(target):,} targets are asked for at once; {MOST:,} are the most: ask in parts.")
    several = list(target) if many else [target]
    if not several:
        raise BadParameter("The list of targets is empty. Give a class index, a label, Top(), or a list of these.")
    return [each for t in several for each in (_tops(t, labels) or [_as_target(t, labels)])]


def _tops(text: Any, labels: Labels) -> list[AnyTarget]:
    """The top classes that a text such as "top" or "top:3" means; none where it is no such text, or names a class."""
    if not isinstance(text, str) or text.partition(":")[0].strip().lower() != "top" or classes_named(text, labels):
        return []
    count = text.partition(":")[2].strip()
    most, known = (len(labels), f"the model has {len(labels)} classes") if labels else (TOPS, "that is too many at once")
    number = numbered(count) if re.fullmatch(r"[0-9]+", count) else 0
    if count and not number:
        raise BadParameter(f"{quoted(text)}: write top, or top:3 for the three top classes.")
    if number > most:
        raise BadParameter(f"{quoted(text)}: {known}; top:{most} is the most.")
    return [Top(rank + 1) for rank in range(number or 1)]


def _parsed(text: str, labels: Labels) -> Any:
    """The target that a text such as "region:cat" or "cat-vs-dog" writes down; else the text."""
    kind, colon, _ = text.partition(":")
    if not colon or kind not in KINDS:
        return _contrast(text, labels) if VERSUS in text and not classes_named(text, labels) else text
    module, _, name = KINDS[kind].partition(":")
    return getattr(import_module(module), name).parse(text)


def _contrast(text: str, labels: Labels) -> Contrast:
    """A-vs-B, A-vs-B+C against several, A-vs-3 look-alikes, and a strength behind it, :0.6, if not 1: what str() gives."""
    of, _, rest = text.partition(VERSUS)
    strength = None if classes_named(rest, labels) else re.fullmatch(rf"(.*):\s*({STRENGTH})\s*", rest, re.DOTALL)
    rest, how = (strength[1], strength[2]) if strength else (rest, "1")
    alike = re.fullmatch(rf"\s*([0-9]{{1,4}})?\s*{LOOK_ALIKES}\s*", rest)
    against = [] if alike else [rest] if classes_named(rest, labels) else rest.split("+")
    try:
        given = float(how)
    except ValueError:
        raise BadParameter(f"{quoted(text)}: {quoted(how)} is no strength; write a number, as in A-vs-B:0.6.") from None
    if not all(part.strip() for part in (of, *against)):
        raise BadParameter(f"{quoted(text)}: write A-vs-B, A-vs-B+C, and a strength behind it, if not 1: A-vs-B:0.6.")
    return Contrast(of, against, given, int(alike[1] or 3) if alike else 3)


def _as_target(target: Any, labels: Labels) -> AnyTarget:
    """One target, its class as an index; BadParameter or NoSuchName for what is none."""
    if isinstance(target, str) and target not in (labels or ()):
        if len(target) > LONGEST:
            raise BadParameter(f"The target {quoted(target, 60)} is {len(target):,} characters long; {LONGEST:,} are the most.")
        target = _parsed(target, labels)
    if isinstance(target, Aim | AnyOf):
        return target.known(labels)
    if isinstance(target, Unit | Group):
        return target
    if isinstance(target, str | int | np.integer) and not isinstance(target, bool):
        return Class(class_index(target, labels))
    if isinstance(target, Class):
        return Class(class_index(target.index, labels))
    if isinstance(target, Contrast):
        against = tuple(class_index(i, labels) for i in target.rivals)
        return replace(target, of=class_index(target.of, labels), against=against)
    if isinstance(target, PerImage):
        targets = [_as_target(t, labels) for t in target.targets]
        if any(isinstance(t, PerImage | Unit) for t in targets):
            raise BadParameter("PerImage holds one class per image: an index, a label or a Target, no PerImage and no Unit.")
        return PerImage(targets)
    if callable(target) and not isinstance(target, type):
        return cast(Target, target)
    raise BadParameter(f"{quoted(target)} is no target. Give a class index, a label, Top(), Contrast(...), or a list of these.")
