"""Maps of concepts on photos, each where it lies."""

from collections.abc import Mapping
from dataclasses import asdict
from time import perf_counter
from typing import Any

import numpy as np

from seewhy.arrays import numbers
from seewhy.errors import BadParameter, NotApplicable
from seewhy.explaining.case import Case
from seewhy.explaining.image_facts import image_facts
from seewhy.images.places import Extent, Grid
from seewhy.inside.photo_batches import BrokenPhoto, PhotoBatch, photo_set
from seewhy.maps.heatmap import Heatmap
from seewhy.maps.heatmaps import Failed, Heatmaps
from seewhy.maps.record import recorded
from seewhy.maps.source import MapFacts, MethodFacts, ModelFacts, Predicted, Source, TargetFacts, source_from
from seewhy.maps.turning import turned_back
from seewhy.models.model import Differentiable
from seewhy.progress import shown, stop_asked
from seewhy.targets.target import Top

from .factors import concepts_in
from .findings import ConceptFindings

CAVEAT = "a concept says what varies together in a layer, not what a person would call it; another seed or count gives others"


def concept_maps(found: ConceptFindings, model: Differentiable, photos: Any) -> Heatmaps:
    """The maps of all concepts on photos: for each photo one for each concept, in this order; broken photos are `failed`."""
    checked_model(found, model)
    given = photo_set(model, photos)
    maps, failed, place = list[Heatmap](), list[Failed](), 0
    size = lambda each: 1 if isinstance(each, BrokenPhoto) else len(each.numbers)  # noqa: E731
    for each in shown(given.batches(model), given.count or 0, "concepts", size=size):
        if isinstance(each, BrokenPhoto):
            failed.append(Failed(each.number, each.name, each.error))
        else:
            some, odd = _of_batch(found, model.beside(place, len(each.numbers)), each)
            maps += some
            failed += odd
        place += size(each)
        if stop_asked():
            break
    return Heatmaps(tuple(maps), tuple(failed))


def checked_model(found: ConceptFindings, model: Any) -> None:
    """Raise BadParameter where the concepts are those of other weights."""
    now = model.weights_sha256()
    if found.model.weights_sha256 and now and now != found.model.weights_sha256:
        raise BadParameter(
            f"These concepts are those of {found.model.name} with other weights, and mean nothing in {model.name} as it is: "
            "load that model, or find concepts anew."
        )


def stored_map(found: ConceptFindings, photo: int, k: int) -> Heatmap:
    """The map of a concept on one of the photos that they were found in, over what the network saw of it."""
    known = found.photos[photo]
    this = MapFacts(known.name, found.layer, 0.0, "receptive-field" if known.cells else "plain")
    source = _source(found, found.model, k, known.predicted, this)
    if known.view is not None:
        under, box = known.view.picture, Extent(0, 0, *known.view.size)
    else:
        h, w = known.space if len(known.space) == 2 else (0, 0)
        under, box = None, Extent(0, 0, w, h) if len(known.space) == 2 else Grid.whole(known.space)
    return recorded(Heatmap(known.maps[k], under, box, source, known.number, cells=known.cells))


def _of_batch(found: ConceptFindings, model: Differentiable, each: PhotoBatch) -> tuple[list[Heatmap], list[Failed]]:
    """The maps of a batch, and those photos of which the layer makes no numbers."""
    start, batch = perf_counter(), each.batch
    answer = model.answer(batch.x)
    emitted, notes = model.activations(batch.x, [found.layer])
    a = numbers(emitted[found.layer])
    if a.shape[1] != found.bank.shape[1]:
        raise NotApplicable(f"{found.layer} emits {a.shape[1]} channels here, and the concepts are of {found.bank.shape[1]}.")
    cells = Case(model, batch.x, [Top()], [found.layer], shared=()).cells(found.layer, a.shape[2:])
    facts, seconds = ModelFacts.of(model), (perf_counter() - start) / len(a)
    maps, failed = list[Heatmap](), list[Failed]()
    for i, number in enumerate(each.numbers):
        if not np.isfinite(a[i]).all():
            failed.append(Failed(*BrokenPhoto.odd(number, batch.names[i], found.layer)))
            continue
        amounts = concepts_in(a[i], found.bank).astype(np.float32)
        predicted = None if answer.probabilities is None else Predicted.of(answer.probabilities[i], model.labels)
        photo = batch.photos[i]
        this = MapFacts(
            image=batch.names[i],
            layer=found.layer,
            seconds=seconds,
            geometry="receptive-field" if cells else "plain",
            warnings=batch.notes[i] + notes.get(found.layer, ()),
            read=image_facts(batch, i, model.prepare),
            together=len(a),
        )
        for k in range(len(found)):
            source = _source(found, facts, k, predicted, this)
            under = photo.pixels if photo else None
            maps.append(recorded(turned_back(Heatmap(amounts[k], under, batch.boxes[i], source, number, cells=cells))))
    return maps, failed


def _source(found: ConceptFindings, facts: ModelFacts, k: int, predicted: Predicted | None, this: MapFacts) -> Source:
    params: Mapping[str, Any] = {"concept": k + 1, **asdict(found.settings)}
    return source_from(
        model=facts,
        method=MethodFacts(f"concept {k + 1}", params, CAVEAT),
        target=TargetFacts(f"concept {k + 1}", "activation"),
        predicted=predicted,
        this=this,
    )
