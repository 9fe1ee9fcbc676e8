"""Large images in overlapping tiles: each tile is explained in the same way, and the maps of all tiles are joined to one."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from math import lcm
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seewhy.errors import BadParameter, NotApplicable, SeewhyError, whole_number
from seewhy.explaining.batching import Collector, name_at
from seewhy.explaining.case import Case
from seewhy.explaining.engine import explained
from seewhy.explaining.recipe import Recipe, marks_place
from seewhy.images.inputs import Images, PreparedBatch, sort_out
from seewhy.images.places import AxisCells, Spans, Turned, cells_along
from seewhy.maps.heatmap import Heatmap
from seewhy.maps.heatmaps import Heatmaps, Refused
from seewhy.maps.source import Predicted
from seewhy.models.model import Layer
from seewhy.prepare.batch import Batch
from seewhy.prepare.callable_fit import DRAWS
from seewhy.printable import quoted
from seewhy.progress import stop_asked
from seewhy.targets.aim import Aim
from seewhy.targets.group import Group
from seewhy.targets.target import Class, Labels, PerImage, Unit, name_of, named, weighted

from .joining import FixedTarget, FixedTargets, Join, Plan
from .large_image import LargeImage
from .opening import large_images

SURVEYED = {1: 2**16, 2: 256, 3: 112}  # pixels along each axis of the corner that is surveyed, by the number of axes


def tiled(
    model: Any, images: PreparedBatch | list[Any], methods: list[Recipe], targets: list[Any], layers: list[str | None],
    tile: Any, overlap: Any, collector: Collector,
) -> Heatmaps:  # fmt: skip
    """What `explain(..., tile=, overlap=)` returns: one map over each whole image, per target, layer and method.

    tile: the sides of a tile in pixels of the image (or of the prepared array), one number or one per axis, (h, w).
    overlap: pixels that neighbours share at least, likewise; by default half of what the network sees of a tile.

    Each tile goes through the model's own `prepare` as an image of that size.  Which class is "top", and all else that depends
    on the scores of the image, follows from the mean of the scores over all tiles.  An image no larger than a tile is explained
    as without tiles.  Raises BadParameter where tiles would leave gaps, NotApplicable for targets that are pinned on one whole
    image.
    """
    if tile is None:
        raise BadParameter(f"overlap={quoted(overlap)} is how much tiles overlap; say how large they are, too, as in tile=512.")
    for target in targets:
        _check(target)
    for method in methods:
        marks = next((key for key in ("within", "segments") if marks_place(method.settings.get(key))), "")
        if marks:
            cut = " Or let each tile be cut: segments='grid:8'." * (marks == "segments")
            raise NotApplicable(f"{method.name}: {marks}= marks one whole image. Explain a crop of it without tile=.{cut}")
    for place in range(collector.count):
        whole = _opened(model, images, place, collector)
        if whole is None:
            continue
        beside = model.beside(place, 1)
        of_image = [target.of(place) if isinstance(target, PerImage) else target for target in targets]
        single = beside is not model or any(m.asks for m in methods)  # other inputs of its own, or stoppable
        own = [method.of_image(place) for method in methods]
        question = TileQuestion(beside, whole, own, of_image, layers, single, collector.refuse)
        try:
            collector.maps += [replace(m, place=place) for m in _explained(question, tile, overlap)]
        except (SeewhyError, MemoryError) as error:
            vars(error).pop("__notes__", None)  # these name the tile, not the image
            collector.fail(error, place, whole.name, [replace(m, place=place) for m in getattr(error, "partial", None) or ()])
        if stop_asked():
            break
    return collector.heatmaps


def _opened(model: Any, images: PreparedBatch | list[Any], place: int, collector: Collector) -> LargeImage | None:
    """The image at that place in the list, ready to be cut; None if it cannot be read and is left out."""
    single = PreparedBatch(images.x[place : place + 1], place) if isinstance(images, PreparedBatch) else [images[place]]
    try:
        return next(large_images(single, model, place))
    except Exception as error:  # noqa: BLE001 - whatever a decoder raises, it is of this image alone
        collector.fail(error, place, name_at(None if isinstance(images, PreparedBatch) else images[place], place))
        return None


def _check(target: Any) -> None:
    """Raise NotApplicable for a target that is pinned on one whole image, such as a box or a unit at one cell."""
    for each in target.targets if isinstance(target, PerImage) else [target]:
        local = isinstance(each, Aim) and each.local
        if local or (isinstance(each, Unit) and not isinstance(each.at, str)):
            raise NotApplicable(
                f"{each} is asked of one whole image, and each tile is an image of its own. Ask for a class, or explain a crop "
                "without tile=."
            )


class TileQuestion(NamedTuple):
    """What is to be explained: one image, by these methods, for these targets and layers, whole or tile by tile."""

    model: Any
    whole: LargeImage
    methods: list[Recipe]
    targets: list[Any]
    layers: list[str | None]
    single: bool  # its tiles are explained one by one
    refuse: Callable[[Iterable[Refused]], None]  # told of the methods and targets of which there are no maps

    def explain(self, images: Images, targets: list[Any]) -> Heatmaps:
        given = sort_out(images, self.model.takes_signals)
        collector = Collector("raise", len(given.x) if isinstance(given, PreparedBatch) else len(given))
        maps = explained(self.model, given, self.methods, targets, self.layers, collector)
        self.refuse(collector.refused.values())
        return maps


def _explained(question: TileQuestion, tile: Any, overlap: Any) -> list[Heatmap]:
    start, whole = perf_counter(), question.whole
    sides = tuple(map(min, _numbers("tile", tile, len(whole.space), 1), whole.space))
    if sides == whole.space:
        maps = question.explain(whole.uncut(), question.targets)
        return [replace(m, source=replace(m.source, image=whole.name)) for m in maps]
    asked = {name: value for name, value in (("tile", tile), ("overlap", overlap)) if value is not None}
    plan = _plan(question, sides, overlap, asked)
    fixed = _fixed(question, plan)
    joined: list[Join] = []
    try:
        for places in plan.chunks("tiles"):
            maps = question.explain(plan.parts(places), [*fixed.targets])
            for i, place in enumerate(places):
                of_tile = [m for m in maps if m.place == i]
                joined = joined or [Join(m, plan) for m in of_tile]
                if len(of_tile) == len(joined):  # else the work was stopped before all methods were done
                    for join, m in zip(joined, of_tile, strict=True):
                        join.add(place, m)
            del maps
    except SeewhyError as error:
        error.partial = Heatmaps(tuple(_finished(joined, fixed, start))) if joined and joined[0].done else None
        raise
    return _finished(joined, fixed, start)


def _numbers(what: str, given: Any, d: int, least: int) -> tuple[int, ...]:
    """Pixels along each of d axes, from one number or one per axis.  Raises BadParameter where these are no whole numbers."""
    each = list(given) if isinstance(given, list | tuple) else [given] * d
    if len(each) != d:
        raise BadParameter(f"{what}={quoted(given)}: give one number of pixels, or one for each of the {d} axes of the image.")
    return tuple(whole_number(side, f"{what}={quoted(given)}: a side", least, 10**9) for side in each)


def _plan(question: TileQuestion, sides: tuple[int, ...], overlap: Any, asked: Mapping[str, Any]) -> Plan:
    """How the image is cut.  Raises BadParameter where tiles would leave gaps.

    Where possible, the step from tile to tile is a whole number of cells of the layers' grids; the last tile ends where the
    image ends.
    """
    space, cut = question.whole.space, _cut(question, sides)
    least = None if overlap is None else _numbers("overlap", overlap, len(sides), 0)
    if (fitting := cut.fitting(space)) != sides:
        with suppress(SeewhyError):  # of a network that takes images of one size
            again = _cut(question, fitting)
            question.model.answer(again.x)
            cut = again if (again.unscaled, again.period) == (cut.unscaled, cut.period) else cut
    starts = []
    for axis, (side, (low, high)) in enumerate(zip(cut.sides, cut.view, strict=True)):
        step = int(high - low) // 2 if least is None else side - least[axis]
        if side < space[axis] and not 1 <= step <= high - low:
            room = f"from {int(np.ceil(side - (high - low)))} to {side - 1} pixels"
            said = f"overlap={overlap!r}" if least else f"tile={side}"
            raise BadParameter(
                f"{said}: of a tile of {side} pixels the network sees {high - low:.4g}; tiles that leave no gap overlap by "
                f"{room}."
            )
        last = space[axis] - side
        step = _whole_cells(step, [pitches[axis] for pitches in cut.pitches]) if last else side
        starts.append([*range(0, last, step), last])
    few = 1 if question.single else question.model.at_once(cut.x.shape[2:], whole=True)
    return Plan(question.whole, cut.sides, cut.view, tuple(starts), few, asked, tuple(cut.x.shape[2:]), 1 / min(cut.scale))


class Cut(NamedTuple):
    """A tile with these sides, and how the network receives it."""

    sides: tuple[int, ...]
    view: Spans  # the part of the tile that the network sees
    x: Any  # (1, c, *space): the tile as the network receives it
    scale: tuple[float, ...]  # pixels of the tile per pixel of the network's input
    period: tuple[int, ...]  # by how many pixels of its input the layers' cells repeat
    rows: list[tuple[float, ...]]  # for each map, the distance between its cells in pixels of the tile

    @property
    def unscaled(self) -> tuple[bool, ...]:
        return tuple(scale == 1 for scale in self.scale)

    @property
    def pitches(self) -> list[tuple[float, ...]]:
        """Lengths in pixels along each axis, of which the step from tile to tile should be a multiple."""
        return [*self.rows, tuple(p * s for p, s in zip(self.period, self.scale, strict=True))]

    def fitting(self, space: Sequence[int]) -> tuple[int, ...]:
        """The sides made smaller by less than a period, so that the last tile, which ends with the image, has its cells on the
        same grid as the others.
        """
        each = zip(self.sides, space, self.period, self.unscaled, strict=True)
        return tuple(s - (s - whole) % p if plain and s < whole else s for s, whole, p, plain in each)


def _cut(question: TileQuestion, sides: tuple[int, ...]) -> Cut:
    whole = question.whole
    batch = next(iter(question.model.batches(whole.together([whole.part((0,) * len(sides), sides)]))))
    view: Spans = [(0.0, float(side)) for side in sides] if not whole.is_photo else _spans(batch)
    got = tuple(batch.x.shape[2:])
    scale = tuple((high - low) / side for (low, high), side in zip(view, got, strict=True))
    grids = _grids(question, batch, view)
    return Cut(
        sides, view, batch.x, scale, _period(question.model, batch.x), [tuple(axis.stride for axis in grid) for grid in grids]
    )


def _period(model: Any, x: Any) -> tuple[int, ...]:
    """By how many pixels an image is to be moved, along each axis, until the cells of all layers lie on it as before.

    These are 32 for a ResNet.  Layers with three cells or fewer, as after pooling over the image, are left out.
    """
    space, layers = _surveyed(model, x)
    places = [layer.cells for layer in layers.values() if layer.cells and layer.connected]
    periods = []
    for axis, side in enumerate(space):
        period = 1
        for stride in sorted({place.stride[axis] for place in places}):
            common = lcm(period, int(stride)) if stride == int(stride) else side
            period = common if 0 < 3 * common < side else period
        periods.append(period)
    return tuple(periods)


def _surveyed(model: Any, x: Any) -> tuple[Sequence[int], Mapping[str, Layer]]:
    """The sides of a corner of the image, and the network's layers for that corner, which takes less memory than the image."""
    corner = x[(..., *[slice(SURVEYED.get(x.ndim - 2))] * (x.ndim - 2))]
    for part in [corner, x][corner.shape == x.shape :] if "layers" in model.gives else []:
        with suppress(SeewhyError):  # a network may take one size alone; without layers, any step will do
            return part.shape[2:], model.layers(part)
    return x.shape[2:], {}


