"""A method's maps at several layers as one."""

from collections.abc import Callable
from typing import Any

import numpy as np

from seewhy.arguments import known_names
from seewhy.arrays import Floats
from seewhy.errors import BadParameter
from seewhy.explaining.case import Case, Outcome
from seewhy.images.resample import brought
from seewhy.methods.making.composing import composed, fitting, of_any
from seewhy.methods.making.conditions import Conditions, MethodSettings
from seewhy.methods.making.method import Method, lookup, maker
from seewhy.methods.making.parameters import P

__all__ = ["refine"]

APART = "the maps of the layers have no place in common: their product is zero everywhere"


@maker
@known_names()
def refine(method: Method[Callable[P, Any]]) -> Method[Callable[P, Any]]:
    """The product of the method's maps at the layers that are asked for, each divided by its largest value and drawn out to the
    finest: layer=["layer2", "layer3", "layer4"].  Domeniconi et al. 2026, RefineCAM (there of Grad-CAM++).

    Of each map its positive part counts.
    """
    base = lookup(method)
    if base.pixels or not base.layered:
        raise BadParameter(
            f"refine multiplies the maps of several layers, and {base.name} reads {base.reads}, not a layer. "
            "It takes grad-cam-pp, layer-cam and the like."
        )

    def run(case: Case, **params: Any) -> Outcome:
        inner = fitting(base, params)
        outcome = inner.outcome(case)
        if outcome.failure is not None:
            raise outcome.failure
        if len(outcome.cores) < 2:
            raise BadParameter(
                f"refine({base.name}) multiplies the maps of several layers, and this is one, {next(iter(outcome.cores))}: "
                'name two or more, from a fine one to a late one: layer=["layer2", "layer3", "layer4"].'
            )
        d = case.x.ndim - 2
        even = {layer: _stretched(np.maximum(inner.finished(core), 0)) for layer, core in outcome.cores.items()}
        finest = max(even, key=lambda layer: int(np.prod(even[layer].shape[-d:])))
        space, onto = even[finest].shape[-d:], case.cells(finest, even[finest].shape[-d:])
        joined = np.ones(even[finest].shape)
        for layer, maps in even.items():
            joined = joined * brought(maps, case.cells(layer, maps.shape[-d:]), space, onto)
        odd = tuple(dict.fromkeys(note for layer in even for note in (*case.notes(layer), *outcome.notes_at.get(layer, ()))))

        def notes(t: int, i: int) -> tuple[str, ...]:
            empty = not joined[t, i].any() and all(maps[t, i].any() for maps in even.values())
            return (*outcome.notes(t, i), *((APART,) if empty else ()))

        measured = {name: each for name, each in outcome.measured.items() if not base.asks}
        return Outcome({finest: joined}, notes, measured, notes_at={finest: odd}, names={finest: " + ".join(even)})

    def forwards(settings: MethodSettings, conditions: Conditions) -> int | None:
        return None if base.asks else fitting(base, settings).forwards(conditions)

    own = {name: parameter for name, parameter in base.parameters.items() if name != "signed"}
    said = f"product over layers of {base.name}, each map divided by its largest value and drawn out to the finest"
    source = "Domeniconi et al. 2026, How to Evaluate and Refine your CAM (RefineCAM)."
    return Method(
        f"refine({base.name})", run, own, base.reads, False,
        composed(said, source, base, caveat="what one layer misses, the product misses."),
        {name: value for name, value in base.params.items() if name != "signed"}, shares=base.shares,
        passes=f"for all layers: {base.wording}" if base.asks else base.passes, needs=base.needs, counted=forwards,
        obstacle=of_any([base]), averages=base.averages, moves=base.moves,
    )  # fmt: skip


def _stretched(maps: Floats) -> Floats:
    """Maps (t, n, *space) of no negative value, each divided by its largest; one that is zero stays so."""
    largest = maps.max(tuple(range(2, maps.ndim)), keepdims=True)
    return maps / np.where(largest > 0, largest, 1)
