"""Targets: which score is explained.

A target turns the scores (n, k) of n images into weights (n, k); the explained score of image i is
`scores[i] @ weights[i]`.  The weights are where backpropagation starts.  They are fixed once, on the untouched image,
so that a perturbation cannot change the question.  Any callable scores -> weights is a target.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import index
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seewhy.errors import BadParameter, NoSuchName, SeewhyError, closest
from seewhy.printable import printable, quoted

Labels = Sequence[str] | None
Scores = NDArray[Any]  # (n, k)
Weights = NDArray[Any]  # (n, k)
Target = Callable[[Scores], Weights]
LARGEST = 10**9  # index of a class, a channel or a cell: no model has more
RIVALS = 1000  # classes of one contrast


@dataclass(frozen=True)
class Class:
    """One class, by index or (once the labels are known) by label."""

    index: int | str

    def __call__(self, scores: Scores) -> Weights:
        return _one_hot(np.full(len(scores), _checked(self.index, scores)), scores)

    def __str__(self) -> str:
        return str(self.index)


@dataclass(frozen=True)
class Top:
    """The class each image is taken for: rank 1 the first, 2 the runner-up."""

    rank: int = 1

    def __call__(self, scores: Scores) -> Weights:
        if not isinstance(self.rank, int) or not 1 <= self.rank <= scores.shape[1]:
            have = f"the rank counts from 1, the highest, and the model has {scores.shape[1]} scores"
            raise BadParameter(f"Top({quoted(self.rank)}): {have}.")
        return _one_hot(np.argsort(-scores, axis=1, kind="stable")[:, self.rank - 1], scores)

    def __str__(self) -> str:
        return f"top {self.rank}"


@dataclass(frozen=True)
class Contrast:
    """Why this class rather than those: y_of - strength * mean(y_against).  Finer-CAM, Zhang et al. 2025.

    With `against=()` the `look_alikes` highest other classes of each image are taken.
    """

    of: int | str
    against: int | str | Sequence[int | str] = ()
    strength: float = 0.6
    look_alikes: int = 3

    def __post_init__(self) -> None:
        if len(self.rivals) > RIVALS:
            raise BadParameter(f"Contrast: against {len(self.rivals):,} classes; {RIVALS:,} are the most.")

    @property
    def rivals(self) -> tuple[int | str, ...]:
        return (self.against,) if isinstance(self.against, int | str) else tuple(self.against)

    def __call__(self, scores: Scores) -> Weights:
        explained = Class(self.of)(scores)
        if not np.isfinite(self.strength):
            raise BadParameter(f"Contrast: strength is {self.strength}; give a number such as 0.6.")
        if not self.rivals and (self.look_alikes < 1 or scores.shape[1] < 2):
            raise BadParameter(f"{self}: there is no other class to contrast with.")
        if self.rivals:
            others = [Class(i)(scores) for i in self.rivals]
            if any((other == explained).all() for other in others):
                raise BadParameter(f"{self}: a class cannot be contrasted with itself.")
        else:
            rest = np.where(explained > 0, -np.inf, scores)
            others = [Top(rank + 1)(rest) for rank in range(min(self.look_alikes, scores.shape[1] - 1))]
        return explained - self.strength * np.mean(others, axis=0)

    @property
    def words(self) -> str:
        """The contrast without its strength, for a caption: "husky vs malamute, wolf"."""
        return f"{self.of} vs " + (", ".join(map(str, self.rivals)) or f"{self.look_alikes} look-alikes")

    def __str__(self) -> str:
        return self.words + ("" if self.strength == 1 else f" x {self.strength:g}")


@dataclass(frozen=True)
class Unit:
    """One channel of a layer in the place of a class: what excites it?  Nothing behind the layer runs.

    layer: its name, as `model.layers()` has it; channel: from 0 on.
    at: "max" explains the strongest activation of the channel, as Zeiler & Fergus 2014 do; "sum" all of them;
        (y, x) the one in that cell of the layer's grid; of a signal (t,), of a volume (z, y, x).
    """

    layer: str
    channel: int
    at: str | tuple[int, ...] = "max"

    def __post_init__(self) -> None:
        if isinstance(self.channel, bool) or not isinstance(self.channel, int | np.integer):
            raise BadParameter(f"Unit: channel={quoted(self.channel)} is no whole number; channels count from 0.")
        try:
            at = self.at if isinstance(self.at, str) else tuple(map(index, self.at))
        except TypeError:
            at = ()
        if abs(self.channel) > LARGEST:
            raise NoSuchName("channel", self.channel, [], f"Channels of {printable(self.layer, 200)} count from 0.")
        if at not in ("max", "sum") and (isinstance(at, str) or not at or min(at) < 0 or max(at) > LARGEST):
            raise BadParameter(
                f'Unit: at={quoted(self.at)} is not "max", "sum", or a cell (y, x), of a signal (t,), of a volume (z, y, x).'
            )
        object.__setattr__(self, "at", at)

    def __call__(self, scores: Scores) -> Weights:
        if not 0 <= self.channel < scores.shape[1]:
            raise NoSuchName("channel", self.channel, [], f"{self.layer} has 0 to {scores.shape[1] - 1}.")
        return _one_hot(np.full(len(scores), self.channel), scores)

    @classmethod
    def parse(cls, text: str) -> "Unit":
        """unit:LAYER:CHANNEL, with :sum, :Y,X, :T or :Z,Y,X behind for another place than the strongest: what str() gives."""
        parts = text.split(":")
        cell = parts[3] if len(parts) == 4 else "max"
        place = re.fullmatch(r"[0-9]+(,[0-9]+)*", cell)
        if len(parts) not in (3, 4) or not parts[1] or not is_index(parts[2]) or not (place or cell in ("max", "sum")):
            raise BadParameter(
                f"{quoted(text)}: write unit:LAYER:CHANNEL, as in unit:features.10:42; behind it :sum or a cell, :Y,X, of a "
                "signal :T, of a volume :Z,Y,X."
            )
        return cls(parts[1], numbered(parts[2]), tuple(map(numbered, cell.split(","))) if place else cell)

    @property
    def words(self) -> str:
        """The unit for a caption: "unit 42 of features.10"."""
        where = {"max": "", "sum": ", summed"}.get(str(self.at), f" in cell {self.at}")
        return f"unit {self.channel} of {self.layer}{where}"

    def __str__(self) -> str:
        where = {"max": "", "sum": ":sum"}.get(str(self.at), f":{','.join(map(str, self.at))}")
        return f"unit:{self.layer}:{self.channel}{where}"


@dataclass(frozen=True)
class PerImage:
    """A different target for each image: PerImage([3, "tabby", Top(2)])."""

    targets: Sequence[Any]

    def __post_init__(self) -> None:
        object.__setattr__(self, "targets", tuple(self.targets))

    def of(self, place: int) -> Target:
        """The target of the image at that place."""
        return self.targets[place]


def _one_hot(index: NDArray[np.intp], scores: Scores) -> Weights:
    weights = np.zeros(scores.shape)
    weights[np.arange(len(scores)), index] = 1
    return weights


def _checked(index: int | str, scores: Scores) -> int:
    if isinstance(index, str):
        raise BadParameter(f"The class is named {quoted(index)}, and the model has no labels. Give its index, or labels=.")
    if not -scores.shape[1] <= index < scores.shape[1]:
        raise NoSuchName("class", index, [], f"The model's classes are 0 to {scores.shape[1] - 1}.")
    return index % scores.shape[1]


def is_index(text: str) -> bool:
    """Does the text write a whole number?"""
    return re.fullmatch(r"-?[0-9]+", text.strip()) is not None


def numbered(text: str) -> int:
    """The whole number that a text writes; of very long ones the first 30 digits, which no class has anyway."""
    sign, digits = re.fullmatch(r"(-?)0*([0-9]+)", text.strip()).groups()  # type: ignore[union-attr]
    return int(sign + digits[:30])


def weighted(targets: Sequence[Target], scores: Scores) -> Weights:
    """The weights (t, n, k) of several targets, checked: a person's own callable may give anything."""
    rows = []
    ranked = [target for target in targets if isinstance(target, Top) and isinstance(target.rank, int)]
    if len(ranked) > 1:  # an error names the highest rank, not the first that is too high
        max(ranked, key=lambda top: top.rank)(scores)
    for target in targets:
        try:
            row = np.asarray(target(scores), np.float64)
        except (TypeError, ValueError) as error:
            if isinstance(error, SeewhyError):
                raise
            raise BadParameter(f"The target {target} failed on scores {scores.shape}: {error}") from error
        if row.shape != scores.shape or not np.isfinite(row).all():
            what = f"shape {row.shape}" if row.shape != scores.shape else "NaN or infinity"
            raise BadParameter(f"The target {target} gave {what}; weights are finite, and of the scores' shape {scores.shape}.")
        rows.append(row)
    return np.stack(rows)


