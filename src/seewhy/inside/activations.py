"""What layers emit for an image, channel by channel."""

from collections.abc import Iterator, Sequence
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seewhy.arguments import known_names
from seewhy.arrays import numbers
from seewhy.errors import BadNetwork, BadParameter, NoSuchName
from seewhy.explaining.image_facts import image_facts
from seewhy.images.inputs import Images
from seewhy.images.places import Cells
from seewhy.maps.source import MapFacts, MethodFacts, ModelFacts, TargetFacts, source_from
from seewhy.models.model import INPUT, Differentiable, require
from seewhy.prepare.batch import Batch
from seewhy.printable import quoted
from seewhy.targets.group import Group
from seewhy.targets.target import Target, Top

from .layer_activations import CAVEAT, EmittedChannel, LayerActivations
from .units import contributions, ranking_target

ORDERS = ("peak", "contribution")  # of channels


@known_names()
def activations(
    model: Differentiable, images: Images, layer: str | Sequence[str] | None = None, count: int | None = 23, by: str = "peak",
    target: int | str | Target = Top(), channels: Sequence[int] | None = None,
) -> list[LayerActivations]:  # fmt: skip
    """What layers emit for each image: the numbers of all channels, and signed maps of the strongest of them on one sheet.

    model, images: as for a method.  layer: a name or a list of names, of any kind of layer; None for the one that methods look
    at.  count: how many channels are shown, None for all.  by: which come first: "peak", by the activation farthest from zero,
    or "contribution", by what the channel adds to the score of `target` (the sum over space of activation times gradient, as
    `top_units` has it); of equals the one with the lower number.  channels: show these instead, in this order.
    Returns a LayerActivations for each image and layer, in this order; of a layer that runs several times one for each call.
    Raises NoSuchName for a layer or order that there is not, BadNetwork where the layer emits NaN or infinity, NotApplicable
    where contributions are asked for and no score rests on the layer.
    """
    require(model, "layers", "activations reads the inside of a network", "Only the scores of it can be read.")
    if by not in ORDERS:
        raise NoSuchName("by", by, [], f"There are: {', '.join(ORDERS)}.")
    if count is not None and (isinstance(count, bool) or not isinstance(count, int) or count < 1):
        raise BadParameter(f"activations: count={quoted(count)} is a whole number from 1 on, or None for all channels.")
    if not isinstance(layer, str | None) and (not layer or not all(isinstance(name, str) for name in layer)):
        raise BadParameter(f"activations: layer={quoted(layer)} is a name, a list of names, or None.")
    score = ranking_target(target, model.labels, "activations") if by == "contribution" and channels is None else None
    found: list[LayerActivations] = []
    place = 0
    for batch in model.batches(images):
        answering = model.beside(place, len(batch.x))
        found += _of_batch(answering, batch, place, layer, _Choice(count, score, channels))
        place += len(batch.x)
    return found


class _Choice:
    """Which channels of a layer are shown."""

    def __init__(self, count: int | None, score: Target | Group | None, channels: Sequence[int] | None) -> None:
        self.count, self.score, self.channels = count, score, channels
        self.by = "given" if channels is not None else "peak" if score is None else "contribution"

    def rows(self, model: Differentiable, batch: Batch, layer: str, a: NDArray[Any]) -> Iterator[tuple[EmittedChannel, ...]]:
        """The channels to be shown of each image, of what the layer emitted (n, c, cells)."""
        low, high = a.min(2), a.max(2)
        shares = None if self.score is None else contributions(model, batch.x, layer, self.score, "activations").sums
        if shares is not None and shares.shape != low.shape:
            raise BadParameter(f"activations: of {layer} name one call, as in {layer}#1, to rank its channels by contribution.")
        for i in range(len(a)):
            strength = np.maximum(high[i], -low[i]) if shares is None else shares[i]
            order = self._given(layer, a.shape[1]) if self.channels is not None else np.argsort(-strength, kind="stable")
            yield tuple(
                EmittedChannel(
                    int(c), float(low[i, c]), float(high[i, c]), None if shares is None else float(shares[i, c])
                )
                for c in (order if self.channels is not None else order[: self.count])
            )  # fmt: skip

    def _given(self, layer: str, every: int) -> list[int]:
        given = [*(self.channels or ())]
        odd = [c for c in given if isinstance(c, bool) or not isinstance(c, int | np.integer) or not 0 <= c < every]
        if odd or not given:
            said = f"there is no channel {quoted(odd[0])}" if odd else "the list is empty"
            raise BadParameter(f"activations: channels={quoted(given)}: {said}; {layer} has channels 0 to {every - 1}.")
        return given


