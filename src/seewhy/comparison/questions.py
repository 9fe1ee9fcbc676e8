"""What is asked of both models: the same class of both, and a method that both can do."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from seewhy.arrays import Array
from seewhy.diagnosis.doctor import doctor
from seewhy.errors import InSpace, NoSuchName, NotApplicable, NotHere
from seewhy.maps.source import Predicted
from seewhy.methods.making.method import METHODS, Method, lookup
from seewhy.printable import printable
from seewhy.targets.aim import Aim
from seewhy.targets.parse import as_targets
from seewhy.targets.target import Class, Contrast, PerImage, Top, name_of

from .classes import ClassMatch, match_classes

AUTO = "auto"
PREFERRED = ("grad-cam", "recipro-cam", "occlusion")  # the first of these that both models can do is what "auto" means
TOPS = 5
PLACED = ("of", "label")  # what regions, points and boxes call their class


class Said(NamedTuple):
    """What a model says of one image."""

    scores: NDArray[np.float64]  # (k,)
    predicted: Predicted | None  # None of a regression

    @property
    def order(self) -> NDArray[np.intp]:
        """The classes, the one with the highest score first."""
        return np.argsort(-self.scores, kind="stable")

    @property
    def single(self) -> bool:
        """Is there one score alone, of which no class is the top one?"""
        return len(self.scores) == 1


def said_of(model: Any, x: Array) -> Said | None:
    """What the model says of one prepared image (1, c, *space); None of a network that gives boxes or a map."""
    try:
        answer = model.answer(x)
    except InSpace:
        return None
    chances = None if answer.probabilities is None else answer.probabilities[0]
    return Said(np.asarray(answer.scores[0], np.float64), Predicted.of(chances, model.labels))


def same_top(a: Said, b: Said, classes: ClassMatch) -> bool | None:
    """Do both take the image for the same class; of a single probability, for the same side of one half?  None of a
    regression.
    """
    if a.predicted is None or b.predicted is None:
        return None
    if a.single and b.single:
        return (a.predicted.probability > 0.5) == (b.predicted.probability > 0.5)
    return bool(classes.to_b[a.order[0]] == b.order[0])


def top_overlap(a: Said, b: Said, classes: ClassMatch) -> float | None:
    """The share of A's five top classes that are among B's five; None where a model has no more than five."""
    if min(len(a.scores), len(b.scores)) <= TOPS:
        return None
    return len({*classes.to_b[a.order[:TOPS]].tolist()} & {*b.order[:TOPS].tolist()}) / TOPS


def same_question(
    target: Any, place: int, models: tuple[Any, Any], said: Said | None, classes: ClassMatch | None, image: str
) -> tuple[Any, Any]:
    """The target for A and that for B: the same class, whatever number B has it under.

    target: for A, as `seewhy.explain` takes it; said: by A.  Of a network that gives boxes or a map, and of targets that are no
    classes, each model is asked for the target by itself; a region, a point or a box of a class is one of that class in both.
    Raises NoSuchName, BadParameter as `explain` does; NotHere where B has no such class.
    """
    (mine,) = one_target(target, models[0])
    mine = mine.of(place) if isinstance(mine, PerImage) else mine
    own = {name: getattr(mine, name, None) for name in PLACED} if isinstance(mine, Aim) else {}
    own = {name: index for name, index in own.items() if isinstance(index, int)}
    a, b = models
    if own and a.labels and b.labels:
        classes = match_classes((a.name, b.name), (a.labels, b.labels), (len(a.labels), len(b.labels)))
    elif said is not None and classes is not None and isinstance(mine, Top | Class | Contrast):
        mine = _settled(mine, said)
    else:
        (theirs,) = as_targets(target, b.labels)
        return mine, theirs.of(place) if isinstance(theirs, PerImage) else theirs

    def number(index: int) -> int:
        if index >= len(classes.to_b):
            raise NoSuchName("class", index, [], f"The classes of {models[0].name} are 0 to {len(classes.to_b) - 1}.")
        if classes.to_b[index] < 0:
            known = name_of(models[0].labels, index)
            what = f"{printable(known, 100)} ({index})" if known else str(index)
            raise NotHere(
                f"{image}: {models[1].name} has no class {what} of {models[0].name}, so it cannot be explained on both."
            )
        return int(classes.to_b[index])

    if isinstance(mine, Class):
        return mine, Class(number(int(mine.index)))
    if isinstance(mine, Contrast):
        rivals = tuple(number(int(rival)) for rival in mine.rivals)
        return mine, replace(mine, of=number(int(mine.of)), against=rivals)
    return mine, replace(cast(Any, mine), **{name: number(index) for name, index in own.items()})


def one_target(target: Any, model: Any) -> list[Any]:
    """The single target, as `as_targets` gives it.  Raises NotApplicable for several."""
    targets = as_targets(target, model.labels)
    if len(targets) > 1:
        raise NotApplicable(f"{len(targets)} targets were given; drift compares the maps of one. Ask for one after the other.")
    return targets


def _settled(target: Any, said: Said) -> Class | Contrast:
    """The target with the classes that it means, after what A said."""
    if isinstance(target, Contrast):
        weights = target(said.scores[None])[0]  # refuses what cannot be asked for
        of = int(weights.argmax())
        others = [int(index) for index in (weights < 0).nonzero()[0]]
        return replace(target, of=of, against=target.rivals or tuple(others))
    return Class(int(target(said.scores[None])[0].argmax()))


def chosen(method: str | Method, models: Sequence[Any], image: Any) -> tuple[Method, str]:
    """The method, and of one that was not named why it is this one.  Raises NotApplicable where both models can do none."""
    if method != AUTO:
        return lookup(method), ""
    hindrances = [hindered(model, image) for model in models]
    before = ""
    for name in PREFERRED:
        reason = next((f"{model.name}: {why[name]}" for model, why in zip(models, hindrances, strict=True) if name in why), "")
        if not reason:
            return lookup(name), f"the first of {', '.join(PREFERRED)} that both can do" + (f"; {before}" if before else "")
        before = before or f"no {name}, {printable(reason, 300)}"
    raise NotApplicable(f"No method of {', '.join(PREFERRED)} can be done by both models: {before}. Name another by method=.")


def hindered(model: Any, image: Any) -> dict[str, str]:
    """The methods that the model cannot do, each with the reason; empty where the doctor cannot tell."""
    return {verdict.method: verdict.why for verdict in doctor(model, image).methods if not verdict.works}


def both_can(method: str, models: Sequence[Any], image: Any, why: Exception) -> NotApplicable:
    """The error that says which methods both models can do, where one of them cannot do the one that was asked for."""
    verdicts = [doctor(model, image).methods for model in models]
    able = [name for name in METHODS if all(any(v.method == name and v.works for v in its) for its in verdicts)]
    first = [name for name in PREFERRED if name in able]
    some = ", ".join([*dict.fromkeys([*first, *able])][:8]) + (", ..." if len(able) > 8 else "")
    advice = f"Both can do {some}." if able else "`seewhy doctor` says of each model what it can do."
    return NotApplicable(f"{method} cannot be compared: {printable(why, 600)} {advice}")
