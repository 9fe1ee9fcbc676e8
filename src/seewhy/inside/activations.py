"""What layers emit for an image, channel by channel."""

from collections.abc import Iterator, Sequence
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seewhy.arguments import known_names
from seewhy.arrays import numbers
from seewhy.errors import BadNetwork, BadParameter, NoSuchName, whole_number
from seewhy.explaining.image_facts import image_facts
from seewhy.images.inputs import Images
from seewhy.images.places import Cells
from seewhy.maps.source import MapFacts, MethodFacts, ModelFacts, TargetFacts, source_from
from seewhy.models.model import INPUT, Differentiable, require
from seewhy.prepare.batch import Batch
from seewhy.targets.group import Group
from seewhy.targets.target import Target, Top

from .asked_names import layer_names, numbers_asked
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
    count, names = None if count is None else whole_number(count, "activations: count", 1), layer_names(layer)
    score = ranking_target(target, model.labels, "activations") if by == "contribution" and channels is None else None
    found: list[LayerActivations] = []
    place = 0
    for batch in model.batches(images):
        answering = model.beside(place, len(batch.x))
        found += _of_batch(answering, batch, place, names, _Choice(count, score, channels))
        place += len(batch.x)
    return found


class _Choice:
    """Which channels of a layer are shown."""

    def __init__(self, count: int | None, score: Target | Group | None, channels: Sequence[int] | None) -> None:
        self.count, self.score, self.channels = count, score, channels
        self.by = "given" if channels is not None else "peak" if score is None else "contribution"

    def rows(self, model: Differentiable, batch: Batch, layer: str, a: NDArray[Any]) -> Iterator[tuple[EmittedChannel, ...]]:
        """The channels to be shown of each image, of what the layer emitted (n, c, cells)."""
        given = None
        if self.channels is not None:
            given = numbers_asked(self.channels, a.shape[1], "activations: channels", layer, "channel")
        low, high = a.min(2), a.max(2)
        shares = None if self.score is None else contributions(model, batch.x, layer, self.score, "activations").sums
        if shares is not None and shares.shape != low.shape:
            raise BadParameter(f"activations: of {layer} name one call, as in {layer}#1, to rank its channels by contribution.")
        for i in range(len(a)):
            strength = np.maximum(high[i], -low[i]) if shares is None else shares[i]
            order = np.argsort(-strength, kind="stable") if given is None else given
            yield tuple(
                EmittedChannel(
                    int(c), float(low[i, c]), float(high[i, c]), None if shares is None else float(shares[i, c])
                )
                for c in (order[: self.count] if given is None else order)
            )  # fmt: skip


def _of_batch(
    model: Differentiable, batch: Batch, place: int, asked: list[str] | None, choice: _Choice
) -> list[LayerActivations]:
    start = perf_counter()
    names = _names(model, batch, asked)
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


def _names(model: Differentiable, batch: Batch, asked: list[str] | None) -> list[str]:
    if asked is not None:
        return asked
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
