"""The default layer of each of several targets on one image: the last that a gradient of that very number reaches."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import one_hot
from torch.overrides import TorchFunctionMode

from seewhy.arrays import Array
from seewhy.errors import OneByOne
from seewhy.models.model import Layer
from seewhy.models.torch.passes.outputs import tensors_in
from seewhy.models.torch.places.default import SCORE
from seewhy.models.torch.places.survey import Survey
from seewhy.targets.target import Target, weighted

from .runner import Runner
from .undisturbed import again

MOST = 8  # scores of a number that are followed back, those of the largest weights


def check_alike(known: Survey, n: int, name: str) -> None:
    """Raise OneByOne where this is the survey of one of n images, and of another other layers may run."""
    if known.routed and n > 1:
        raise OneByOne(f"{name} looks at the numbers of an image, and then chooses which layers run: ask image by image.")


@again
def defaults(runner: Runner, x: Array, targets: Sequence[Target]) -> list[tuple[str, Layer] | None]:
    """For each target, the layer of an image x (1, c, *space) that is explained where none is named: the last that a gradient
    reaches from each of the scores which the target is made of; the usual default, where none reaches any.

    One pass forward with the graph of the whole network, and back from each of these scores.
    """
    with runner.ready(x[:1]) as ready:
        known = runner.survey(ready)
        if known.cut:
            return [known.default] * len(targets)
        parts: list[list[int]] = []
        places: list[int] = []

        def starts(raw: Tensor) -> list[Tensor]:
            parts.extend(_parts(runner, raw.detach(), targets))
            places.extend(dict.fromkeys(place for each in parts for place in each))
            return [one_hot(torch.tensor([place]), raw.shape[1]).to(raw) for place in places]

        reached = known.reached(runner.network, ready.detach(), runner.raw, starts)
        by_place = {place: flags for place, flags in zip(places, reached, strict=True) if any(flags.values())}
        return [_default(known, [by_place[place] for place in each if place in by_place]) for each in parts]


def _default(known: Survey, reached: Sequence[dict[str, bool]]) -> tuple[str, Layer] | None:
    connected = {name: all(flags[name] for flags in reached) for name in known.calls}
    return known.default_of(connected, SCORE) if reached and any(connected.values()) else known.default


def _parts(runner: Runner, raw: Tensor, targets: Sequence[Target]) -> list[list[int]]:
    """For each target, the places of the raw scores (1, k) that it is made of."""
    rows = weighted(targets, runner.answer(raw, runner.scores(raw)).scores)[:, 0]
    if runner.groups:
        return [[c for g in np.flatnonzero(row) for c in runner.groups[g]][:MOST] for row in rows]
    return [[int(c) for c in np.argsort(-abs(row), kind="stable")[:MOST] if row[c]] for row in rows]


class ReadParts(TorchFunctionMode):
    """While this mode is active, notes which of some tensors are read."""

    def __init__(self, tensors: Sequence[Tensor]) -> None:
        super().__init__()
        self.places = {id(tensor): place for place, tensor in enumerate(tensors)}
        self.read: set[int] = set()

    def __torch_function__(self, fn: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = fn(*args, **(kwargs or {}))
        if isinstance(out, Tensor | tuple | list) and not isinstance(out, torch.Size):
            given = tensors_in([args, (kwargs or {}).values()])
            self.read |= {self.places[id(tensor)] for tensor in given if id(tensor) in self.places}
        return out


def parts_read(output: Any, read: Callable[[Any], Any]) -> frozenset[int]:
    """Which tensors of what a network gave are read by that function, by their places."""
    tensors = [*tensors_in([output])]
    with ReadParts(tensors) as parts:
        read(output)
    return frozenset(parts.read)
