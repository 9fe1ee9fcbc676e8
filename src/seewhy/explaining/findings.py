"""One batch asked by several methods: targets that one model answers together, and what each method found."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seewhy.errors import BadNetwork, NotApplicable
from seewhy.images.photo import Photo
from seewhy.maps.source import MethodFacts
from seewhy.models.model import Differentiable
from seewhy.prepare.batch import Batch
from seewhy.progress import stop_asked
from seewhy.targets.aim import Aim, ImageView, Pinned
from seewhy.targets.target import Class, PerImage, Target, Unit

from .case import Case, Outcome
from .recipe import Recipe


class Finding(NamedTuple):
    """One method, and what it gives for one case."""

    method: Recipe
    outcome: Outcome
    finite: bool
    values: Mapping[str, NDArray[Any]]  # of each layer: (t, n, *space), finished, NaN and infinity as zero
    facts: MethodFacts


class Question(NamedTuple):
    """Targets that one model answers: all of them, but for those at units, which end at a layer."""

    case: Case
    at: dict[int, int]  # the place among all targets -> among the case's
    findings: list[Finding]
    pinned: Sequence[Pinned] = ()  # of aims


def questions(
    model: Any, batch: Batch, place: int, targets: list[Any], layers: Any, methods: list[Recipe]
) -> Iterator[Question]:
    groups: dict[Any, list[int]] = {}
    for t, target in enumerate(targets):
        unit = (target.layer, target.at) if isinstance(target, Unit) else None
        groups.setdefault(type(target) if isinstance(target, Aim) else unit, []).append(t)
    for kind, places in groups.items():
        asked = model.beside(place, len(batch.x)) if isinstance(model, Differentiable) else model
        own, pinned = [targets[t] for t in places], ()
        if isinstance(kind, type):
            asked, pinned = asked.aimed(own, batch.x, _seen(batch, model))
            own = [Class(k) for k in range(len(own))]
            _stays(pinned, methods)
        elif kind is not None:
            asked = asked.upto(*kind)
        elif asked.no_classes and not all(m.blind for m in methods):
            raise NotApplicable(asked.no_classes)
        shared = {part for m in methods for part in m.shares}
        case = Case(asked, batch.x, own, layers, shared, batch.seen)
        yield Question(case, {t: k for k, t in enumerate(places)}, findings(methods, case), pinned)


def _stays(pinned: Sequence[Pinned], methods: list[Recipe]) -> None:
    """NotApplicable where a method moves the image away from under the place that is asked for."""
    placed = [one.target for one in pinned if one.place]
    moving = [method.name for method in methods if method.moves]
    if placed and moving:
        raise NotApplicable(
            f"{moving[0]} mirrors and resizes the image, and {placed[0]} stays at its place. smooth(...) leaves it where it is."
        )


def findings(methods: list[Recipe], case: Case) -> list[Finding]:
    """What each method found, up to the first that failed."""
    found: list[Finding] = []
    for method in methods:
        try:
            found.append(finding(method, case))
        except BadNetwork as error:
            if not found:
                raise
            found[-1] = found[-1]._replace(outcome=found[-1].outcome._replace(failure=error))
        if found[-1].outcome.failure is not None or stop_asked():
            break
    case.settle()
    return found


def _seen(batch: Batch, model: Any) -> ImageView:
    """The one image of a batch, for an aim."""
    photo = batch.photos[0]
    size = photo.pixels.size if isinstance(photo, Photo) else None
    return ImageView(tuple(batch.x.shape[2:]), size, batch.boxes[0], model.labels)


def finding(method: Recipe, case: Case) -> Finding:
    found = method.outcome(case)
    finite = all(np.isfinite(core).all() for core in found.cores.values())
    values = {layer: method.finished(core if finite else clean(core)) for layer, core in found.cores.items()}
    return Finding(method, found, finite, values, MethodFacts(method.name, method.described, method.caveat))


def clean(core: NDArray[Any]) -> NDArray[Any]:
    return np.nan_to_num(core, nan=0.0, posinf=0.0, neginf=0.0)


def aims(target: Any) -> bool:
    """Does it have to look at each image alone?"""
    return isinstance(target, Aim) or (isinstance(target, PerImage) and any(isinstance(one, Aim) for one in target.targets))


def here(target: Any, place: int, n: int) -> Target:
    """A target as one batch sees it: of PerImage, the part that belongs to its images."""
    if not isinstance(target, PerImage):
        return target
    if n == 1:
        return target.of(place)
    own = [target.of(place + i) for i in range(n)]
    return lambda scores: np.concatenate([one(scores[i : i + 1]) for i, one in enumerate(own)])
