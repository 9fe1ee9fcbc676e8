"""Targets: which score is explained.

A target turns the scores (n, k) of n images into weights (n, k); the explained score of image i is
`scores[i] @ weights[i]`.  The weights are where backpropagation starts.  They are fixed once, on the untouched image,
so that a perturbation cannot change the question.  Any callable scores -> weights is a target.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import isfinite
from numbers import Real
from operator import index
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seewhy.errors import BadParameter, NoSuchName, NotFinite, SeewhyError
from seewhy.printable import printable, quoted

from .grammar import INDEX, bare_or_quoted, class_text, literal, number_text, pieces, quote, unreadable
from .sums import Summand

Labels = Sequence[str] | None
Scores = NDArray[Any]  # (n, k)
Weights = NDArray[Any]  # (n, k)
Target = Callable[[Scores], Weights]
LARGEST = 10**9  # index of a class, a channel or a cell: no model has more
RIVALS = 1000  # classes of one contrast
VERSUS, LOOK_ALIKES = "-vs-", "look-alikes"  # in the text of a contrast: 281-vs-282, 281-vs-3 look-alikes
USUAL = 3  # look-alikes of a contrast that names no class
UNIT = "unit:LAYER:CHANNEL, as in unit:features.10:42; behind it :sum or a cell, :Y,X, of a signal :T, of a volume :Z,Y,X."


@dataclass(frozen=True)
class Class(Summand):
    """One class, by index or (once the labels are known) by label."""

    index: int | str

    def __post_init__(self) -> None:
        object.__setattr__(self, "index", class_given(self.index))

    def __call__(self, scores: Scores) -> Weights:
        return _one_hot(np.full(len(scores), _checked(self.index, scores)), scores)

    def __str__(self) -> str:
        if isinstance(self.index, int):
            return str(self.index)
        special = VERSUS in self.index or re.fullmatch(r"(?i)top(\s.*)?", self.index)
        return quote(self.index) if special else bare_or_quoted(self.index, ":")


@dataclass(frozen=True)
class Top:
    """The class each image is taken for: rank 1 the first, 2 the runner-up."""

    rank: int = 1

    def __post_init__(self) -> None:
        if not is_whole(self.rank) or self.rank < 1:
            raise BadParameter(f"Top({quoted(self.rank)}): the rank is a whole number and counts from 1, the highest: Top(2).")
        object.__setattr__(self, "rank", int(self.rank))

    def __call__(self, scores: Scores) -> Weights:
        if self.rank > scores.shape[1]:
            have = f"the rank counts from 1, the highest, and the model has {scores.shape[1]} scores"
            raise BadParameter(f"Top({quoted(self.rank)}): {have}.")
        return _one_hot(np.argsort(-scores, axis=1, kind="stable")[:, self.rank - 1], scores)

    def __str__(self) -> str:
        return f"top {self.rank}"


@dataclass(frozen=True)
class Contrast(Summand):
    """Why this class rather than those: y_of - strength * mean(y_against).  Finer-CAM, Zhang et al. 2025.

    With `against=()` the `look_alikes` other classes of each image are taken whose scores are nearest to y_of, by |y_d - y_of|,
    as its authors' code does; of equally near ones the lower index.  Where y_of is the highest score, these are the highest
    others.
    strength: 1 explains the difference of the scores itself; Finer-CAM's own is 0.6, which leaves in 0.4 of what is common.
    """

    of: int | str
    against: int | str | Sequence[int | str] = ()
    strength: float = 1.0
    look_alikes: int = USUAL

    def __post_init__(self) -> None:
        others = (self.against,) if isinstance(self.against, str) or not isinstance(self.against, Iterable) else [*self.against]
        if len(others) > RIVALS:
            raise BadParameter(f"Contrast: against {len(others):,} classes; {RIVALS:,} are the most.")
        of, against = class_given(self.of, "Contrast: of"), tuple(class_given(each, "Contrast: against") for each in others)
        said = f"Contrast({quoted(of)}, {quoted(against)})"
        if of in against:
            raise BadParameter(f"{said}: a class cannot be contrasted with itself. Name another class.")
        if len({*against}) < len(against):
            raise BadParameter(f"{said}: a class is named twice, and would be taken away twice. Name each class once.")
        if isinstance(self.strength, bool | np.bool_) or not isinstance(self.strength, Real) or not isfinite(self.strength):
            raise BadParameter(f"Contrast: strength is {quoted(self.strength)}; give a number such as 0.6.")
        if not is_whole(self.look_alikes) or self.look_alikes < 1:
            raise BadParameter(f"Contrast: look_alikes={quoted(self.look_alikes)}; give a whole number from 1 on, such as 3.")
        object.__setattr__(self, "of", of)
        object.__setattr__(self, "against", against)
        object.__setattr__(self, "strength", float(self.strength))
        object.__setattr__(self, "look_alikes", USUAL if against else int(self.look_alikes))  # of named classes it says nothing

    @property
    def rivals(self) -> tuple[int | str, ...]:
        return self.against  # type: ignore[return-value]

    def __call__(self, scores: Scores) -> Weights:
        explained = Class(self.of)(scores)
        if self.rivals:
            others = [Class(i)(scores) for i in self.rivals]
        elif scores.shape[1] < 2:
            raise BadParameter(f"{self}: there is no other class to contrast with.")
        else:
            distance = np.where(explained > 0, np.inf, abs(scores - scores[:, [int(self.of)]]))
            nearest = np.argsort(distance, axis=1, kind="stable")[:, : min(self.look_alikes, scores.shape[1] - 1)]
            others = [_one_hot(each, scores) for each in nearest.T]
        return explained - self.strength * np.mean(others, axis=0)

    def words(self, names: Sequence[Any]) -> str:
        """The contrast for a caption, with these names of its classes: "husky rather than malamute, wolf (strength 0.6)"."""
        against = ", ".join(map(str, names[1:])) or f"its {self.look_alikes} {LOOK_ALIKES}"
        return f"{names[0]} rather than {against}" + ("" if self.strength == 1 else f" (strength {number_text(self.strength)})")

    def __str__(self) -> str:
        against = "+".join(map(class_text, self.rivals)) or f"{self.look_alikes} {LOOK_ALIKES}"
        return f"{class_text(self.of)}{VERSUS}{against}" + ("" if self.strength == 1 else f":{number_text(self.strength)}")


@dataclass(frozen=True)
class Unit(Summand):
    """One channel of a layer in the place of a class: what excites it?  Nothing behind the layer runs.

    layer: its name, as `model.layers()` has it; channel: from 0 on.
    at: "max" explains the strongest activation of the channel, as Zeiler & Fergus 2014 do; "sum" all of them;
        (y, x) the one in that cell of the layer's grid; of a signal (t,), of a volume (z, y, x).
    """

    layer: str
    channel: int
    at: str | tuple[int, ...] = "max"

    def __post_init__(self) -> None:
        if not isinstance(self.layer, str) or not self.layer.strip():
            raise BadParameter(f"Unit: layer={quoted(self.layer)} is no name of a layer; model.layers() lists them.")
        if not is_whole(self.channel):
            raise BadParameter(f"Unit: channel={quoted(self.channel)} is no whole number; channels count from 0.")
        try:
            at = self.at if isinstance(self.at, str) else tuple(map(index, self.at))
            at = () if any(isinstance(each, bool) for each in self.at) else at
        except TypeError:
            at = ()
        if abs(self.channel) > LARGEST:
            raise NoSuchName("channel", self.channel, [], f"Channels of {printable(self.layer, 200)} count from 0.")
        if at not in ("max", "sum") and (isinstance(at, str) or not at or min(at) < 0 or max(at) > LARGEST):
            raise BadParameter(
                f'Unit: at={quoted(self.at)} is not "max", "sum", or a cell (y, x), of a signal (t,), of a volume (z, y, x).'
            )
        object.__setattr__(self, "channel", int(self.channel))
        object.__setattr__(self, "at", at)

    def __call__(self, scores: Scores) -> Weights:
        if not 0 <= self.channel < scores.shape[1]:
            raise NoSuchName("channel", self.channel, [], f"{self.layer} has 0 to {scores.shape[1] - 1}.")
        return _one_hot(np.full(len(scores), self.channel), scores)

    @classmethod
    def parse(cls, text: str) -> "Unit":
        """unit:LAYER:CHANNEL, with :sum, :max, :Y,X, :T or :Z,Y,X behind for another place than the strongest."""
        layer, *numbers = pieces(text.partition(":")[2], ":")
        if not literal(layer):
            raise unreadable(text, "", UNIT)
        if not numbers or not is_index(numbers[0]):
            raise unreadable(text, ":".join(numbers), UNIT)
        cell = numbers[1].strip() if len(numbers) > 1 else "max"
        place = re.fullmatch(rf"{INDEX}(\s*,\s*{INDEX})*", cell)
        if len(numbers) > 2 or not (place or cell in ("max", "sum")):
            raise unreadable(text, ":".join(numbers[1:]), UNIT)
        return cls(literal(layer), numbered(numbers[0]), tuple(map(numbered, cell.split(","))) if place else cell)

    @property
    def words(self) -> str:
        """The unit for a caption: "unit 42 of features.10"."""
        where = {"max": "", "sum": ", summed"}.get(str(self.at), f" in cell {self.at}")
        return f"unit {self.channel} of {self.layer}{where}"

    def __str__(self) -> str:
        where = {"max": "", "sum": ":sum"}.get(str(self.at), f":{','.join(map(str, self.at))}")
        return f"unit:{bare_or_quoted(self.layer, ':')}:{self.channel}{where}"


@dataclass(frozen=True)
class PerImage:
    """A different target for each image: PerImage([3, "tabby", Top(2)]); or a value of its own of a method's parameter."""

    targets: Sequence[Any]

    def __post_init__(self) -> None:
        if isinstance(self.targets, str | bytes) or not isinstance(self.targets, Iterable):
            raise BadParameter(f"PerImage({quoted(self.targets)}): give a list, with a target for each image.")
        object.__setattr__(self, "targets", tuple(self.targets))

    def of(self, place: int) -> Target:
        """The target of the image at that place."""
        return self.targets[place]

    def __str__(self) -> str:
        return "each image's own"  # and not all of them: there may be a million


