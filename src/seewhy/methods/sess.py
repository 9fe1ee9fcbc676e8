"""A method on windows of the enlarged image, its maps put together again."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import chain
from itertools import product as pairs
from typing import Any, NamedTuple

import numpy as np

from seewhy.arguments import known_names
from seewhy.arrays import Floats
from seewhy.errors import BadParameter, NotApplicable
from seewhy.explaining.case import Case, Outcome
from seewhy.explaining.recipe import marks_place
from seewhy.explaining.variants import variants
from seewhy.images.resample import resized
from seewhy.methods.making.composing import fitting, of_copies, repeated, unused
from seewhy.methods.making.conditions import Conditions, MethodSettings
from seewhy.methods.making.method import Method, lookup, maker
from seewhy.methods.making.parameters import P, Windowed, parameters_of
from seewhy.printable import quoted
from seewhy.progress import shown

from .mirror import sizes_of

__all__ = ["sess"]

MOST = 4096  # windows
ROUNDING = 1e-6  # of a map whose largest value is 1: what is less is no value above zero
NOWHERE = "no window of the image speaks for the target: its probability, or its lead, is not above zero in any"


class Excerpt(NamedTuple):
    """A part of the image at a size of its own."""

    size: tuple[int, ...]  # of the enlarged image
    part: tuple[slice, ...]  # of the enlarged image, of the size of the image itself


@maker
@known_names()
def sess(method: Method[Callable[P, Any]]) -> Method[Windowed[P]]:
    """The method on windows of the enlarged image, each map divided by its largest value, weighted by the probability that the
    target has in its window, and put in its place.  Tursun et al. 2022, SESS.

    Adds the parameters scales ((1, 1.5, 2)), window_overlap (0, of neighbouring windows) and pool ("mean" or "max").  Of each
    map its positive part counts; the map has the image's size.  A window is as large as the image itself, so networks of one
    size take it.
    """
    base = lookup(method)
    unused(base, "scales", "window_overlap", "pool")
    if base.pixels:
        raise BadParameter(
            f"sess puts maps of windows together, and {base.name} has a value for each channel of a pixel. "
            "It takes grad-cam, layer-cam, score-cam, occlusion and the like."
        )

    def run(case: Case, *, scales: Any, window_overlap: float, pool: str, **params: Any) -> Outcome:
        inner, x = fitting(base, params), case.images
        windows = _windows(scales, window_overlap, x.shape[2:])
        if marks := [key for key in ("within", "segments") if marks_place(params.get(key))]:
            raise BadParameter(f"sess cuts windows out of the image, and {marks[0]}= stays at its place: leave that out.")
        weights = _weights(case, x, windows)  # (windows, t, n)
        outcomes = iter(shown(variants(case, inner, _cut(x, windows)), len(windows), f"sess({base.name})"))
        first, pooled = next(outcomes), {}
        for window, weight, outcome in zip(windows, weights, chain([first], outcomes), strict=True):
            for layer, core in outcome.cores.items():
                pooled.setdefault(layer, _Pool(pool)).add(_placed(case, layer, core, window, weight))

        def notes(t: int, i: int) -> tuple[str, ...]:
            return (*first.notes(t, i), *(() if weights[:, t, i].any() else (NOWHERE,)))

        cores = {layer: each.pooled for layer, each in pooled.items()}
        return Outcome(cores, notes, notes_at=first.notes_at, names=first.names)

    def forwards(settings: MethodSettings, conditions: Conditions) -> int | None:
        count = len(_windows(settings["scales"], settings["window_overlap"], conditions.space))
        return of_copies(base, settings, [conditions._replace(a=None)] * count, beside=1)

    said = f"{base.name} on windows of the enlarged image, each map by its largest value and the target's probability there"
    source = "Tursun et al. 2022, SESS: Saliency Enhancing with Scaling and Sliding."
    caveat = "not in units of the score; of a large object, a window that holds a part alone may count little."
    made = repeated(base, "sess", run, parameters_of(Windowed.__call__), said, source, "windows", forwards, caveat)
    costs = f"windows x (1 forward for their weight, and {base.wording}), and 1 forward"
    return replace(made, passes=costs, moves="cuts windows out of the image")


class _Pool:
    """The mean of what is above zero, or the largest value, of maps that come one by one."""

    def __init__(self, how: str) -> None:
        self.how, self.total, self.count = how, np.zeros(()), np.zeros(())

    def add(self, maps: Floats) -> None:
        self.total = np.maximum(self.total, maps) if self.how == "max" else self.total + maps
        self.count = self.count + (maps > ROUNDING)

    @property
    def pooled(self) -> Floats:
        return self.total if self.how == "max" else self.total / np.maximum(self.count, 1)


def _windows(scales: Any, window_overlap: float, space: tuple[int, ...]) -> list[Excerpt]:
    """The windows of all sizes; of each size as few as overlap by at least that share, at equal distances."""
    if not 0 <= window_overlap <= 0.95:
        raise BadParameter(f"sess: window_overlap is a share of the window, from 0 to 0.95, not {quoted(window_overlap)}.")
    sizes = sizes_of("sess", scales, space)
    if any(size < side for each in sizes for size, side in zip(each, space, strict=True)):
        raise BadParameter(f"sess: scales={quoted(scales)}: a window is as large as the image, so give factors from 1 on.")
    windows = []
    for size in sizes:
        counts = [
            int(np.ceil(round((whole - side) / ((1 - window_overlap) * side), 9))) + 1
            for whole, side in zip(size, space, strict=True)
        ]
        if len(windows) + np.prod(counts, dtype=float) > MOST:
            raise BadParameter(
                f"sess: scales={quoted(scales)} and window_overlap={window_overlap:g} make more than {MOST:,} windows."
            )
        starts = [
            np.linspace(0, whole - side, count).round().astype(int)
            for whole, side, count in zip(size, space, counts, strict=True)
        ]
        for corner in pairs(*starts):
            windows.append(Excerpt(size, tuple(slice(int(a), int(a) + side) for a, side in zip(corner, space, strict=True))))
    return windows


def _cut(x: Floats, windows: list[Excerpt]) -> Iterator[Floats]:
    """The windows (n, c, *space) of the images x, which lie by size."""
    size, enlarged = x.shape[2:], x
    for window in windows:
        if window.size != size:
            size, enlarged = window.size, resized(x, window.size) if window.size != x.shape[2:] else x
        yield np.ascontiguousarray(enlarged[(..., *window.part)])


def _weights(case: Case, x: Floats, windows: list[Excerpt]) -> Floats:
    """The target's probability in each window (windows, t, n), of each image by its largest; of a contrast its lead."""
    answer, rows = case.pinned
    if answer.probabilities is None:
        raise NotApplicable(
            f"sess weighs windows by the target's probability, and {case.model.name} has none (a regression, or an embedding): "
            "ask for augment(...), which weighs all alike."
        )
    chances = [np.asarray(case.model.answer(each).probabilities, np.float64) for each in _cut(x, windows)]
    weights = np.stack([np.maximum(np.einsum("tnk,nk->tn", rows, each), 0) for each in chances])
    largest = weights.max(0)
    return weights / np.where(largest > 0, largest, 1)


def _placed(case: Case, layer: str, core: Floats, window: Excerpt, weight: Floats) -> Floats:
    """The map (t, n, *cells) of a window, by its largest value and its weight (t, n), in its place on the image."""
    space = case.images.shape[2:]
    d = len(space)
    over = tuple(range(2, 2 + d))
    drawn = np.maximum(resized(core.astype(np.float64), space, case.cells(layer, core.shape[2:])), 0)
    largest = drawn.max(over, keepdims=True)
    whole = np.zeros((*core.shape[:2], *window.size))
    whole[(..., *window.part)] = drawn / np.where(largest > 0, largest, 1) * np.expand_dims(weight, over)
    return whole if window.size == space else resized(whole, space)
