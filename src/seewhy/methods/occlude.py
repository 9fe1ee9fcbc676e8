"""Occlusion: how much of the score is lost when a window is hidden."""

from collections.abc import Sequence
from itertools import product
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from seewhy.arrays import Array, Floats
from seewhy.errors import BadParameter, whole_number
from seewhy.methods.making.baseline import Fill
from seewhy.methods.making.conditions import Advice, Conditions, MethodSettings
from seewhy.methods.making.method import advised
from seewhy.methods.making.probe import Made, Probe
from seewhy.methods.making.scoring import Estimate, from_scores

__all__ = ["occlusion"]

WindowSides = Literal["auto"] | int | Sequence[int]

BOXES = 32  # about as many boxes share a pass of the incremental way
FEW = 16  # windows: fewer do not tell where


def _scores_alone(_settings: MethodSettings, _conditions: Conditions) -> Advice:
    """Where no gradient can be read, occlusion's numbers are the easiest to explain."""
    return Advice(2, "it needs scores alone, and its numbers are drops of the score; rise and lime are others")


@advised(_scores_alone)
@from_scores(
    "1 forward per window (of a network where a window changes little, only what it can change)", sampled=True,
    forwards=lambda settings, conditions: len(Windows.of(conditions.space, settings["window"], settings["stride"]).places),
)  # fmt: skip
def occlusion(
    probe: Probe,
    *,
    window: WindowSides = "auto",
    stride: WindowSides = "auto",
    fill: Fill = "mean",
    incremental: bool = True,
    seed: int = 0,
) -> Estimate:
    """y(x) - y(x with the window hidden), averaged over the windows that hid a pixel.

    window: its sides, in pixels as the network sees them, one number or one per axis.  "auto": 32 pixels, of a signal 1/16
    (at most 31 windows), of a volume 1/4 of each side (at most 343).
    stride: from window to window, likewise; the last window ends at the edge.  "auto": half the window.
    incremental: recompute only what a window can change, on networks where that gives the same scores.
    seed: of the order in which windows are hidden: one by one where a budget or a tolerance may end it, else whole rows, whose
    boxes reach the same of the layers.

    Source: Zeiler & Fergus 2014, Visualizing and Understanding Convolutional Networks, sec. 4.2; the short cut: Nakandala
    et al. 2019, Incremental and Approximate Inference for Faster Occlusion-based Deep CNN Explanations.

    Caveat: depends on window and fill: what hides evidence can itself be evidence, and what stands twice is missed.
    """
    windows = Windows.of(probe.space, window, stride)
    sides = windows.sides
    hide = probe.fill(fill)
    draws = np.random.default_rng(whole_number(seed, "occlusion: seed", 0))
    order = draws.permutation(len(windows.places)) if probe.limited else windows.by_rows(draws)
    short = probe.scorer.boxed(probe.image) if incremental else None

    def boxes(of: range) -> Made:
        at = probe.scorer.array(windows.places[order[of.start : of.stop]])
        return Made(None, (cut(hide, at, sides), at))

    def images(of: range) -> Made:
        keep = ~covered(probe.scorer.array(windows.places[order[of.start : of.stop]]), sides, probe.space, probe.scorer)
        return Made(None, (probe.scorer.blend(keep, probe.image, hide),))

    drops = np.full((len(windows.places), len(probe.y)), np.nan)
    together = windows.rows(BOXES) if short else None
    for part in probe.scored(len(order), boxes if short else images, short, together):
        drops[order[part.of.start : part.of.stop]] = probe.y - part.y
        probe.enough(lambda: windows.mean(drops)[1])
    values, error = windows.mean(drops)
    bare = float((windows.total(np.isfinite(drops[:, 0])) == 0).mean())
    if not probe.limited and error.any():  # interrupted: whole rows are no random sample of windows
        error = np.full(error.shape, np.inf)
    fell_back = short is not None and short.why
    notes = (f"every window ran through the whole network: {fell_back}",) if fell_back else ()
    notes += (f"no window hid {bare:.0%} of the pixels yet: there the map is zero, and not known",) if bare else ()
    return Estimate(values, error, measured={"windows": np.isfinite(drops[:, 0]).sum()}, notes=notes)


