"""Which question a map answers: was it made for this target?"""

from typing import Any

from seewhy.errors import BadParameter
from seewhy.targets.class_names import classes_named
from seewhy.targets.parse import read
from seewhy.targets.target import Class, Contrast, is_whole

from .source import Source


def answers(source: Source, target: Any) -> bool:
    """Was this the target, or for a text such as top:2 one of the targets: as it was given, or by the index or an exact name of
    the class that it came to?
    """
    if isinstance(target, str):
        return target == source.target or any(answers(source, each) for each in _read(target))
    asked = Class(target) if is_whole(target) else target
    if isinstance(asked, Class):
        return source.index == asked.index if isinstance(asked.index, int) else is_labelled(source, asked.index)
    if isinstance(asked, Contrast) and source.label == asked.words([asked.of, *asked.rivals]):
        return True
    return str(asked) in (source.target, *map(str, _read(source.target)))


def is_labelled(source: Source, target: Any) -> bool:
    """Is the target a name of the class explained?"""
    return isinstance(target, str) and source.index is not None and bool(classes_named(target, [source.label or ""]))


def _read(text: str) -> list[Any]:
    """What a text says; nothing where it is none, as that of a function."""
    try:
        return read(text)
    except BadParameter:
        return []
