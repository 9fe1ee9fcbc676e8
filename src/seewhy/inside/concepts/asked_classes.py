"""For which scores the importance of concepts is asked, and which photos tell of each."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seewhy.arrays import Floats
from seewhy.errors import BadParameter
from seewhy.models.model import Answer, Differentiable
from seewhy.targets.aim import Aim
from seewhy.targets.group import Group, are_summed, joined, slopes
from seewhy.targets.parse import as_targets
from seewhy.targets.target import Class, Contrast, PerImage, Target, Top, Unit, name_of


@dataclass(frozen=True)
class AskedClass:
    """A score that concepts may be important for.

    text: as it is written for `target=`; words: for a heading.
    classes: of photos taken for one of these it is asked; of all photos where there are none.
    """

    text: str
    words: str
    classes: tuple[int, ...]
    target: Target | Group

    def tells(self, taken_for: int) -> bool:
        """Is it asked of photos that are taken for this class?"""
        return not self.classes or taken_for in self.classes

    def scores(self, model: Differentiable, answer: Answer) -> Callable[[Floats], Floats]:
        """The function from a network's scores (m, k) of variants of one image to the explained ones (m,).

        answer: what it said of the image itself, by which a target such as the top class is fixed.
        """
        target = self.target
        if isinstance(target, Group):
            summed = are_summed(model.explains, answer.normalised)
            return lambda scores: joined(scores, [target.classes], summed)[:, 0]
        weights = target(answer.scores)[0]
        return lambda scores: np.asarray(scores @ weights, scores.dtype)

    def traced(self, model: Differentiable, answer: Answer) -> Target:
        """The target whose gradient is that of the explained score."""
        target = self.target
        if isinstance(target, Group):
            summed = are_summed(model.explains, answer.normalised)
            return lambda scores: slopes(scores, [target.classes], summed)[:, 0]
        return target


def asked_classes(model: Differentiable, target: Any, every: bool) -> list[AskedClass]:
    """What a person means by `target`; every: ask all photos, not only those taken for the class.

    Raises BadParameter for what is no score of classes, or does not say one for all photos.
    """
    asked = list[AskedClass]()
    for each in as_targets(Top() if target is None else target, model.labels):
        if isinstance(each, Aim | PerImage | Unit):
            raise BadParameter(f"concepts are important for scores of classes, and {each} is none: give a class, or Top().")
        classes = () if every else _classes(each)
        text = str(each) if isinstance(each, Class | Top | Contrast | Group) else _called(each)
        asked.append(AskedClass(text, _words(each, model.labels), classes, each))
    return asked


def taken_for(answer: Answer) -> NDArray[np.intp]:
    """The class that each image is taken for: (n,)."""
    return answer.scores.argmax(1)


def _classes(target: Any) -> tuple[int, ...]:
    if isinstance(target, Group):
        return target.classes
    named = target.index if isinstance(target, Class) else target.of if isinstance(target, Contrast) else None
    return () if named is None else (int(named),)


def _called(function: Any) -> str:
    return getattr(function, "__name__", "a function")


def _words(target: Any, labels: Any) -> str:
    if isinstance(target, Top):
        return "what each photo is taken for" if target.rank == 1 else f"the class of rank {target.rank} of each photo"
    if isinstance(target, Class):
        label = name_of(labels, int(target.index))
        return f"class {target.index}" if label is None else label
    if isinstance(target, Contrast):
        named = [int(each) for each in (target.of, *target.rivals)]
        return target.words([name_of(labels, each) or f"class {each}" for each in named])
    return target.words if isinstance(target, Group) else _called(target)
