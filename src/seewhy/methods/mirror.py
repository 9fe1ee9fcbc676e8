"""A method averaged over views of the image: mirrored, and of other sizes."""

from collections.abc import Callable
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np

from seewhy.arguments import known_names
from seewhy.arrays import Floats
from seewhy.errors import BadParameter, NotApplicable
from seewhy.explaining.case import Case, Outcome
from seewhy.explaining.recipe import marks_place
from seewhy.explaining.variants import variants
from seewhy.images.places import Cells
from seewhy.images.resample import brought, resized
from seewhy.methods.making.composing import fitting, of_copies, repeated, unused
from seewhy.methods.making.conditions import Conditions, MethodSettings
from seewhy.methods.making.method import Method, lookup, maker
from seewhy.methods.making.parameters import Augmented, P, parameters_of
from seewhy.printable import quoted
from seewhy.progress import shown

__all__ = ["augment"]

LARGEST = 2**26  # pixels of an enlarged image, at most


@maker
@known_names()
def augment(method: Method[Callable[P, Any]]) -> Method[Augmented[P]]:
    """The method averaged over the image, its mirror image and other sizes, each map brought back before.

    Adds the parameters flips ("auto": along the last axis, but not of signals, whose time runs one way; or True, False) and
    scales ((1, 0.75, 1.5)); the map has the size of the finest.
    """
    base = lookup(method)
    unused(base, "flips", "scales")

    def run(case: Case, *, flips: Any, scales: Any, **params: Any) -> Outcome:
        inner, x = fitting(base, params), case.images
        both = x.ndim > 3 if flips == "auto" else flips
        sizes = sizes_of("augment", scales, x.shape[2:])
        if both and (marks := [key for key in ("within", "segments") if marks_place(params.get(key))]):
            raise BadParameter(
                f"augment mirrors the image, and {marks[0]}= stays at its place: leave that out, or flips=False."
            )
        ways = [(size, flip) for size in sizes for flip in ((False, True) if both else (False,))]
        ready = (_flipped(resized(x, size) if size != x.shape[2:] else x, flip) for size, flip in ways)
        case.pinned  # noqa: B018 - an error at the images' own size is not due to other sizes
        try:
            outcomes = [*shown(variants(case, inner, ready), len(ways), f"augment({base.name})")]
        except RuntimeError as error:
            if len(sizes) == 1:
                raise
            raise NotApplicable(f"augment: {error} Does the network take other sizes? Without them: scales=(1,).") from error
        joined = {
            layer: _mean_of_ways(case, layer, ways, [view.cores[layer] for view in outcomes], base.pixels)
            for layer in outcomes[0].cores
        }
        return Outcome(joined, outcomes[0].notes, notes_at=outcomes[0].notes_at, names=outcomes[0].names)

    said = f"mean of {base.name} over the image, its mirror image and other sizes, each brought back"

    def forwards(settings: MethodSettings, conditions: Conditions) -> int | None:
        both = len(conditions.space) > 1 if settings["flips"] == "auto" else settings["flips"]
        sizes = sizes_of("augment", settings["scales"], conditions.space)
        there = [conditions if size == conditions.space else conditions._replace(space=size, a=None) for size in sizes]
        return of_copies(base, settings, there * (1 + bool(both)))

    made = repeated(base, "augment", run, parameters_of(Augmented.__call__), said, "", "flips x scales", forwards)
    return replace(made, moves="mirrors and resizes the image")


def sizes_of(name: str, scales: Any, space: tuple[int, ...]) -> list[tuple[int, ...]]:
    several = list(scales) if np.ndim(scales) else [scales]
    if not several or not all(isinstance(s, int | float | np.number) and 0 < s < 100 for s in several):
        raise BadParameter(f"{name}: scales={quoted(scales)}: give factors of the image's size, as in (1, 0.75, 1.5).")
    sizes = [tuple(max(1, round(side * scale)) for side in space) for scale in several]
    if (most := max(map(prod, sizes))) > LARGEST:
        raise BadParameter(f"{name}: scales={quoted(scales)} makes images of {most:,} pixels; {LARGEST:,} are the most.")
    return sizes


def _flipped(x: Floats, flip: bool) -> Floats:
    return np.ascontiguousarray(np.flip(x, -1)) if flip else x


def _mean_of_ways(case: Case, layer: str, ways: list[tuple[Any, bool]], cores: list[Floats], pixels: bool) -> Floats:
    """The mean (t, n, [c,] *space) over sizes and flips; before, each map is resampled to the cells of the image itself."""
    space = case.images.shape[2:]
    finest = space if pixels else tuple(max(sides) for sides in zip(*(core.shape[2:] for core in cores), strict=True))
    d = len(space)
    at_size = {size: core.shape[-d:] for (size, _), core in zip(ways, cores, strict=True)}
    untouched = case.cells(layer, at_size[space]) if space in at_size else None
    whole = [core.shape[2:] for (size, _), core in zip(ways, cores, strict=True) if size == space]
    onto = untouched if finest in whole else None
    maps = []
    for (size, flip), core in zip(ways, cores, strict=True):
        cells = untouched if size == space else case.cells(layer, at_size[size], resized(case.images[:1], size))
        here = cells and _at_home(cells, core.shape[-1], space, flip)
        same = here == onto and core.shape[-len(space) :] == finest
        maps.append(_flipped(core, flip) if same else brought(_flipped(core, flip), here, finest, onto))
    return np.mean(maps, axis=0)


def _at_home(cells: Cells, columns: int, space: tuple[int, ...], flip: bool) -> Cells:
    """Where the cells of an image of another size, or of a flipped image, lie in the image itself."""
    grown = [side / size for side, size in zip(space, cells.size, strict=True)]
    first = [(f + 0.5) * k - 0.5 for f, k in zip(cells.first, grown, strict=True)]
    stride = [s * k for s, k in zip(cells.stride, grown, strict=True)]
    if flip:
        first[-1] = space[-1] - 1 - first[-1] - stride[-1] * (columns - 1)
    sights = tuple(sight.times(k) for sight, k in zip(cells.sights, grown, strict=False))  # there may be none
    return Cells(tuple(first), tuple(stride), space, sights)
