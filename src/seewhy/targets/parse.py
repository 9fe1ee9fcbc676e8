"""What a person may write for a target: the one reader of all texts that are targets.

A new target that is written as `word:...` is one file, with a class that has `parse` and the `str()` that `parse` reads, and
one line in KINDS.  grammar.py has what texts are made of, docs/target_grammar.md the rules.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from importlib import import_module
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from seewhy.errors import BadParameter, SeewhyError
from seewhy.printable import quoted

from .aim import Aim
from .class_names import class_index, classes_named
from .contrast_text import contrast_of
from .grammar import INDEX, QUOTED, unquoted
from .group import AnyOf, Group
from .target import VERSUS, Class, Contrast, Labels, PerImage, Target, Top, Unit, is_whole, numbered

KINDS = {  # the word that the text begins with -> module:class, whose `parse` reads it; imported on first use
    "any": "seewhy.targets.group:AnyOf",
    "unit": "seewhy.targets.target:Unit",
    "region": "seewhy.targets.region:Region",
    "point": "seewhy.targets.region:Point",
    "box": "seewhy.targets.box:Box",
    "similar": "seewhy.targets.embedding:Similar",
    "text": "seewhy.targets.embedding:Text",
    "token": "seewhy.targets.token:Token",
}
AnyTarget = Target | PerImage | Aim | Group
OneTarget = int | str | np.integer | AnyTarget | Unit
Targets = OneTarget | Sequence[OneTarget] | NDArray[np.integer]  # what a person may write
MOST = 100_000  # targets of one call
LONGEST = 10_000  # characters of a name that is no label
LARGEST = 2**20  # characters of a target
TOPS = 1000  # of a model whose classes have no names, top classes at most
NAMING = ("index", "of", "against", "label")  # the fields of targets that name classes


def as_targets(target: Any, labels: Labels) -> list[AnyTarget]:
    """The targets that a person means by an index, a label, a text such as "region:cat", a Target, or a list of these."""
    many = isinstance(target, list | tuple | range) or (isinstance(target, np.ndarray) and target.ndim)
    if many and len(target) > MOST:
        raise BadParameter(f"{len(target):,} targets are asked for at once; {MOST:,} are the most: ask in parts.")
    several = list(target) if many else [target]
    if not several:
        raise BadParameter("The list of targets is empty. Give a class index, a label, Top(), or a list of these.")
    return [_known(each, labels) for t in several for each in (read(t, labels) if isinstance(t, str) else [t])]


def read(text: str, labels: Labels = None) -> list[Any]:
    """The targets that a text writes down, with its names as they are written: one, or several of "top:3".

    What `str()` of a target gives is that target; of other texts one that is a label is that class, whatever it looks like.
    Raises BadParameter, with the place where the text makes no sense any more.
    """
    text, failure, found = text.strip(), None, list[Any]()
    try:
        found = _written(text, labels) if len(text) <= LARGEST else [Class(text)]
    except BadParameter as error:
        failure = error
    named = len(found) == 1 and isinstance(found[0], Class) and isinstance(found[0].index, str)
    if len(found) == 1 and (text.startswith('"') if named else str(found[0]) == text):
        return [_by_name(found[0], labels)]
    if classes_named(text, labels):
        return [Class(text)]
    if failure is not None:
        raise failure
    if named and len(text) > LONGEST:
        raise BadParameter(f"The target {quoted(text, 60)} is {len(text):,} characters long; {LONGEST:,} are the most.")
    return [_by_name(each, labels) for each in found]


def short_text(text: str, labels: Labels) -> str:
    """The text of a target without its quotes, where the same is read from it, whether these labels are known or not."""
    try:
        bare = re.sub(QUOTED, lambda token: unquoted(token[0]) or token[0], text)
        same = bare == text or all(read(bare, known) == read(text, known) for known in (labels, None))
    except SeewhyError:
        return text
    return bare if same else text


def _written(text: str, labels: Labels) -> list[Any]:
    """What a text writes down, if it is no label."""
    if (name := unquoted(text)) is not None:
        return [Class(name)]
    if re.fullmatch(INDEX, text):
        return [Class(int(text))]
    kind, colon, rest = text.partition(":")
    if re.fullmatch(r"(?i)top(\s+[0-9]+)?", kind.strip()):
        return _tops(text, labels)
    kind = kind.strip() if kind.strip() in KINDS else kind.strip().lower()
    if colon and kind in KINDS:
        module, _, name = KINDS[kind].partition(":")
        try:
            return [getattr(import_module(module), name).parse(f"{kind}:{rest}")]
        except (ValueError, TypeError, KeyError, IndexError) as error:
            raise error if isinstance(error, SeewhyError) else BadParameter(f"{quoted(text)}: {error}") from None
    return [contrast_of(text, labels) if VERSUS in text else Class(text)]


def _tops(text: str, labels: Labels) -> list[AnyTarget]:
    """The top class of "top", the three of "top:3", the second alone of "top 2"."""
    word, colon, count = (part.strip() for part in text.partition(":"))
    alone = word[len("top") :].strip()
    most, known = (len(labels), f"the model has {len(labels)} classes") if labels else (TOPS, "that is too many at once")
    said = alone or count
    number = numbered(said) if re.fullmatch(r"[0-9]+", said) else 0
    if (said and not number) or (alone and colon):
        raise BadParameter(f"{quoted(text)}: write top, or top:3 for the three top classes, or top 3 for the third of them.")
    if number > most and not alone:
        raise BadParameter(f"{quoted(text)}: {known}; top:{most} is the most.")
    return [Top(number)] if alone else [Top(rank + 1) for rank in range(number or 1)]


def _by_name(target: Any, labels: Labels) -> Any:
    """The target, with a number that is no class of the model as a name, where a label is written so."""
    if not labels or isinstance(target, Top | Unit):
        return target

    def named(value: Any) -> Any:
        if isinstance(value, tuple):
            return tuple(map(named, value))
        beyond = is_whole(value) and value >= len(labels) and classes_named(str(value), labels)
        return str(value) if beyond else value

    now = {name: getattr(target, name) for name in NAMING if hasattr(target, name)}
    then = {name: named(value) for name, value in now.items()}
    return replace(target, **then) if then != now else target


def _known(target: Any, labels: Labels) -> AnyTarget:
    """One target, its class as an index; BadParameter or NoSuchName for what is none."""
    if isinstance(target, Aim | AnyOf):
        return target.known(labels)
    if isinstance(target, Unit | Group | Top):
        return target
    if is_whole(target):
        return Class(class_index(target, labels))
    if isinstance(target, Class):
        return Class(class_index(target.index, labels))
    if isinstance(target, Contrast):
        against = tuple(class_index(i, labels) for i in target.rivals)
        return replace(target, of=class_index(target.of, labels), against=against)
    if isinstance(target, PerImage):
        targets = [_of_image(t, labels) for t in target.targets]
        if any(isinstance(t, PerImage | Unit) for t in targets):
            raise BadParameter("PerImage holds one class per image: an index, a label or a Target, no PerImage and no Unit.")
        return PerImage(targets)
    if callable(target) and not isinstance(target, type):
        return cast(Target, target)
    raise BadParameter(f"{quoted(target)} is no target. Give a class index, a label, Top(), Contrast(...), or a list of these.")


def _of_image(target: Any, labels: Labels) -> AnyTarget:
    """The one target of an image."""
    if not isinstance(target, str):
        return _known(target, labels)
    found = read(target, labels)
    if len(found) > 1:
        raise BadParameter(f"PerImage holds one target per image, and {quoted(target)} is {len(found)} of them.")
    return _known(found[0], labels)
