"""One batch explained by several methods: the targets are grouped by the model that answers them together."""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seewhy.errors import BadNetwork, InSpace, Misuse, NoService, NotApplicable, NotFinite, OneByOne
from seewhy.images.inputs import is_clip
from seewhy.images.photo import Photo
from seewhy.maps.heatmaps import Refused
from seewhy.maps.source import MethodFacts
from seewhy.prepare.batch import Batch
from seewhy.printable import printable
from seewhy.progress import stop_asked
from seewhy.targets.aim import Aim, ImageView, Pinned
from seewhy.targets.group import Group
from seewhy.targets.target import Class, PerImage, Target, Unit

from .apart import by_default
from .case import Case, Outcome
from .not_finite import not_finite
from .parts import in_parts
from .recipe import READINGS, Recipe

FEW = 16  # targets of a kind, one of which may be refused: of more, each alone might take long
GRADIENTS = {"layer gradient", "image", "head"}  # of what methods need, that which the way back from the score gives


class Finding(NamedTuple):
    """One method, and what it gives for one case."""

    case: Case
    method: Recipe
    outcome: Outcome
    finite: bool
    values: Mapping[str, NDArray[Any]]  # of each layer: (t, n, *space), finished, NaN and infinity as zero
    facts: MethodFacts


class Findings(NamedTuple):
    """What the methods give for one case, and those that refuse it."""

    made: list[Finding]
    refused: list[Refused]


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
    refused: Sequence[Refused] = ()  # methods that cannot explain them


def target_groups(
    model: Any, batch: Batch, place: int, targets: list[Any], layers: Any, methods: list[Recipe], refused: list[Refused]
) -> Iterator[TargetGroup]:
    """The targets in groups, each with the findings of all methods.  place: of the first image among all images.

    refused: gets the methods and targets that cannot be explained, as where the network gives no classes, or a method moves an
        image from under a place; the error of the first is raised where nothing else is asked for.
    """
    groups: dict[Any, list[int]] = {}
    for t, target in enumerate(targets):
        groups.setdefault(kind_of(target), []).append(t)
    answered = False
    for kind, places in groups.items():
        for among in _answerable(places, lambda of, kind=kind: _group(model, batch, place, kind, targets, of, layers, methods)):
            if isinstance(among, Refused):
                refused.append(among._replace(target=printable(str(targets[int(among.target)]), 200)))
                continue
            together = "" if len(among.at) == len(targets) else printable(", ".join(str(targets[t]) for t in among.at), 200)
            refused += [each._replace(target=together) for each in among.refused]
            answered = True
            yield among
    if not answered:
        raise refused[0].error


def _answerable(
    places: list[int], make: Callable[[list[int]], list[TargetGroup]], known: Misuse | InSpace | None = None
) -> Iterator[TargetGroup | Refused]:
    """The groups of the targets at these places; where they are refused, as for one of them, each target alone, or of many
    their halves, until all are refused for one reason.

    known: why these are refused together, if that was tried.
    """
    together = known or _tried(places, make)
    if isinstance(together, list):
        yield from together
        return
    half = len(places) // 2
    parts = [[t] for t in places] if len(places) <= FEW else [places[:half], places[half:]]
    apart = [(part, _tried(part, make)) for part in parts] if half else []
    alike = all(isinstance(each, Exception) and str(each) == str(together) for _, each in apart)
    if not half or (alike and len(places) > FEW):
        yield from (Refused("", str(t), together) for t in places)
        return
    for part, each in apart:
        yield from each if isinstance(each, list) else _answerable(part, make, each)


def _tried(places: list[int], make: Callable[[list[int]], list[TargetGroup]]) -> list[TargetGroup] | Misuse | InSpace:
    """The groups of the targets at these places, or why they are refused."""
    try:
        return make(places)
    except OneByOne:
        raise
    except (Misuse, InSpace) as error:
        return error


def kind_of(target: Any) -> Any:
    """What targets that one model answers together share: None of classes, (layer, at) of units, else their type."""
    if isinstance(target, Unit):
        return target.layer, target.at
    return type(target) if isinstance(target, Aim | Group) else None


class Answering(NamedTuple):
    """The model that answers for targets of one kind, and what they are to it."""

    model: Any
    targets: list[Target]  # of its scores
    pinned: Sequence[Pinned] = ()  # of aims: what each means on this image


def answering_for(model: Any, batch: Batch, place: int, kind: Any, targets: list[Any]) -> Answering:
    """What answers for targets of one kind, of which `kind_of` tells.  place: of the first image among all images."""
    answering = model.beside(place, len(batch.x))
    if kind is Group and not answering.no_classes:
        answering = answering.grouped([target.classes for target in targets])
        return Answering(answering, [Class(g) for g in range(len(targets))])
    if isinstance(kind, type) and issubclass(kind, Aim):
        answering, pinned = answering.aimed(targets, batch.x, view_of(batch, model, 0))
        return Answering(answering, [Class(k) for k in range(len(targets))], pinned)
    return Answering(answering.upto(*kind) if isinstance(kind, tuple) else answering, targets)


