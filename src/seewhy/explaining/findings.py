"""One batch explained by several methods: the targets are grouped by the model that answers them together."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seewhy.errors import BadNetwork, NotApplicable
from seewhy.images.photo import Photo
from seewhy.maps.source import MethodFacts
from seewhy.prepare.batch import Batch
from seewhy.progress import stop_asked
from seewhy.targets.aim import Aim, ImageView, Pinned
from seewhy.targets.group import Group
from seewhy.targets.target import Class, PerImage, Target, Unit

from .apart import by_default
from .case import Case, Outcome
from .parts import in_parts
from .recipe import READINGS, Recipe

GRADIENTS = {"layer gradient", "image", "head"}  # of what methods need, that which the way back from the score gives


class Finding(NamedTuple):
    """One method, and what it gives for one case."""

    method: Recipe
    outcome: Outcome
    finite: bool
    values: Mapping[str, NDArray[Any]]  # of each layer: (t, n, *space), finished, NaN and infinity as zero
    facts: MethodFacts


class TargetGroup(NamedTuple):
    """Targets that one model answers together, and what each method gave for them.

    Classes share one group, save those whose default layer is another, as their numbers rest on other layers.  The units of a
    layer are a group of their own, as the network ends there, and so are groups of classes, whose scores are made of those of
    the classes, and the aims of one kind, such as boxes, which are pinned on the whole output.
    """

    case: Case
    at: dict[int, int]  # from the place of a target among all to its place in the case
    findings: list[Finding]
    pinned: Sequence[Pinned] = ()  # of a group of aims: what each means on this image


def target_groups(
    model: Any, batch: Batch, place: int, targets: list[Any], layers: Any, methods: list[Recipe]
) -> Iterator[TargetGroup]:
    """The targets in groups, each with the findings of all methods.  place: of the first image among all images.

    Raises NotApplicable where the network gives no classes, or a method moves an image from under a place.
    """
    groups: dict[Any, list[int]] = {}
    for t, target in enumerate(targets):
        unit = (target.layer, target.at) if isinstance(target, Unit) else None
        groups.setdefault(type(target) if isinstance(target, Aim | Group) else unit, []).append(t)
    for kind, places in groups.items():
        answering = model.beside(place, len(batch.x))
        together, pinned = [targets[t] for t in places], ()
        if kind is Group and not answering.no_classes:
            answering = answering.grouped([target.classes for target in together])
            together = [Class(g) for g in range(len(together))]
        elif isinstance(kind, type) and issubclass(kind, Aim):
            answering, pinned = answering.aimed(together, batch.x, view_of(batch, model, 0))
            together = [Class(k) for k in range(len(together))]
            _check_unmoved(pinned, methods)
            _check_sloped(pinned, methods)
        elif isinstance(kind, tuple):
            answering = answering.upto(*kind)
        elif answering.no_classes and not all(m.blind for m in methods):
            raise NotApplicable(answering.no_classes)
        shared = {part for m in methods for part in m.shares}
        seen = partial(view_of, batch, model)
        whole = Case(answering, batch.x, together, layers, shared, batch.network_view, view=seen)
        for case, of_case in by_default(whole, methods):
            at = {places[k]: row for row, k in enumerate(of_case)}
            yield TargetGroup(case, at, findings(methods, case), [pinned[k] for k in of_case] if pinned else ())


def _check_unmoved(pinned: Sequence[Pinned], methods: list[Recipe]) -> None:
    """Raise NotApplicable where a target is a place in the image, and a method moves the image."""
    placed = [aim.target for aim in pinned if aim.place]
    moving = [f"{method.name} {method.moves}" for method in methods if method.moves]
    if placed and moving:
        raise NotApplicable(f"{moving[0]}, and {placed[0]} stays at its place. smooth(...) leaves it where it is.")


def _check_sloped(pinned: Sequence[Pinned], methods: list[Recipe]) -> None:
    """Raise NotApplicable where a method reads gradients of a number that has none."""
    flat = [aim for aim in pinned if aim.why_no_gradient]
    reading = [method.name for method in methods if not GRADIENTS.isdisjoint(READINGS[method.reads].needs)]
    if flat and reading:
        raise NotApplicable(f"{reading[0]} reads gradients, and for {flat[0].target} {flat[0].why_no_gradient}.")


def findings(methods: list[Recipe], case: Case) -> list[Finding]:
    """What each method gives for the case, up to the first that fails; the one before it then has the failure.

    Raises BadNetwork where the first of them fails.
    """
    done: list[Finding] = []
    early = in_parts(methods, case)
    for i, method in enumerate(methods):
        try:
            done.append(finding(method, early[i] if i in early else method.outcome(case)))
        except BadNetwork as error:
            if not done:
                raise
            done[-1] = done[-1]._replace(outcome=done[-1].outcome._replace(failure=error))
        if done[-1].outcome.failure is not None or stop_asked():
            break
    case.settle()
    return done


def view_of(batch: Batch, model: Any, i: int) -> ImageView:
    """Image i of a batch, as the network sees it."""
    photo = batch.photos[i]
    size = photo.pixels.size if isinstance(photo, Photo) else None
    return ImageView(tuple(batch.x.shape[2:]), size, batch.known_box(i), model.labels)


def finding(method: Recipe, outcome: Outcome) -> Finding:
    """What one method gave for a case, and the values of its maps."""
    finite = all(np.isfinite(core).all() for core in outcome.cores.values())
    values = {layer: method.finished(core if finite else clean(core)) for layer, core in outcome.cores.items()}
    space = next(iter(values.values())).shape[2:] if values else ()
    facts = MethodFacts(method.name, method.described, method.caveat, _superpixels(method, space))
    return Finding(method, outcome, finite, values, facts)


def _superpixels(method: Recipe, space: Sequence[int]) -> dict[str, str]:
    """The version of the library that finds superpixels, where a method judges such."""
    how, skimage = method.settings.get("segments"), sys.modules.get("skimage")
    cells = not isinstance(how, str) or how.startswith("grid") or (how == "auto" and len(space) == 1)
    return {} if cells or skimage is None else {"scikit-image": skimage.__version__}


def clean(core: NDArray[Any]) -> NDArray[Any]:
    """The core with zero in place of NaN and infinity."""
    return np.nan_to_num(core, nan=0.0, posinf=0.0, neginf=0.0)


def aims(target: Any) -> bool:
    """Is each image explained alone: does the target look at its whole output, or has it a group of classes of its own?"""
    if isinstance(target, PerImage):
        return any(isinstance(part, Aim | Group) for part in target.targets)
    return isinstance(target, Aim)


def here(target: Any, place: int, n: int) -> Target:
    """The target for the n images from `place` on: of PerImage, the targets of these images."""
    if not isinstance(target, PerImage):
        return target
    if n == 1:
        return target.of(place)
    each = [target.of(place + i) for i in range(n)]
    return lambda scores: np.concatenate([of_image(scores[i : i + 1]) for i, of_image in enumerate(each)])
