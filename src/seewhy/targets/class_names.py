"""Which class a name means.  Names are taken exactly or not at all: no beginning of a label is taken for it."""

import re
from collections.abc import Sequence
from functools import lru_cache
from importlib.resources import files
from shlex import quote
from typing import Any, NamedTuple

import numpy as np

from seewhy.errors import BadParameter, NoSuchName, closest
from seewhy.printable import printable, quoted

from .grammar import bare_or_quoted
from .target import LARGEST, Labels, is_index, numbered

WNID = re.compile(r"(n[0-9]{8})\b[\s:,-]*(.*)")  # how WordNet numbers its nouns; in some labels it stands before the name
KNOWN = 0.9  # share of the labels that have to be ImageNet's, each at its place, for the classes to be taken for ImageNet's
NEAR = 5  # labels that an error names
PLUS = "+"  # between the classes of a group


class Synset(NamedTuple):
    """A class of ImageNet: its number in WordNet, such as n02123045, and its names."""

    wnid: str
    names: tuple[str, ...]


def class_index(name: int | str | np.integer[Any], labels: Labels) -> int:
    """The class that a person means by its index or by one of its exact names.

    The names of a class are its whole label, the parts of it between commas, and, of the 1000 classes of ImageNet, its wnid and
    its further synonyms.  Upper and lower case are one, and so are underscores and spaces.
    Raises NoSuchName for an index below 0 and for a name of no class, or of several; BadParameter for what is no name.
    """
    if isinstance(name, int | np.integer) and not isinstance(name, bool):
        if not 0 <= name <= LARGEST:
            raise NoSuchName("class", name, [], f"Classes count from 0{f' to {len(labels) - 1}' if labels else ''}.")
        return int(name)
    if not isinstance(name, str):
        raise BadParameter(f"{quoted(name)} is no class. Give its index or its label.")
    if not labels:
        if is_index(name):
            return class_index(numbered(name), labels)
        raise BadParameter(
            f"The class {quoted(name)} is a label, and the model has none. Give its index, or wrap(labels=...).",
            typed=f"The class {quoted(name)} is a label, and the model has none. Give its index, or --labels FILE.",
        )
    fits = classes_named(name, labels)
    if len(fits) == 1:
        return fits[0]
    if fits:
        raise _of_several(name, fits, labels)
    if is_index(name):
        return class_index(numbered(name), labels)
    raise _of_none(name, labels)


def classes_named(name: str, labels: Labels) -> list[int]:
    """The classes that have exactly this name: in their own labels, or else as one of ImageNet's further synonyms."""
    want, known = _folded(name), tuple(labels or ())
    own = _by_name(known).get(want)
    return [*own] if own else [i for i, names in enumerate(_synonyms(known)) if want in names]


def classes_with(word: str, labels: Labels) -> list[int]:
    """The classes one of whose names holds the word, or the words one behind the other, as whole words."""
    want, known = _spaced(_folded(word)), tuple(labels or ())
    if not want:
        return []
    whole = re.compile(rf"(?<![^\W_]){re.escape(want)}(?![^\W_])")
    either = zip(_own_names(known), _synonyms(known) or [()] * len(known), strict=True)
    return [
        i for i, (own, more) in enumerate(either)
        if any(want in spaced and whole.search(spaced) for spaced in map(_spaced, (*own, *more)))
    ]  # fmt: skip


def wnids(labels: Labels) -> list[str | None]:
    """The wnid of each class: where its label begins with one, or where the classes are the 1000 of ImageNet."""
    known = _of_imagenet(tuple(labels or ()))
    if known:
        return [synset.wnid for synset in known]
    return [match[1] if (match := WNID.match(label)) else None for label in labels or ()]


def own_name(index: int, labels: Labels) -> str | None:
    """The label of a class, where it means this class alone; None where it has none or other classes have that name."""
    label = str(labels[index]) if labels and 0 <= index < len(labels) else ""
    return label if classes_named(label, labels) == [index] else None


def name_text(index: int, labels: Labels) -> str:
    """The class in words that mean it alone: its label, or its index where it has none or other classes share the label."""
    return own_name(index, labels) or str(index)


