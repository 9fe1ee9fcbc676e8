"""Which class of one model is which class of another."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seewhy.errors import BadParameter
from seewhy.printable import printable
from seewhy.targets.target import Labels


class ClassMatch(NamedTuple):
    """The classes of model B that are those of model A."""

    to_b: NDArray[np.intp]  # for each class of A its number in B, -1 where B has no such class
    note: str = ""  # what was taken for granted

    @property
    def same(self) -> bool:
        """Have the classes the same numbers in both models?"""
        return bool((self.to_b == np.arange(len(self.to_b))).all())


def match_classes(names: tuple[str, str], labels: tuple[Labels, Labels], counts: tuple[int, int]) -> ClassMatch:
    """The classes of two models matched by their labels; by their numbers where a model has no labels and both have as many.

    names: of the models; labels: of each, or None; counts: of the scores that each gives.
    Two labels are of one class where they are the same but for upper and lower case, else where they share a synonym ("tabby,
    tabby cat" and "tabby") that no other label of either has.  Of labels that stand several times, the first is the first.
    Raises BadParameter where nothing tells which class is which.
    """
    named = [bool(its) and len(its) == count for its, count in zip(labels, counts, strict=True)]
    if all(named):
        return _by_label(names, labels[0] or (), labels[1] or ())
    if counts[0] == counts[1]:
        odd = [
            f"{name} has {f'{len(its):,} labels for {count:,} scores' if its else 'no labels'}"
            for name, its, count, has in zip(names, labels, counts, named, strict=True)
            if not has
        ]
        return ClassMatch(
            np.arange(counts[0]), f"{', '.join(odd)}: classes are matched by their numbers" if any(labels) else ""
        )
    raise BadParameter(
        f"{names[0]} gives {counts[0]:,} scores and {names[1]} {counts[1]:,}, so classes cannot be matched by their numbers. "
        "Give both models labels: wrap(labels=...), on the command line --labels-a FILE, --labels-b FILE."
    )


def _by_label(names: tuple[str, str], a: Sequence[str], b: Sequence[str]) -> ClassMatch:
    whole_b = {key: index for index, key in enumerate(_keys(b))}
    to_b = np.array([whole_b.get(key, -1) for key in _keys(a)], np.intp)
    left_a, left_b = (to_b < 0).nonzero()[0], np.setdiff1d(np.arange(len(b)), to_b)
    synonym_b = _unique_synonyms(b, left_b)
    for synonym, index in _unique_synonyms(a, left_a).items():
        if to_b[index] < 0 and synonym in synonym_b and synonym_b[synonym] not in to_b:
            to_b[index] = synonym_b[synonym]
    if (to_b < 0).all():
        some = [", ".join(printable(label, 40) for label in its[:3]) + ", ..." * (len(its) > 3) for its in (a, b)]
        raise BadParameter(
            f"{names[0]} and {names[1]} share no label, so no class can be explained on both: {some[0]} against "
            f"{some[1]}. Give both the same labels: --labels FILE."
        )
    missing = int((to_b < 0).sum())
    return ClassMatch(to_b, f"{names[1]} lacks {missing:,} of the {len(a):,} classes of {names[0]}" if missing else "")


def _keys(labels: Sequence[str]) -> list[tuple[str, int]]:
    """Each label in lower case, with how often it stood before: ImageNet has two cranes."""
    before, keys = Counter[str](), []
    for label in labels:
        key = " ".join(label.lower().split())
        keys.append((key, before[key]))
        before[key] += 1
    return keys


def _unique_synonyms(labels: Sequence[str], among: NDArray[np.intp]) -> dict[str, int]:
    """The parts between commas that stand in a single label of them all -> the number of that label, of those in `among`."""
    parts = [{part.strip() for part in label.lower().split(",")} for label in labels]
    often = Counter(part for several in parts for part in several)
    return {part: int(index) for index in among for part in sorted(parts[index]) if often[part] == 1}
