"""Targets that rest on layers of their own, each explained at the layer that its own number rests on."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seewhy.arrays import filled
from seewhy.errors import OneByOne, SeewhyError

from .case import Case
from .parts import TOGETHER
from .recipe import Recipe


def by_default(case: Case, methods: Sequence[Recipe]) -> Sequence[tuple[Case, Sequence[int]]]:
    """The case, with the places of all its targets; or, where no layer was named and its targets rest on layers of their own, a
    case for those of each default layer.

    Costs no pass of a network whose scores all rest on the same layers, but those that the methods make anyway.
    Raises OneByOne where images of the case have other default layers than others.
    """
    whole = [(case, range(len(case.targets)))]
    read = any(method.layered for method in methods) and "layers" in case.model.gives
    if None not in case.requested or not read or not case.targets:
        return whole
    try:
        found = _defaults(case)
    except OneByOne:
        raise
    except SeewhyError:  # the method that meets it first says so
        return whole
    names = dict.fromkeys(name for name, _ in found)
    if [*names] == ([case.usual[0]] if case.usual else []):
        return whole
    case.settle()
    parts = []
    for name in names:
        places = [t for t, (of_target, _) in enumerate(found) if of_target == name]
        parts.append((case.of_targets(places, found[places[0]]), places))
    return parts


def _defaults(case: Case) -> list[Any]:
    """The default layer of each target, and what is known of it, for all images of the case."""
    count, n = len(case.targets), len(case.x)
    traced = "gradients" in case.shared and count <= TOGETHER
    reached = _reached(case) if traced else np.ones((count, n), bool)
    usual, apart = case.usual, case.model.apart(case.x)
    if usual is None:
        return []
    asked = ~reached | apart
    if traced and apart and not case.model.groups:  # one score that rests on the last layer that any score rests on is done
        asked &= ~reached | ((case.pinned[1] != 0).sum(2) > 1)
    found = [usual] * count
    for i in np.flatnonzero(asked.any(0)):
        places = np.flatnonzero(asked[:, i])
        weights = case.pinned[1][places, i, None]
        model = case.model.beside(int(i), 1) if n > 1 else case.model
        of_image = model.defaults(case.x[i : i + 1], [lambda _, w=w: w for w in weights])
        if n > 1 and any(default is not None and default[0] != usual[0] for default in of_image):
            raise OneByOne("The scores of some images rest on other layers than those of others: ask image by image.")
        for t, default in zip(places, of_image, strict=True):
            found[t] = default or usual
    return found


def _reached(case: Case) -> NDArray[np.bool_]:
    """Does a gradient of target t in image i come to the usual default layer?  (t, n)"""
    evidence = {name: each for name, each in case.trace.evidence.items() if name.partition("#")[0] == case.default_layer}
    return np.logical_or.reduce([filled(each.g, 2) for each in evidence.values()])
