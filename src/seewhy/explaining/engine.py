"""From images, targets and methods to heatmaps: every explanation is made here."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seewhy.errors import BadNetwork, OneByOne, OutOfMemory, SeewhyError
from seewhy.images.inputs import PreparedBatch
from seewhy.images.places import Cells
from seewhy.maps.heatmap import Heatmap
from seewhy.maps.heatmaps import Heatmaps, Refused
from seewhy.maps.record import recorded
from seewhy.maps.source import MapFacts, Predicted, Source, TargetFacts, source_from
from seewhy.maps.turning import turned_back
from seewhy.memory import short
from seewhy.models.model import INPUT
from seewhy.prepare.batch import Batch
from seewhy.printable import printable
from seewhy.targets.aim import Pinned
from seewhy.targets.group import Group
from seewhy.targets.parse import short_text
from seewhy.targets.target import PerImage, Unit, name_of, named

from .batching import Collector, batched, of_an_image
from .blank import zero_because
from .case import Answered, Case
from .findings import Finding, TargetGroup, aims, clean, here, target_groups
from .image_facts import image_facts
from .recipe import Recipe


def explained(
    model: Any,
    images: PreparedBatch | list[Any],
    chosen: Sequence[Recipe],
    targets: list[Any],
    layers: list[str | None],
    collector: Collector,
) -> Heatmaps:
    """The heatmaps of all images, in the order image, target, layer, method; the collector gets them as they are made."""
    for place, batch in batched(model, images, any(m.whole for m in chosen), collector):
        explain_batch(model, batch, place, chosen, targets, layers, collector)
    return collector.heatmaps


def explain_batch(
    model: Any, batch: Batch, place: int, chosen: Sequence[Recipe], targets: list[Any], layers: list[str | None],
    collector: Collector,
) -> None:  # fmt: skip
    """Make the heatmaps of one batch, as `explained` does of each, and add them to the collector.

    place: of its first image among all images.
    """
    if not (any(m.asks or m.varies for m in chosen) or any(map(aims, targets))):
        return _explain_batch(model, batch, place, chosen, targets, layers, collector)
    for i in range(len(batch.x)):
        _explain_batch(model, batch.part(i, i + 1), place + i, chosen, targets, layers, collector)


def _explain_batch(model: Any, batch: Batch, place: int, methods: Any, targets: Any, layers: Any, collector: Collector) -> None:
    """Make the heatmaps of one batch and add them to the collector.

    Where memory runs out, or where an image that cannot be explained is to be left out, its two halves are explained in place
    of the batch, down to single images; and each image by itself, where they rest on different layers.
    """
    half, maps, failure = len(batch.x) // 2, list[Heatmap](), None
    try:
        with model.unchanged():
            maps, failure, refused, groups = _maps_of(model, batch, place, methods, targets, layers, collector)
            if half and failure is None and model.mixed(batch.x):
                return _each(model, batch, place, methods, targets, layers, collector)
            if failure is None:
                collector.saw(place, batch, groups)
        collector.refuse(refused)
    except OneByOne:
        return _each(model, batch, place, methods, targets, layers, collector)
    except MemoryError as error:
        failure = error
        if not half:
            names = ", ".join(method.name for method in methods)
            what = f"with one image of {tuple(batch.x.shape[1:])}, asked for {names} of {model.name}"
            failure = error if isinstance(error, OutOfMemory) else short("map", what, error)
    except SeewhyError as error:
        failure = error
    if failure is None:
        collector.maps += maps
    elif half and isinstance(failure, BadNetwork) and of_an_image(failure) and _takes_one(model, batch, place):
        _each(model, batch, place, methods, targets, layers, collector)
    elif half and of_an_image(failure) and not collector.skips and not isinstance(failure, MemoryError):
        _raise_with_culprit(failure, model, batch, place, methods, targets, layers, collector)
    elif half and (isinstance(failure, MemoryError) or of_an_image(failure)):
        for start, stop in ((0, half), (half, len(batch.x))):
            _explain_batch(model, batch.part(start, stop), place + start, methods, targets, layers, collector)
    elif half:
        collector.end(failure, maps)
    else:
        collector.fail(failure, place, batch.names[0], maps)


def _each(model: Any, batch: Batch, place: int, methods: Any, targets: Any, layers: Any, collector: Collector) -> None:
    """Explain each image of the batch alone."""
    for i in range(len(batch.x)):
        _explain_batch(model, batch.part(i, i + 1), place + i, methods, targets, layers, collector)


def _takes_one(model: Any, batch: Batch, place: int) -> bool:
    """Does the network fail on these images together, but on none of them alone?  It is remembered."""
    n = len(batch.x)
    try:
        for i in range(n):
            model.beside(place + i, 1).whole(batch.x[i : i + 1])
    except (SeewhyError, MemoryError):
        return False
    try:
        model.beside(place, n).whole(batch.x)
    except (SeewhyError, MemoryError) as error:
        if isinstance(error, BadNetwork):
            model.takes_one()
        return isinstance(error, BadNetwork)
    return False


def _raise_with_culprit(
    failure: Any, model: Any, batch: Batch, place: int, methods: Any, targets: Any, layers: Any, collector: Collector
) -> None:
    """Raise the error of the batch; where it is due to a single image, with its name and the maps of the images before it.

    That image is looked for by explaining the two halves of the batch, and halves of these.
    """
    half, before = len(batch.x) // 2, Collector("raise", collector.count)
    try:
        for start, stop in ((0, half), (half, len(batch.x))):
            _explain_batch(model, batch.part(start, stop), place + start, methods, targets, layers, before)
    except SeewhyError as error:
        if of_an_image(error):
            collector.maps += before.maps
            for note in getattr(error, "__notes__", ()):
                failure.add_note(note)
    collector.end(failure)


class BatchMaps(NamedTuple):
    """The heatmaps of one batch."""

    maps: list[Heatmap]
    failure: Exception | None = None  # the error that ended a method early, whose maps are made from what it had by then
    refused: Sequence[Refused] = ()  # methods and targets that cannot be asked of the model
    groups: Sequence[TargetGroup] = ()  # what the passes left, as long as it lives


def _maps_of(
    model: Any, batch: Batch, place: int, methods: Any, targets: Any, layers: Any, collector: Collector
) -> BatchMaps:  # fmt: skip
    """The heatmaps of all images of a batch, in the order image, target, layer, method."""
    start = perf_counter()
    n, labels = len(batch.x), model.labels
    methods = [method.of_image(place) for method in methods]  # where they differ, n is 1
    refused: list[Refused] = []
    groups = [*target_groups(model, batch, place, [here(target, place, n) for target in targets], layers, methods, refused)]
    facts, seconds = collector.facts_of(model), (perf_counter() - start) / n
    maps = []
    for i in range(n):
        read = image_facts(batch, i, model.prepare)
        bad = {id(group): _bad_layer(group, i) for group in groups}
        for t, target in enumerate(targets):
            group = next((group for group in groups if t in group.at), None)
            if group is None:  # it was refused
                continue
            k = group.at[t]
            if collector.distinct and _asked_before(group, k, i):
                continue
            of_image = target.of(place + i) if isinstance(target, PerImage) else target
            aim = group.pinned[k] if group.pinned else None
            for layer, finding in _by_layer(group.findings):
                case, answered = finding.case, finding.case.answered
                predicted = _predicted(answered, i, labels)
                explained = _explained(case, answered, k, i, of_image, aim, labels)
                cells = None if finding.method.pixels else case.cells(layer, finding.values[layer].shape[2:])
                said = answered[0].notes if answered else ()
                measured = _measured(finding, layer, k, i)
                doubts = _of_aim(aim, finding.method) + _doubts(case, finding, layer, k, i, said, bad[id(group)], measured)
                source = source_from(
                    model=facts,
                    method=finding.facts,
                    target=explained.without_class if finding.method.blind else explained,
                    predicted=predicted,
                    this=MapFacts(
                        image=batch.names[i],
                        layer=finding.outcome.names.get(layer, layer),
                        seconds=seconds,
                        geometry="receptive-field" if cells else "plain",
                        layer_why=case.why(layer),
                        warnings=tuple(map(printable, batch.notes[i] + doubts)),
                        measured=measured,
                        read=read,
                        together=n,
                    ),
                )
                heatmap = _heatmap(finding, cells, layer, k, i, batch, source, place + i)
                maps.append(recorded(heatmap) if collector.recording else heatmap)
    failures = [f.outcome.failure for group in groups for f in group.findings if f.outcome.failure is not None]
    missing = [each.error for each in refused if of_an_image(each.error)]
    others = [each for each in refused if not of_an_image(each.error)]
    return BatchMaps(maps, next(iter([*failures, *missing]), None), others, groups)


def _asked_before(group: TargetGroup, k: int, i: int) -> bool:
    """Is target k of the group in image i the same as one before it, by the weights that it gives to scores?"""
    answered = group.case.answered
    return answered is not None and any(np.array_equal(answered[1][k, i], row) for row in answered[1][:k, i])


def _of_aim(aim: Pinned | None, method: Recipe) -> tuple[str, ...]:
    """The notes of an aim, such as a box, and a warning if the method averages over the whole map."""
    if aim is None or not aim.place or not method.averages:
        return aim.notes if aim else ()
    return (*aim.notes, f"{method.name} {method.averages}")


def _heatmap(
    finding: Finding, cells: Cells | None, layer: str, k: int, i: int, batch: Batch, source: Source, place: int
) -> Heatmap:
    outcome, photo = finding.outcome, batch.photos[i]
    core, error = outcome.cores[layer][k, i], outcome.errors.get(layer)
    by_channel = outcome.channels.get(layer)
    heatmap = Heatmap(
        _float32(finding.values[layer][k, i]),
        photo.pixels if photo else None,
        batch.boxes[i],
        source,
        place,
        _channels(core if finding.method.pixels else None if by_channel is None else by_channel[k, i]),
        None if error is None else np.array(error[k, i], np.float32),
        outcome.regions(k, i),
        cells,
    )
    return turned_back(heatmap)


def _channels(each: NDArray[Any] | None) -> NDArray[np.float32] | None:
    return None if each is None else _float32(each if np.isfinite(each).all() else clean(each))


def _by_layer(findings: list[Finding]) -> list[tuple[str, Finding]]:
    layers = dict.fromkeys(layer for finding in findings for layer in finding.values)
    return [(layer, finding) for layer in sorted(layers, key=INPUT.__eq__) for finding in findings if layer in finding.values]


MOST = float(np.finfo(np.float32).max)


def _float32(values: NDArray[Any]) -> NDArray[np.float32]:
    """As float32, copied, so that a heatmap does not keep the arrays of its whole batch in memory."""
    return np.array(values) if values.dtype == np.float32 else np.clip(values, -MOST, MOST).astype(np.float32)


def _predicted(answered: Answered | None, i: int, labels: Sequence[str] | None) -> Predicted | None:
    """The class that the network predicts for image i; None if it did not run to its end or gives no probabilities."""
    if answered is None or answered[0].probabilities is None:
        return None
    return Predicted.of(answered[0].probabilities[i], labels)


def _explained(
    case: Case, answered: Answered | None, t: int, i: int, target: Any, aim: Pinned | None, labels: Sequence[str] | None
) -> TargetFacts:
    """The facts on the target: its score, and its class and probability if it is a single class."""
    text = short_text(aim.target if aim else str(target), labels)
    facts = TargetFacts(text, case.model.explains, aim.place if aim else "")
    if answered is not None:
        answer, weights = answered
        row = weights[t, i]
        classes = row.nonzero()[0]
        single = len(classes) == 1 and row[classes[0]] == 1 and not isinstance(target, Unit | Group)
        index = int(classes[0]) if single else None
        facts = replace(
            facts,
            index=index,
            label=name_of(labels, index) if index is not None else named(target, labels),
            score=float(answer.scores[i] @ row),
            probability=None if index is None or answer.probabilities is None else float(answer.probabilities[i, index]),
        )
        if isinstance(target, Group):
            chance = target.chance(None if answer.probabilities is None else answer.probabilities[i])
            facts = replace(facts, probability=chance, label=target.words, classes=target.classes)
    return facts if aim is None else replace(facts, **aim.facts)


def _bad_layer(group: TargetGroup, i: int) -> str | None:
    """The layer where NaN or infinity first arises for image i, in words; None if all its maps are finite."""
    case, findings = group.case, group.findings
    if all(f.finite or np.isfinite(core[:, i]).all() for f in findings for core in f.outcome.cores.values()):
        return None
    first = case.model.beside(i, 1).first_bad(case.x[i : i + 1])
    return f"at layer {first}" if first else "in the gradient"


def _measured(finding: Finding, layer: str, t: int, i: int) -> dict[str, float]:
    """What the method measured of this map; what is NaN, as it could not be measured, is left out."""
    numbers = {name: float(each[t, i]) for name, each in finding.outcome.measurements(layer).items()}
    return {name: number for name, number in numbers.items() if not np.isnan(number)}


def _doubts(
    case: Case, finding: Finding, layer: str, t: int, i: int, said: tuple[str, ...], bad: str | None,
    measured: Mapping[str, float],
) -> tuple[str, ...]:  # fmt: skip
    """The reasons, in words, why this map is empty or may be misleading.  said: what was odd about the network's answer."""
    method, core, values = finding.method, finding.outcome.cores[layer][t, i], finding.values[layer][t, i]
    doubts = [*case.notes(layer), *finding.outcome.notes_at.get(layer, ()), *finding.outcome.notes(t, i), *said]
    doubts += [*filter(None, [method.doubted(measured) if method.doubted else ""])]
    doubts += case.model.remarks
    if method.reads == "nothing":
        doubts.append(f"a control: {method.name} does not look at what the network found")
    if bad is not None and not np.isfinite(core).all():
        doubts.append(f"NaN or infinity, first {bad}: those places are shown as zero")
    elif values.size == 1:
        doubts.append(f"{layer} emits a 1x1 map, which cannot say where; choose an earlier layer")
    elif not core.any():
        doubts.append(zero_because(case, layer, t, i))
    elif not values.any():
        doubts.append("all evidence is negative: nothing is left after ReLU (signed=True shows it)")
    elif values.max() - values.min() <= 1e-6 * max(values.max(), -values.min()):
        doubts.append("the map is the same everywhere: it says nothing about where")
    return tuple(dict.fromkeys(doubts))
