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

from seewhy.errors import BadParameter, NoSuchName, SeewhyError
from seewhy.printable import printable, quoted

Labels = Sequence[str] | None
Scores = NDArray[Any]  # (n, k)
Weights = NDArray[Any]  # (n, k)
Target = Callable[[Scores], Weights]
LARGEST = 10**9  # index of a class, a channel or a cell: no model has more
RIVALS = 1000  # classes of one contrast
VERSUS, LOOK_ALIKES = "-vs-", "look-alikes"  # in the text of a contrast: 281-vs-282, 281-vs-3 look-alikes


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
        whole = isinstance(self.rank, int | np.integer) and not isinstance(self.rank, bool)
        if not whole or not 1 <= self.rank <= scores.shape[1]:
            have = f"the rank counts from 1, the highest, and the model has {scores.shape[1]} scores"
            raise BadParameter(f"Top({quoted(self.rank)}): {have}.")
        return _one_hot(np.argsort(-scores, axis=1, kind="stable")[:, self.rank - 1], scores)

    def __str__(self) -> str:
        return f"top {self.rank}"


@dataclass(frozen=True)
class Contrast:
    """Why this class rather than those: y_of - strength * mean(y_against).  Finer-CAM, Zhang et al. 2025.

    With `against=()` the `look_alikes` highest other classes of each image are taken.
    strength: 1 explains the difference of the scores itself; Finer-CAM's own is 0.6, which leaves in 0.4 of what is common.
    """

    of: int | str
    against: int | str | Sequence[int | str] = ()
    strength: float = 1.0
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

    def words(self, names: Sequence[Any]) -> str:
        """The contrast for a caption, with these names of its classes: "husky rather than malamute, wolf (strength 0.6)"."""
        against = ", ".join(map(str, names[1:])) or f"its {self.look_alikes} {LOOK_ALIKES}"
        return f"{names[0]} rather than {against}" + ("" if self.strength == 1 else f" (strength {self.strength:g})")

    def __str__(self) -> str:
        against = "+".join(map(str, self.rivals)) or f"{self.look_alikes} {LOOK_ALIKES}"
        return f"{self.of}{VERSUS}{against}" + ("" if self.strength == 1 else f":{self.strength:g}")


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
    if isinstance(index, bool) or not isinstance(index, int | np.integer):
        raise BadParameter(f"{quoted(index)} is no class. Give its index or its label.")
    if not 0 <= index < scores.shape[1]:
        raise NoSuchName("class", index, [], f"The model's classes are 0 to {scores.shape[1] - 1}.")
    return int(index)


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


def name_of(labels: Labels, index: int | None) -> str | None:
    """The label of a class; None where it has none."""
    return labels[index] if labels is not None and index is not None and 0 <= index < len(labels) else None


def named(target: Any, labels: Labels) -> str | None:
    """The target in words, where it is no single class: "unit 42 of conv", and where the labels are known "French bulldog
    rather than Chihuahua (strength 0.6)"; None for other targets.
    """
    if isinstance(target, Unit):
        return target.words
    if not isinstance(target, Contrast):
        return None
    names = [name_of(labels, i) for i in (target.of, *target.rivals) if isinstance(i, int)]
    return target.words(names) if all(names) else None
