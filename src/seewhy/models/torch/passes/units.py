"""Units: what single channels of a layer find, as scores."""

from collections.abc import Callable
from contextlib import nullcontext, suppress
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from seewhy.errors import BadParameter, NotApplicable
from seewhy.models.torch.scores import plain

from .outputs import emitted
from .taps import Stop, Tap, hooked


class Reached(Stop):
    """The layer that ends the network has run."""


class End(NamedTuple):
    """Where a network stops, and what of the activation there is a score."""

    layer: str
    at: Any  # "max", "sum" or a cell: (y, x), of a signal (t,), of a volume (z, y, x)
    whole: Any  # the runner of the whole network


def unit_scores(run: Callable[[], Any], network: nn.Module, x: Tensor, end: End, calls: int) -> Tensor:
    """Run the network on images x (n, c, *space) up to the layer that ends it: the value (n, c) of each of its channels.

    calls: how often the layer runs, so that its last call is read where its name does not say which.
    """
    tap = Tap(end.layer, network)
    last = tap.call or calls
    emissions: list[Tensor] = []

    def hook(_module: nn.Module, args: Any, output: Any) -> None:
        tap.calls += 1
        if tap.calls == last:
            emissions.append(emitted(output, end.layer, args)[0])
            raise Reached

    follow = end.whole.following([end.layer], x)
    with follow or nullcontext(), suppress(Reached), hooked([(tap.module, hook)]):
        run()
    tap.activation = emissions[0] if emissions else None
    if follow is not None and tap.activation is not None:
        tap.moment = follow.moment(tap.activation)
        end.whole.learn_places(follow, {end.layer: tap}, x)
    return _scored(plain(tap.check()), x, end)


def _scored(a: Tensor, x: Tensor, end: End) -> Tensor:
    layout = end.whole.located(end.layer, a, x).layout
    if layout is None and a.ndim == 2 and len(a) == len(x) and isinstance(end.at, str):
        return a
    if layout is None:
        raise NotApplicable(f"Layer {end.layer} emits {tuple(a.shape)} for {len(x)} images: its units have no place in them.")
    cells = layout.turn(a)  # (n, c, *space)
    if end.at == "sum":
        return cells.flatten(2).sum(2)
    if end.at == "max":
        flat = cells.flatten(2)
        return flat.gather(2, flat.argmax(2, keepdim=True))[..., 0]  # one place, also where two are equal
    try:
        cell = tuple(int(i) for i in end.at)
        picked = cells[(slice(None), slice(None), *cell)]
    except (TypeError, ValueError, IndexError):
        picked = torch.empty(0)
    if picked.ndim != 2:
        raise BadParameter(f'at={end.at!r}: "max", "sum", or a cell of {end.layer}, whose grid is {layout.space}.')
    return picked