def _one_hot(index: NDArray[np.intp], scores: Scores) -> Weights:
    weights = np.zeros(scores.shape)
    weights[np.arange(len(scores)), index] = 1
    return weights


def _checked(index: int | str, scores: Scores) -> int:
    if isinstance(index, str):
        raise BadParameter(f"The class is named {quoted(index)}, and the model has no labels. Give its index, or labels=.")
    if not 0 <= index < scores.shape[1]:
        raise NoSuchName("class", index, [], f"The model's classes are 0 to {scores.shape[1] - 1}.")
    return int(index)


def is_whole(value: Any) -> bool:
    """Is it a whole number, of Python or numpy, and no truth value?"""
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def class_given(value: Any, whose: str = "") -> Any:
    """A class as a person may give it: its index, as Python's own whole number, or its name.

    Raises BadParameter for anything else; it begins with whose class it is.
    """
    if is_whole(value):
        return int(value)
    if isinstance(value, str):
        return value
    before = f"{whose}: " if whose else ""
    raise BadParameter(f"{before}{quoted(value)} is no class. Give its index or its label.")


def is_index(text: str) -> bool:
    """Does the text write a whole number?"""
    return re.fullmatch(r"-?[0-9]+", text.strip()) is not None


def numbered(text: str) -> int:
    """The whole number that a text writes; of very long ones the first 30 digits, which no class has anyway."""
    sign, digits = re.fullmatch(r"(-?)0*([0-9]+)", text.strip()).groups()  # type: ignore[union-attr]
    return int(sign + digits[:30])


def weighted(targets: Sequence[Target], scores: Scores) -> Weights:
    """The weights (t, n, k) of several targets, checked: a person's own callable may give anything.

    Raises NotFinite where a score is NaN or infinity, so that no class has a probability.  Minus infinity is the score of a
    class that a network leaves out, which has no map itself.
    """
    _check_finite(np.isnan(scores) | (scores == np.inf))
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
        _check_finite((row != 0) & (scores == -np.inf))
        rows.append(row)
    return np.stack(rows)


def _check_finite(bad: NDArray[np.bool_]) -> None:
    """Raise NotFinite if any of the scores (n, k) is bad."""
    if bad.any():
        raise NotFinite("The scores of the network hold NaN or infinity, so that no class can be explained.")


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
