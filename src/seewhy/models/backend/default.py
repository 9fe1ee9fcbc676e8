"""The layer that is explained where none is named: of all scores, and of each of several targets."""

from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import Any

from numpy.typing import NDArray

from seewhy.models.model import Layer, computes
from seewhy.targets.target import Target

from .backend import LayerSight

Default = tuple[str, Layer]


def maps_of(layers: Mapping[str, LayerSight]) -> dict[str, LayerSight]:
    """Those of the layers that compute a map of more than one cell."""
    return {name: each for name, each in layers.items() if prod(each.shape[1:]) > 1 and computes(each.kind)}


def default_among(
    maps: Mapping[str, LayerSight], layer: Callable[[LayerSight], Layer], widest: bool, whose: str = "the scores rest"
) -> Default:
    """The last of the maps, or the last of the widest, with the reason.  whose: what rests on it, in words."""
    name = [*maps][-1]
    cells = "x".join(map(str, maps[name].shape[1:]))
    why = f"the last layer that still has space ({cells} cells) and that {whose} on"
    if widest and len({each.shape for each in maps.values()}) > 1:
        name = max([*maps][::-1], key=lambda each: maps[each].shape[0])  # the last of equals
        width, *sides = maps[name].shape
        why = f"the last of the widest maps ({width} channels, {'x'.join(map(str, sides))} cells) that the score rests on"
    return name, layer(maps[name])._replace(default=True, why=why)


def defaults(model: Any, x: NDArray[Any], targets: Sequence[Target]) -> list[Default | None]:
    """For each target, the last map of an image x (1, c, *space) that a gradient of its number reaches; the usual default
    where none reaches any, or where the model gives none.

    A pass forward, and one back for each target, for each layer that is tried, the last before the others.
    """
    usual = model.default(x)
    if usual is None or "gradients" not in model.gives or model.aims:
        return [usual] * len(targets)
    maps, found = maps_of(model.surveyed(x)), dict[int, Default]()
    for name in [*maps][::-1]:
        with model.running(x):
            emitted = model.backend.traced(x, model.calls_of(name, x), None)
        calls = model.evidence(emitted, targets, None).evidence.values()
        there = [t for t in range(len(targets)) if t not in found and any(each.g[t].any() for each in calls)]
        found |= dict.fromkeys(there, default_among({name: maps[name]}, model.layer, False, "this score rests"))
        if len(found) == len(targets):
            break
    return [found.get(t, usual) for t in range(len(targets))]