def _of_batch(model: Differentiable, batch: Batch, place: int, layer: Any, choice: _Choice) -> list[LayerActivations]:
    start = perf_counter()
    names = _names(model, batch, layer)
    emitted, notes = model.with_flat_layers().activations(batch.x, names)
    seconds = (perf_counter() - start) / len(batch.x)
    facts, layers = ModelFacts.of(model), list[list[LayerActivations]]()
    for name, values in emitted.items():
        a = numbers(values)
        if not np.isfinite(a).all():
            first = model.first_bad(batch.x)
            where = f"; NaN or infinity first arises at layer {first}" if first else ""
            raise BadNetwork(
                f"What {name} of {model.name} emits is not finite for {_bad_names(batch, a)}{where}. Look at the weights, "
                "and at the precision: in half precision large numbers overflow."
            )
        rows = choice.rows(model, batch, name, a.reshape(*a.shape[:2], -1))
        cells = _cells(model, name, batch.x, a.shape[2:])
        layers.append(
            [
                LayerActivations(
                    values=a[i],
                    channels=shown,
                    by=choice.by,
                    source=_source(facts, model, batch, i, name, choice, shown, notes.get(name, ()), seconds, cells),
                    image=photo.pixels if (photo := batch.photos[i]) else None,
                    box=batch.boxes[i],
                    cells=cells,
                    place=place + i,
                )
                for i, shown in enumerate(rows)
            ]
        )
    return [each for of_image in zip(*layers, strict=True) for each in of_image]


def _names(model: Differentiable, batch: Batch, layer: Any) -> list[str]:
    if layer is not None:
        return [*dict.fromkeys([layer] if isinstance(layer, str) else layer)]
    default = model.default(batch.x)
    if default is None:
        raise BadParameter(f"{model.name} has no layer that still has space; name one: layer=...  `seewhy layers` lists them.")
    return [default[0]]


def _bad_names(batch: Batch, a: NDArray[Any]) -> str:
    return ", ".join(batch.names[i] for i in range(len(a)) if not np.isfinite(a[i]).all())


def _cells(model: Differentiable, layer: str, x: Any, grid: Sequence[int]) -> Cells | None:
    known = model.cells(layer, x) if layer != INPUT else None
    if known is None or known[0] != tuple(grid):
        return None
    return Cells.of(known[1], x.shape[2:], model.gaze(layer, x))


def _source(
    facts: ModelFacts, model: Differentiable, batch: Batch, i: int, layer: str, choice: _Choice,
    shown: Sequence[EmittedChannel], notes: tuple[str, ...], seconds: float, cells: Cells | None,
) -> Any:  # fmt: skip
    asked = "" if choice.score is None else str(choice.score)
    return source_from(
        model=facts,
        method=MethodFacts("activations", {"by": choice.by, "channels": tuple(each.channel for each in shown)}, CAVEAT),
        target=TargetFacts(asked or "no class", model.explains),
        predicted=None,
        this=MapFacts(
            image=batch.names[i],
            layer=layer,
            seconds=seconds,
            geometry="receptive-field" if cells else "plain",
            warnings=batch.notes[i] + notes,
            read=image_facts(batch, i, model.prepare),
            together=len(batch.x),
        ),
    )