def _spans(batch: Batch) -> Spans:
    """What the network sees of a tile; NotApplicable where it sees no two tiles alike."""
    box = batch.boxes[0]
    if DRAWS in batch.notes[0]:
        raise NotApplicable("`prepare` draws random numbers, for each tile others; tiles cannot be joined. Leave chance out.")
    if isinstance(box, Turned):
        raise NotApplicable("`prepare` turns the photo; tiles of it cannot be joined. Leave the turning out.")
    return [(box.top, box.bottom), (box.left, box.right)]


def _grids(question: TileQuestion, batch: Batch, view: Spans) -> list[tuple[AxisCells, ...]]:
    """Where the cells of the maps will lie in a tile: for each layer that is explained, the cells along each axis."""
    space, grids = tuple(batch.x.shape[2:]), []
    if {"gradients", "layers"} & question.model.gives and any(m.layered for m in question.methods):
        case = Case(question.model, batch.x[:1], [], question.layers, ())
        for layer, a in case.activations.items():
            grid = tuple(a.shape[2:])
            grids.append(cells_along(grid, case.cells(layer, grid), view))
    if not all(m.layered for m in question.methods) or not grids:
        grids.append(cells_along(space, None, view))
    return grids


def _whole_cells(step: int, pitches: list[float]) -> int:
    """The step that is nearest to whole numbers of cells of all grids, among steps from this one down to half of it; if several
    are equally near, the longest.
    """
    steps = np.arange(step, step // 2, -1)
    off = sum(abs(steps / pitch - np.round(steps / pitch)) for pitch in pitches)
    return int(steps[np.argmin(np.round(off, 6))])


def _fixed(question: TileQuestion, plan: Plan) -> FixedTargets:
    """The targets, fixed by the mean of the scores over all tiles."""
    model = question.model
    if all(isinstance(target, Unit | Aim) for target in question.targets) or all(m.blind for m in question.methods):
        return FixedTargets(question.targets)
    scores, chances, count = np.zeros(0), np.zeros(0), 0
    for places in plan.chunks("looking at tiles"):
        for batch in model.batches(plan.parts(places)):
            answer = model.answer(batch.x)
            scores = answer.scores.sum(0, dtype=np.float64) + (scores if count else 0)
            if answer.probabilities is not None:
                chances = answer.probabilities.sum(0, dtype=np.float64) + (chances if count else 0)
            count += len(batch.x)
    scores, chances, top = scores / count, chances / count, int(scores.argmax())
    predicted = Predicted(top, name_of(model.labels, top), float(chances[top])) if len(chances) else None
    return FixedTargets([_fixed_target(target, scores, model.labels, count) for target in question.targets], predicted)


def _fixed_target(target: Any, scores: NDArray[Any], labels: Labels, count: int) -> FixedTarget | Unit | Aim | Group:
    """The target fixed by the mean of the scores (k,) over `count` tiles; units, texts and groups are no weights of scores, and
    stay.
    """
    if isinstance(target, Unit | Aim | Group):
        return target
    note = "" if isinstance(target, Class) else f"chosen by the mean of the scores over {count} tiles"
    return FixedTarget(target, weighted([target], scores[None])[0, 0], named(target, labels), note)


def _finished(joined: list[Join], fixed: FixedTargets, start: float) -> list[Heatmap]:
    return [join.finished(fixed, perf_counter() - start) for join in joined]
