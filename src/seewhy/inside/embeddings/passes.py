"""Photo by photo what a network says of it, and the vector of what a layer emits for it."""

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seewhy.arrays import numbers
from seewhy.errors import BadParameter, InSpace, NeedsGradients, NotApplicable, NotFinite, OutOfMemory
from seewhy.explaining.engine import explain_batch
from seewhy.inside.photo_batches import BrokenPhoto, PhotoBatch, PhotoSet
from seewhy.maps.source import ModelFacts
from seewhy.memory import short
from seewhy.methods.making.method import Method, lookup
from seewhy.models.model import Differentiable, require
from seewhy.prepare.batch import Batch
from seewhy.printable import words_of
from seewhy.targets.target import Top

from .looking import Looking
from .pooling import check_pooling, looked_at, pooled

EMPTY = "its map has no positive evidence that could weigh the features"
ODD = "its features are no numbers (NaN or infinity)"


@dataclass(frozen=True)
class FeatureReading:
    """Which vector is read of a photo.

    layer: None for the model's default; pooling: "mean", "max" or "flat"; method: weighs the mean by its map, if there is one.
    """

    layer: str | None = None
    pooling: str = "mean"
    method: Method[Any] | None = None

    @classmethod
    def checked(cls, layer: Any, pooling: Any, weighted_by: Any) -> "FeatureReading":
        """Raises Misuse for what cannot be asked."""
        if layer is not None and not isinstance(layer, str):
            raise BadParameter("layer: features are read at one layer, by its name.")
        method = None if weighted_by is None else lookup(weighted_by)
        if method is not None and check_pooling(pooling) != "mean":
            raise BadParameter(f"A map weighs the mean over space: leave pooling={pooling!r} or weighted_by= out.")
        return cls(layer, check_pooling(pooling), method)


class PhotoVector(NamedTuple):
    """What was read of a photo.

    number: its place among all; name: of its file or image.
    vector: float32 (d,), read at `layer`; None where there is none, and why.
    scores, probabilities: (k,), where the network gives any.
    """

    number: int
    name: str
    vector: NDArray[np.float32] | None = None
    layer: str = ""
    scores: NDArray[Any] | None = None
    probabilities: NDArray[Any] | None = None
    why: str = ""


def photo_vectors(model: Differentiable, photos: PhotoSet, reading: FeatureReading) -> Generator[PhotoVector, None, None]:
    """The vectors of the photos, in their order; of a broken file there is none.

    Raises NeedsGradients for a model whose layers cannot be read, NoSuchName for an unknown layer, NotApplicable where the
    method cannot be asked of the model.
    """
    require(model, "layers", "embed reads the inside of a network", "There are no features to be read.")
    flat = model.with_flat_layers()
    with model.unchanged():
        facts = ModelFacts.of(model)
        whole = reading.method.whole if reading.method else reading.layer is not None  # which may lie far from the end
        for each in photos.batches(model, whole):
            if isinstance(each, BrokenPhoto):
                yield PhotoVector(each.number, each.name, why=words_of(each.error))
            elif reading.method is not None:
                yield from _weighted(model, each, reading.layer, reading.method, facts, photos.listing is None)
            else:
                yield from _plain(model, flat, each, reading)


def _plain(model: Differentiable, flat: Any, some: PhotoBatch, reading: FeatureReading) -> Iterator[PhotoVector]:
    """The vectors of one batch; where memory runs out, of its halves."""
    batch, count = some.batch, len(some.numbers)
    try:
        layer, a, scores, chances = _pass(model, flat, batch.x, reading.layer)
    except MemoryError as error:
        if count == 1:
            what = f"with one image of {tuple(batch.x.shape[1:])}, embedded by {model.name}"
            raise (error if isinstance(error, OutOfMemory) else short("embed", what, error)) from None
        half = count // 2
        for start, stop in ((0, half), (half, count)):
            yield from _plain(model, flat, PhotoBatch(batch.part(start, stop), some.numbers[start:stop]), reading)
        return
    for i, number in enumerate(some.numbers):
        said = (None if scores is None else scores[i], None if chances is None else chances[i])
        yield _finite(PhotoVector(number, batch.names[i], _floats(pooled(a[i], reading.pooling)), layer, *said))


class _Passed(NamedTuple):
    layer: str
    a: NDArray[Any]  # (n, c, *space), or (n, c)
    scores: NDArray[Any] | None
    probabilities: NDArray[Any] | None


def _pass(model: Differentiable, flat: Any, x: Any, layer: str | None) -> _Passed:
    """One pass where a trace gives both the answer and the activation, else one for each."""
    layer = _default(model, x) if layer is None else layer
    if "gradients" in model.gives and not model.no_classes:
        try:
            trace = flat.trace(x, [Top()], [layer])
        except (NeedsGradients, NotApplicable, InSpace, NotFinite):
            pass
        else:
            name, evidence = [*trace.evidence.items()][-1]  # of several calls the last
            return _Passed(name, numbers(evidence.a), trace.answer.scores, trace.answer.probabilities)
    try:
        answer = None if model.no_classes else model.answer(x)
    except InSpace:  # boxes, or a map of each class: nothing is said of the whole image
        answer = None
    name, a = [*flat.activations(x, [layer])[0].items()][-1]
    return _Passed(name, numbers(a), *(answer[:2] if answer else (None, None)))


def _default(model: Differentiable, x: Any) -> str:
    usual = model.default(x)
    if usual is None:
        raise BadParameter(
            f"{model.name} has no layer that still has space; name one: layer=...",
            typed=f"{model.name} has no layer that still has space; name one: --layer NAME (seewhy layers lists them).",
        )
    return usual[0]


def _weighted(
    model: Differentiable, some: PhotoBatch, layer: str | None, method: Method[Any], facts: ModelFacts, in_memory: bool
) -> Iterator[PhotoVector]:
    """The vectors of one batch, weighted by the maps of what each photo is taken for."""
    batch: Batch = some.batch
    first = some.numbers[0] if in_memory else 0  # of side inputs, which images in memory may have, each its own
    found = Looking(len(batch.x), facts)
    explain_batch(model, batch, first, [method], [Top()], [layer], found)
    for refused in found.refused.values():
        raise refused.error
    failed, maps = {each.place: each.error for each in found.failed}, {heatmap.place: heatmap for heatmap in found.maps}
    at = layer or _default(model, batch.x)
    for i, number in enumerate(some.numbers):
        if first + i in failed:
            yield PhotoVector(number, batch.names[i], why=words_of(failed[first + i]))
            continue
        answer, heatmap = found.answers[first + i], maps[first + i]
        said = (at, answer.scores, answer.probabilities)
        if answer.a is None:
            raise NotApplicable(f"{model.name} has no layer with space, so a map has nothing to weigh: leave weighted_by= out.")
        vector = looked_at(answer.a, heatmap.values)
        if vector is None:
            yield PhotoVector(number, batch.names[i], None, *said, EMPTY)
        else:
            yield _finite(PhotoVector(number, batch.names[i], _floats(vector), *said))


def _floats(vector: NDArray[Any]) -> NDArray[np.float32]:
    """As float32, copied, so that no activation of a whole batch stays in memory."""
    return np.array(vector, np.float32)


def _finite(found: PhotoVector) -> PhotoVector:
    good = found.vector is not None and bool(np.isfinite(found.vector).all())
    return found if good else found._replace(vector=None, why=ODD)