def _group(
    model: Any, batch: Batch, place: int, kind: Any, targets: list[Any], places: list[int], layers: Any, methods: list[Recipe]
) -> list[TargetGroup]:  # fmt: skip
    """The targets at these places, of one kind, in groups of one default layer, with the findings of all methods that can."""
    answering, together, pinned = answering_for(model, batch, place, kind, [targets[t] for t in places])
    why = "" if kind is not None and kind is not Group else answering.no_classes
    suited, refused = list[Recipe](), list[Refused]()
    for method in methods:
        if error := _refusal(method, pinned, why):
            refused.append(Refused(method.name, "", error))
        else:
            suited.append(method)
    if not suited:
        raise refused[0].error
    shared = {part for m in suited for part in m.shares}
    seen, parts = partial(view_of, batch, model), list[TargetGroup]()
    whole = Case(answering, batch.x, together, layers, shared, batch.network_view, view=seen)
    for case, of_case in by_default(whole, suited):
        made, others = findings(suited, case)
        at = {places[k]: row for row, k in enumerate(of_case)}
        parts.append(TargetGroup(case, at, made, [pinned[k] for k in of_case] if pinned else (), [*refused, *others]))
    return parts


def _refusal(method: Recipe, pinned: Sequence[Pinned], no_classes: str) -> NotApplicable | None:
    """Why a method cannot explain these targets: there are no classes, it moves the image from under a place, or it reads the
    gradient of a number that has none.
    """
    if no_classes and not method.blind:
        return NotApplicable(no_classes)
    if method.moves and (placed := [aim.target for aim in pinned if aim.place]):
        why = f"{method.name} {method.moves}, and {placed[0]} stays at its place. smooth(...) leaves it where it is."
        return NotApplicable(why)
    if not GRADIENTS.isdisjoint(READINGS[method.reads].needs) and (flat := [aim for aim in pinned if aim.why_no_gradient]):
        return NotApplicable(f"{method.name} reads gradients, and for {flat[0].target} {flat[0].why_no_gradient}.")
    return None


def findings(methods: list[Recipe], case: Case) -> Findings:
    """What each method gives for the case, and those that refuse it.  Where the network fails, the last that was made has the
    failure; one that ended early ends the list.

    Raises what the first failed with, or refused, where nothing is made: first what is wrong with the question itself.
    """
    done, refused = list[Finding](), list[Refused]()
    failure: BadNetwork | None = None
    early = in_parts(methods, case)
    for i, method in enumerate(methods):
        try:
            done.append(finding(method, early[i], case) if i in early else _found(method, case))
        except BadNetwork as error:
            failure = failure or (not_finite(case.model, case.x, error) if isinstance(error, NotFinite) else error)
            if isinstance(error, NoService):
                break
            continue
        except OneByOne:
            raise
        except Misuse as error:
            refused.append(Refused(method.name, "", error))
            continue
        if done[-1].outcome.failure is not None or stop_asked():
            break
    if not done:
        errors = [each.error for each in refused]
        raise failure or next((error for error in errors if not isinstance(error, NotApplicable)), errors[0])
    if failure is not None:
        done[-1] = done[-1]._replace(outcome=done[-1].outcome._replace(failure=done[-1].outcome.failure or failure))
    for each in {id(made.case): made.case for made in done}.values():
        each.settle()
    return Findings(done, refused)


def _found(method: Recipe, case: Case) -> Finding:
    """What a method gives; where it refuses evidence that it shares with others, by evidence of its own."""
    try:
        return finding(method, method.outcome(case), case)
    except Misuse as error:
        if isinstance(error, OneByOne) or case.shared <= {*method.shares}:
            raise
    alone = case.sharing(method.shares)
    return finding(method, method.outcome(alone), alone)


def view_of(batch: Batch, model: Any, i: int) -> ImageView:
    """Image i of a batch, as the network sees it."""
    photo = batch.photos[i]
    size = photo.pixels.size if photo is not None and (isinstance(photo, Photo) or is_clip(photo.pixels)) else None
    return ImageView(tuple(batch.x.shape[2:]), size, batch.known_box(i), model.labels)


def finding(method: Recipe, outcome: Outcome, case: Case) -> Finding:
    """What one method gave for a case, and the values of its maps."""
    finite = all(np.isfinite(core).all() for core in outcome.cores.values())
    values = {layer: method.finished(core if finite else clean(core)) for layer, core in outcome.cores.items()}
    space = next(iter(values.values())).shape[2:] if values else ()
    facts = MethodFacts(method.name, method.described, method.caveat, _superpixels(method, space))
    return Finding(case, method, outcome, finite, values, facts)


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