def first_name(index: int, labels: Labels) -> str:
    """The label of a class up to its first comma; its index where it has none."""
    return labels[index].split(",")[0].strip() if labels is not None and index < len(labels) else str(index)


def _folded(name: str) -> str:
    """A name without what tells no names apart: case, underscores, spaces around it and several in a row."""
    return " ".join(name.replace("_", " ").split()).casefold()


def _spaced(name: str) -> str:
    """A folded name in which hyphens, too, stand between words."""
    return " ".join(name.replace("-", " ").split())


def _parts(names: str) -> tuple[str, ...]:
    """All of it, and the parts between commas, folded."""
    return tuple(dict.fromkeys(filter(None, map(_folded, (names, *names.split(","))))))


@lru_cache(maxsize=8)
def _own_names(labels: tuple[str, ...]) -> list[tuple[str, ...]]:
    """The names of each class that stand in its label, folded."""
    return [(*_parts(label), *((match[1], *_parts(match[2])) if (match := WNID.match(label)) else ())) for label in labels]


@lru_cache(maxsize=8)
def _by_name(labels: tuple[str, ...]) -> dict[str, list[int]]:
    """The classes that have each name in their own labels."""
    classes: dict[str, list[int]] = {}
    for index, names in enumerate(_own_names(labels)):
        for name in dict.fromkeys(names):
            classes.setdefault(name, []).append(index)
    return classes


@lru_cache(maxsize=8)
def _synonyms(labels: tuple[str, ...]) -> list[tuple[str, ...]]:
    """The names of each class in ImageNet, its wnid among them, folded; empty where the classes are not ImageNet's."""
    return [(synset.wnid, *synset.names) for synset in _of_imagenet(labels)]


@lru_cache(maxsize=8)
def _of_imagenet(labels: tuple[str, ...]) -> list[Synset]:
    """The synsets of the classes, where these are the 1000 of ILSVRC 2012; else empty."""
    if len(labels) != 1000:
        return []
    known = [Synset(wnid, _parts(names)) for wnid, _, names in (line.partition(" ") for line in _imagenet())]
    own = _own_names(labels)
    fit = sum(not set(synset.names).isdisjoint(names) or synset.wnid in names for synset, names in zip(known, own, strict=True))
    return known if fit >= KNOWN * len(labels) else []


def _imagenet() -> Sequence[str]:
    """A line for each class of ILSVRC 2012, in order: its wnid, and its synonyms in WordNet with commas between them."""
    return files("seewhy.targets").joinpath("imagenet_synsets.txt").read_text("utf-8").splitlines()


def _of_several(name: str, fits: list[int], labels: Sequence[str]) -> NoSuchName:
    """The error for a name that several classes have."""
    some = ", ".join(f"{printable(labels[i], 100)} ({i})" for i in fits[:NEAR]) + (", ..." if len(fits) > NEAR else "")
    return NoSuchName("single class", name, [], f"It could be {some}. Give the index, or a name that one of them alone has.")


def _of_none(name: str, labels: Sequence[str]) -> NoSuchName:
    """The error for a name that no class has: with the labels that hold its words first, and how to ask for these together."""
    holding = classes_with(name, labels)
    own = _own_names(tuple(labels))
    near = closest(_folded(name), [*dict.fromkeys(part for parts in own for part in parts)])
    spelt = [next(i for i, parts in enumerate(own) if part in parts) for part in near]
    nearest = [labels[i] for i in dict.fromkeys([*holding, *spelt])][: NEAR if holding else 3]
    if not holding:
        rest, typed = f"All {len(labels)} labels: model.labels.", f"All {len(labels)} labels: seewhy labels MODEL"
        return NoSuchName("class", name, nearest, rest, typed)
    several = f"all {len(holding)} classes whose names hold" if len(holding) > 1 else "the class whose names hold"
    any_of = f"any:{bare_or_quoted(name.strip(), PLUS)}"
    what = f"{several} {'these words' if ' ' in _spaced(name.strip()) else 'this word'}"
    return NoSuchName(
        "class", name, nearest, f"AnyOf({quoted(name)}) explains {what}; all {len(labels)} labels: model.labels.",
        f"-t {quote(any_of)} explains {what}; `seewhy labels MODEL {quote(name)}` lists them.",
    )  # fmt: skip
