"""Large images by overlapping tiles: each is explained for one and the same question, and their maps are joined to one."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from math import lcm, prod
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seewhy.errors import BadParameter, NotApplicable, SeewhyError, whole_number
from seewhy.explaining.batching import Kept
from seewhy.explaining.batching import named as called
from seewhy.explaining.case import Case
from seewhy.explaining.engine import explained
from seewhy.explaining.recipe import Recipe
from seewhy.images.inputs import Images, PreparedBatch, sort_out
from seewhy.images.places import AxisCells, Extent, Spans, cells_along
from seewhy.maps.heatmap import Heatmap, Heatmaps
from seewhy.maps.source import Predicted
from seewhy.models.model import Differentiable, Layer
from seewhy.prepare.batch import Batch
from seewhy.printable import quoted
from seewhy.progress import stop_asked
from seewhy.targets.aim import Aim
from seewhy.targets.target import Class, Labels, PerImage, Unit, name_of, named, weighted

from .joining import FixedTargets, Join, Plan, Settled
from .whole import Whole
from .wholes import wholes

ROOM = 2**19  # pixels of tiles at once, unless a person said how many: eight of 256 x 256, one of 1024 x 1024

SURVEYED = {1: 2**16, 2: 256, 3: 112}  # pixels along each axis, in so many dimensions


def tiled(
    model: Any, images: PreparedBatch | list[Any], methods: list[Recipe], targets: list[Any], layers: list[str | None],
    tile: Any, overlap: Any, kept: Kept,
) -> Heatmaps:  # fmt: skip
    """What `explain(..., tile=, overlap=)` returns: one map over each whole image, per target, layer and method.

    tile: the sides of a tile in pixels of the image (or of the prepared array), one number or one per axis, (h, w).
    overlap: pixels that neighbours share at least, likewise; by default half of what the network sees of a tile.

    Each tile goes through the model's own `prepare` as an image of that size.  What "top" means, and all else that is fixed
    on the untouched image, follows from the mean of the scores over all tiles.  An image no larger than a tile is explained
    plainly.  Raises BadParameter where tiles would leave gaps, NotApplicable for targets that are pinned on one whole image.
    """
    if tile is None:
        raise BadParameter(f"overlap={quoted(overlap)} is how much tiles overlap; say how large they are, too, as in tile=512.")
    for target in targets:
        _check(target)
    for place in range(kept.count):
        whole = _opened(model, images, place, kept)
        if whole is None:
            continue
        own = model.beside(place, 1) if isinstance(model, Differentiable) else model
        asked = [target.of(place) if isinstance(target, PerImage) else target for target in targets]
        single = own is not model or any(m.asks for m in methods)  # it has inputs of its own; or a person may stop it
        question = TileQuestion(own, whole, methods, asked, layers, 1 if single else model.copies)
        try:
            kept.maps += [replace(m, place=place) for m in _explained(question, tile, overlap)]
        except (SeewhyError, MemoryError) as error:
            vars(error).pop("__notes__", None)  # which tile it was
            kept.fail(error, place, whole.name, [replace(m, place=place) for m in getattr(error, "partial", None) or ()])
        if stop_asked():
            break
    return kept.heatmaps


def _opened(model: Any, images: PreparedBatch | list[Any], place: int, kept: Kept) -> Whole | None:
    """One of the images; None of one that is left out."""
    one = PreparedBatch(images.x[place : place + 1], place) if isinstance(images, PreparedBatch) else [images[place]]
    try:
        return next(wholes(one, model, place))
    except Exception as error:  # noqa: BLE001 - whatever a decoder raises, it is of this image alone
        kept.fail(error, place, called(None if isinstance(images, PreparedBatch) else images[place], place))
        return None


def _check(target: Any) -> None:
    for one in target.targets if isinstance(target, PerImage) else [target]:
        local = isinstance(one, Aim) and one.local
        if local or (isinstance(one, Unit) and not isinstance(one.at, str)):
            raise NotApplicable(
                f"{one} is asked of one whole image, and each tile is an image of its own. Ask for a class, or explain a crop "
                "without tile=."
            )


class TileQuestion(NamedTuple):
    """What is asked of one image."""

    model: Any
    whole: Whole
    methods: list[Recipe]
    targets: list[Any]
    layers: list[str | None]
    size: int  # tiles at once, at most

    def explain(self, images: Images, targets: list[Any]) -> Heatmaps:
        given = sort_out(images, self.model.signals)
        kept = Kept("raise", len(given.x) if isinstance(given, PreparedBatch) else len(given))
        return explained(self.model, given, self.methods, targets, self.layers, kept)


def _explained(question: TileQuestion, tile: Any, overlap: Any) -> list[Heatmap]:
    start, whole = perf_counter(), question.whole
    sides = tuple(map(min, _numbers("tile", tile, len(whole.space), 1), whole.space))
    if sides == whole.space:
        return [*question.explain(whole.together([whole.part((0,) * len(sides), sides)]), question.targets)]
    plan = _plan(question, sides, overlap)
    asked = _pinned(question, plan)
    joined: list[Join] = []
    try:
        for places in plan.chunks("tiles"):
            found = question.explain(plan.parts(places), [*asked.targets])
            for i, place in enumerate(places):
                own = [m for m in found if m.place == i]
                joined = joined or [Join(m, plan) for m in own]
                if len(own) == len(joined):  # else a person stopped it before all methods were through
                    for join, m in zip(joined, own, strict=True):
                        join.add(place, m)
            del found
    except SeewhyError as error:
        error.partial = Heatmaps(tuple(_finished(joined, asked, start))) if joined and joined[0].done else None
        raise
    return _finished(joined, asked, start)


def _numbers(what: str, asked: Any, d: int, least: int) -> tuple[int, ...]:
    """One for each axis."""
    each = list(asked) if isinstance(asked, list | tuple) else [asked] * d
    if len(each) != d:
        raise BadParameter(f"{what}={quoted(asked)}: give one number of pixels, or one for each of the {d} axes of the image.")
    return tuple(whole_number(one, f"{what}={quoted(asked)}: a side", least, 10**9) for one in each)


def _plan(question: TileQuestion, sides: tuple[int, ...], overlap: Any) -> Plan:
    """Tiles at whole cells of the layers' grids, as far as there are such steps; the last ends where the image ends."""
    space, cut = question.whole.space, _cut(question, sides)
    least = None if overlap is None else _numbers("overlap", overlap, len(sides), 0)
    if (fitting := cut.fitting(space)) != sides:
        with suppress(SeewhyError):  # of a network that takes images of one size
            again = _cut(question, fitting)
            question.model.answer(again.x)
            cut = again if (again.unscaled, again.period) == (cut.unscaled, cut.period) else cut
    starts = []
    for axis, (side, (low, high)) in enumerate(zip(cut.sides, cut.seen, strict=True)):
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
    few = question.size if question.model.asked_batch else min(question.size, max(1, ROOM // prod(cut.x.shape[2:])))
    return Plan(question.whole, cut.sides, cut.seen, tuple(starts), few)


class Cut(NamedTuple):
    """A tile, and how the network takes it."""

    sides: tuple[int, ...]
    seen: Spans  # what the network sees of it
    x: Any  # (1, c, *space): as the network gets it
    scale: tuple[float, ...]  # pixels of the tile per pixel that the network got
    period: tuple[int, ...]  # pixels of what the network got, after which its layers' cells lie alike
    rows: list[tuple[float, ...]]  # how far the cells of the maps lie apart, in pixels of the tile

    @property
    def unscaled(self) -> tuple[bool, ...]:
        return tuple(scale == 1 for scale in self.scale)

    @property
    def pitches(self) -> list[tuple[float, ...]]:
        """What steps from tile to tile had best be multiples of."""
        return [*self.rows, tuple(p * s for p, s in zip(self.period, self.scale, strict=True))]

    def fitting(self, space: Sequence[int]) -> tuple[int, ...]:
        """Sides smaller by less than a period, so that cells of the last tile, which ends with the image, lie as others'."""
        each = zip(self.sides, space, self.period, self.unscaled, strict=True)
        return tuple(s - (s - whole) % p if plain and s < whole else s for s, whole, p, plain in each)


def _cut(question: TileQuestion, sides: tuple[int, ...]) -> Cut:
    whole = question.whole
    batch = next(iter(question.model.batches(whole.together([whole.part((0,) * len(sides), sides)]))))
    seen: Spans = [(0.0, float(side)) for side in sides] if not whole.photo else _spans(batch.boxes[0])  # type: ignore[arg-type]
    got = tuple(batch.x.shape[2:])
    scale = tuple((high - low) / side for (low, high), side in zip(seen, got, strict=True))
    grids = _grids(question, batch, seen)
    return Cut(
        sides, seen, batch.x, scale, _period(question.model, batch.x), [tuple(axis.stride for axis in grid) for grid in grids]
    )


def _period(model: Any, x: Any) -> tuple[int, ...]:
    """How far an image moves, per axis, until its layers' cells lie on it as before: of a ResNet 32 pixels.

    A layer of three cells or fewer, as what is pooled over all or a part of the image, is none to wait for.
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
    """A network's layers, looked at in a corner of an image, whose sides come first: less memory than the image would take."""
    corner = x[(..., *[slice(SURVEYED.get(x.ndim - 2))] * (x.ndim - 2))]
    for part in [corner, x][corner.shape == x.shape :] if isinstance(model, Differentiable) else []:
        with suppress(SeewhyError):  # of networks of one size; where no layer can be told of, steps are free
            return part.shape[2:], model.layers(part)
    return x.shape[2:], {}


def _spans(box: Extent) -> Spans:
    return [(box.top, box.bottom), (box.left, box.right)]


def _grids(question: TileQuestion, batch: Batch, seen: Spans) -> list[tuple[AxisCells, ...]]:
    """Where the cells of the maps will lie in a tile, of all layers that are looked at."""
    space, found = tuple(batch.x.shape[2:]), []
    if isinstance(question.model, Differentiable) and any(m.layered for m in question.methods):
        case = Case(question.model, batch.x[:1], [], question.layers, ())
        for layer, a in case.activations.items():
            grid = tuple(a.shape[2:])
            found.append(cells_along(grid, case.cells(layer, grid), seen))
    if not all(m.layered for m in question.methods) or not found:
        found.append(cells_along(space, None, seen))
    return found


def _whole_cells(step: int, pitches: list[float]) -> int:
    """The largest step from a half of this one to this one that is the nearest to a whole number of cells of all grids."""
    steps = np.arange(step, step // 2, -1)
    off = sum(abs(steps / pitch - np.round(steps / pitch)) for pitch in pitches)
    return int(steps[np.argmin(np.round(off, 6))])


def _pinned(question: TileQuestion, plan: Plan) -> FixedTargets:
    """The targets fixed by the mean of the scores over all tiles."""
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
    return FixedTargets([_settled(target, scores, model.labels, count) for target in question.targets], predicted)


def _settled(target: Any, scores: NDArray[Any], labels: Labels, count: int) -> "Settled | Unit | Aim":
    """The target as it follows from the mean of the scores (k,) over so many tiles; a unit, a text rest on no scores."""
    if isinstance(target, Unit | Aim):
        return target
    note = "" if isinstance(target, Class) else f"chosen by the mean of the scores over {count} tiles"
    return Settled(target, weighted([target], scores[None])[0, 0], named(target, labels), note)


def _finished(joined: list[Join], asked: FixedTargets, start: float) -> list[Heatmap]:
    return [join.finished(asked, perf_counter() - start) for join in joined]
