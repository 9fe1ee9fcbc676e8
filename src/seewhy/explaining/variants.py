"""One method on variants of a case's images, such as noisy or shifted ones; several variants share a pass."""

from collections.abc import Iterable, Iterator
from itertools import groupby, islice
from typing import Any

import numpy as np

from seewhy.errors import BadNetwork

from .case import Case, Outcome
from .parts import outcomes
from .recipe import Recipe


class Apart(Exception):
    """The network mixes the images of a batch."""


def variants(case: Case, method: Recipe, images: Iterable[Any]) -> Iterator[Outcome]:
    """The outcome of the method for each variant of the case's images, in order; its cores are finished maps, or of a pixel
    method its channels.  The targets stay as the untouched images fixed them.

    images: variants (n, c, *space) of the case's images, made as they are needed.  Several share a pass of at most
        `model.at_once` images, fewer where memory runs out, and one where the network takes no more.
    Raises what the method fails with.
    """
    for shape, alike in groupby(images, lambda x: x.shape):
        while group := [*islice(alike, _room(case, shape))]:
            yield from _together(case, method, group)


def _room(case: Case, shape: tuple[int, ...]) -> int:
    """How many variants of that shape (n, c, *space) share a pass."""
    return max(1, case.model.at_once(shape[2:], whole=True) // len(case.x))


def _together(case: Case, method: Recipe, group: list[Any]) -> Iterator[Outcome]:
    weights = case.pinned[1]
    pinned = [lambda _, w=w: np.concatenate([w] * len(group)) for w in weights]
    among = Case(
        case.model,
        np.concatenate(group),
        pinned,
        case.named if method.layered else case.requested,
        method.shares,
        rule=case.rule,
        view=lambda i: case.view(i % len(case.x)),
    )
    try:
        (outcome,) = outcomes([method], among)
        if outcome.failure is not None:
            raise outcome.failure
        if len(group) > 1 and case.model.mixed(among.x, copies=True):
            raise Apart
        cores = outcome.cores if method.pixels else {layer: method.finished(core) for layer, core in outcome.cores.items()}
    except MemoryError:
        if len(group) == 1:
            raise
        half = len(group) // 2
        yield from _together(case, method, group[:half])
        yield from _together(case, method, group[half:])
        return
    except (Apart, BadNetwork) as error:
        if len(group) == 1:
            raise
        for image in group:  # they are mixed, or taken one at a time, as by a network of a bag of instances
            yield from _together(case, method, [image])
        if isinstance(error, BadNetwork) and len(case.x) == 1:  # each alone went well
            case.model.takes_one()
        return
    odd = {layer: (*among.notes(layer), *outcome.notes_at.get(layer, ())) for layer in cores}
    for k in range(len(group)):
        first = k * len(case.x)
        of_variant = {layer: core[:, first : first + len(case.x)] for layer, core in cores.items()}
        measured = {name: each[:, first : first + len(case.x)] for name, each in outcome.measured.items()}
        yield Outcome(
            of_variant, lambda t, i, first=first: outcome.notes(t, first + i), measured, notes_at=odd, names=outcome.names
        )