class Windows:
    """All windows over an image: where each begins, and which pixels it hides."""

    def __init__(self, space: Sequence[int], sides: Sequence[int], steps: Sequence[int]) -> None:
        self.sides = tuple(sides)
        starts = [_starts(*axis) for axis in zip(space, sides, steps, strict=True)]
        self.places = np.array([*product(*starts)])  # (m, d)
        self.shape = tuple(map(len, starts))
        self.hides = [  # for each axis (pixels, windows)
            (np.arange(size)[:, None] >= start) & (np.arange(size)[:, None] < start + side)
            for size, side, start in zip(space, sides, starts, strict=True)
        ]

    @classmethod
    def of(cls, space: Sequence[int], window: Any, stride: Any) -> "Windows":
        """The windows by the parameters of `occlusion`, which may be "auto"."""
        sides = _usual(space) if _auto(window) else _sides(window, "window", space)
        return cls(space, sides, [-(-side // 2) for side in sides] if _auto(stride) else _steps(stride, sides, space))

    def by_rows(self, draws: "np.random.Generator") -> NDArray[np.intp]:
        """All windows in whole rows along the last axis; the order of the rows is random."""
        rows = np.arange(len(self.places)).reshape(-1, self.shape[-1])
        return draws.permutation(rows).ravel()

    def rows(self, about: int) -> int:
        """Whole rows of windows, about so many."""
        return self.shape[-1] * max(1, about // self.shape[-1]) if self.shape[-1] < 2 * about else about

    def total(self, each: Floats) -> Floats:
        """For each pixel, the sum of numbers per window (..., m) over the windows that hide it: (..., *space)."""
        whole = each.reshape(*each.shape[:-1], *self.shape).astype(np.float64)
        for axis, hides in enumerate(self.hides, start=whole.ndim - len(self.shape)):
            whole = np.moveaxis(np.moveaxis(whole, axis, -1) @ hides.T.astype(np.float64), -1, axis)
        return whole

    def mean(self, drops: Floats) -> tuple[Floats, Floats]:
        """The mean drop at each pixel and its standard error, (t, *space) twice, from drops (m, t); NaN means not measured.

        Some of the windows are a sample without replacement from all of them, so that the error of all windows is zero.  The
        variance at a pixel is shrunk toward that over all pixels, as few windows hide each of them; a pixel that no window
        hid yet is zero, and its error infinite.
        """
        done = np.isfinite(drops[:, 0])
        filled = np.where(done, drops.T, 0)
        count, whole = self.total(done), self.total(np.ones(len(done)))
        if done.all():
            return self.total(filled) / whole, np.zeros((len(filled), *count.shape))
        at_least_one = np.maximum(count, 1)
        mean = self.total(filled) / at_least_one
        apart = np.maximum(self.total(filled**2) - count * mean**2, 0)  # the sum of squares around the mean
        axes = tuple(range(1, mean.ndim))
        spare = np.maximum(count - 1, 0)
        if spare.any():
            pooled = apart.sum(axes, keepdims=True) / spare.sum()
        else:  # no pixel was hidden twice
            pooled = filled[:, done].var(1, ddof=min(1, done.sum() - 1)).reshape(-1, *[1] * count.ndim)
        variance = (apart + 2 * pooled) / (spare + 2)
        error = np.sqrt(variance / at_least_one * np.maximum(1 - count / whole, 0))
        never = count == 0
        alone = (done.sum() == 1) & (count < whole)  # a single window gives no variance
        return mean, np.where(never | alone, np.inf, error)


def _starts(size: int, side: int, step: int) -> NDArray[np.intp]:
    starts = np.arange(0, size - side + 1, step)
    return starts if starts[-1] + side == size else np.append(starts, size - side)


def _auto(value: Any) -> bool:
    return isinstance(value, str) and value == "auto"


PARTS = {1: 16, 3: 4}  # by the number of dimensions: into how many parts the default window divides each side


def _usual(space: Sequence[int]) -> tuple[int, ...]:
    """The default window: large enough that there are not more windows than a person would wait for."""
    return tuple(min(32, size) if len(space) == 2 else -(-size // PARTS.get(len(space), 2)) for size in space)


def _sides(window: Any, what: str, space: Sequence[int]) -> tuple[int, ...]:
    """A number of pixels for each axis, at most the image's own."""
    each = list(window) if isinstance(window, list | tuple) else [window] * len(space)
    if len(each) != len(space):
        raise BadParameter(f"occlusion: {what}={window!r}: give one number, or one for each axis of {tuple(space)}.")
    return tuple(min(whole_number(side, f"occlusion: {what}", 1), size) for side, size in zip(each, space, strict=True))


def _steps(stride: Any, sides: Sequence[int], space: Sequence[int]) -> tuple[int, ...]:
    steps = _sides(stride, "stride", space)
    if any(step > side for step, side in zip(steps, sides, strict=True)):
        raise BadParameter(
            f"occlusion: stride={stride!r} is longer than the window {tuple(sides)}: some pixels would never be hidden. "
            'Give a stride of at most the window, or "auto", half of it.'
        )
    return steps


def cut(image: Array, at: Array, sides: Sequence[int]) -> Array:
    """The boxes (m, c, *sides) of an image (c, *space) that begin at the pixels `at` (m, d)."""
    axes = range(len(sides))
    index = []
    for axis, side in enumerate(sides):
        along = at[:, axis].reshape(-1, *[1] * len(sides))
        offsets = np.arange(side).reshape(1, *[-1 if a == axis else 1 for a in axes])
        index.append(along + (offsets if isinstance(at, np.ndarray) else at.new_tensor(offsets)))
    boxes = image[(slice(None), *index)]  # (c, m, *sides)
    return boxes.swapaxes(0, 1)


def covered(at: Array, sides: Sequence[int], space: Sequence[int], scorer: Any) -> Array:
    """Masks (m, *space) that are true inside the boxes."""
    inside: Any = True
    for axis, (side, size) in enumerate(zip(sides, space, strict=True)):
        shape = [-1 if a == axis else 1 for a in range(len(space))]
        places = scorer.array(np.arange(size)).reshape(1, *shape)
        start = at[:, axis].reshape(-1, *[1] * len(space))
        inside = (places >= start) & (places < start + side) & inside
    return inside