def class_index(name: int | str | np.integer[Any], labels: Labels) -> int:
    """The class a person means: an index, a whole label, one of its synonyms, or a unique beginning of it."""
    if isinstance(name, int | np.integer) and not isinstance(name, bool):
        if abs(name) > LARGEST:
            raise NoSuchName("class", name, [], f"The model's labels are {len(labels)}." if labels else "Classes count from 0.")
        return int(name)
    if not isinstance(name, str):
        raise BadParameter(f"{quoted(name)} is no class. Give its index or its label.")
    if not labels:
        if is_index(name):
            return class_index(numbered(name), labels)
        reason = f"The class {quoted(name)} is a label, and the model has none. Give its index, or wrap(labels=...)."
        raise BadParameter(reason)
    want = name.strip().lower()
    lower = [label.lower() for label in labels]
    synonyms = [[part.strip() for part in label.split(",")] for label in lower]
    for fits in (
        [i for i, label in enumerate(lower) if label == want],
        [i for i, parts in enumerate(synonyms) if want in parts],
        [i for i, label in enumerate(lower) if label.startswith(want)] if want else [],
    ):
        if len(fits) == 1:
            return fits[0]
        if fits:
            some = ", ".join(f"{printable(labels[i], 100)} ({i})" for i in fits[:4]) + (", ..." if len(fits) > 4 else "")
            raise NoSuchName("single class", name, [], f"It could be {some}. Give the whole label or the index.")
    if is_index(want):
        return class_index(numbered(want), labels)
    near = closest(want, [part for parts in synonyms for part in parts])
    whole = [labels[next(i for i, parts in enumerate(synonyms) if part in parts)] for part in near]
    raise NoSuchName("class", name, whole, f"All {len(labels)} labels: model.labels.")


def name_of(labels: Labels, index: int | None) -> str | None:
    """The label of a class; None where it has none."""
    return labels[index] if labels is not None and index is not None and 0 <= index < len(labels) else None


def named(target: Any, labels: Labels) -> str | None:
    """A unit, or a contrast where the labels are known, in words: "French bulldog vs Chihuahua"; None for other targets."""
    if isinstance(target, Unit):
        return target.words
    if not isinstance(target, Contrast) or not target.rivals:
        return None
    names = [name_of(labels, i) for i in (target.of, *target.rivals) if isinstance(i, int)]
    return f"{names[0]} vs {', '.join(map(str, names[1:]))}" if all(names) else None
