"""What a method finds in variants of a case's images, several of which share a pass."""

from collections.abc import Iterable, Iterator
from itertools import groupby, islice
from typing import Any

import numpy as np

from .case import Case, Outcome
from .recipe import Recipe


def variants(case: Case, method: Recipe, images: Iterable[Any]) -> Iterator[Outcome]:
    """What the method finds in variants of the case's images, each (n, c, *space): finished maps, or of a pixel method
    its channels.  The question stays as the untouched images answered it.

    Several variants share a pass, `model.copies` images in all at most; fewer, where memory runs out.
    """
    room = max(1, case.model.copies // len(case.x))
    for _, alike in groupby(images, lambda x: x.shape):
        while some := [*islice(alike, room)]:
            yield from _together(case, method, some)


def _together(case: Case, method: Recipe, some: list[Any]) -> Iterator[Outcome]:
    weights = case.pinned[1]
    pinned = [lambda _, w=w: np.concatenate([w] * len(some)) for w in weights]
    among = Case(
        case.model,
        np.concatenate(some),
        pinned,
        case.named if method.layered else case.requested,
        method.shares,
        rule=case.rule,
    )
    try:
        found = method.outcome(among)
        if found.failure is not None:
            raise found.failure
        cores = found.cores if method.pixels else {layer: method.finished(core) for layer, core in found.cores.items()}
    except MemoryError:
        if len(some) == 1:
            raise
        half = len(some) // 2
        yield from _together(case, method, some[:half])
        yield from _together(case, method, some[half:])
        return
    odd = tuple(note for layer in cores for note in among.notes(layer))
    for k in range(len(some)):
        first = k * len(case.x)
        own = {layer: core[:, first : first + len(case.x)] for layer, core in cores.items()}
        measured = {name: each[:, first : first + len(case.x)] for name, each in found.measured.items()}
        yield Outcome(own, lambda t, i, first=first: odd + found.notes(t, first + i), measured)
