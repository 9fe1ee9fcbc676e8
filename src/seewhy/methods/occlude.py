"""Occlusion: how much of the score is lost when a window, a segment or a channel is hidden."""

from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from seewhy.arrays import Array
from seewhy.errors import BadParameter, whole_number
from seewhy.maps.regions import Regions
from seewhy.methods.making.baseline import Fill
from seewhy.methods.making.conditions import Advice, Conditions, MethodSettings
from seewhy.methods.making.marks import Within, part
from seewhy.methods.making.method import advised
from seewhy.methods.making.probe import Made, Probe
from seewhy.methods.making.scoring import Estimate, from_scores
from seewhy.methods.making.segments import Segments, count_of, masks_among, obstacle
from seewhy.methods.making.windows import Pieces, Windows, WindowShape, WindowSides, covered, cut, faded, mean_drop
from seewhy.printable import in_percent

from .segment import labelled

__all__ = ["occlusion"]

Channels = Literal["each"] | int | Sequence[int] | None
BOXES = 32  # about as many boxes share a pass of the incremental way
FEW = 16  # windows: fewer do not tell where


def _scores_alone(_settings: MethodSettings, _conditions: Conditions) -> Advice:
    """Where no gradient can be read, occlusion's numbers are the easiest to explain."""
    return Advice(2, "it needs scores alone, and its numbers are drops of the score; rise and lime are others")


def _passes(settings: MethodSettings, conditions: Conditions) -> int | None:
    """A forward per window or segment; how many of them touch a part of the image, and its channels, is not known before."""
    if settings["within"] is not None or isinstance(settings["channels"], str):
        return None
    if settings["segments"] is not None:
        return count_of(settings["segments"], conditions.space)
    return Windows.of(conditions.space, settings["window"], settings["stride"]).count


def _hindered(settings: MethodSettings, conditions: Conditions) -> str:
    return "" if settings["segments"] is None else obstacle(settings, conditions)


@advised(_scores_alone)
@from_scores(
    "1 forward per window (of a network where a window changes little, only what it can change)", sampled=True,
    forwards=_passes, obstacle=_hindered,
)  # fmt: skip
def occlusion(
    probe: Probe,
    *,
    window: WindowSides = "auto",
    stride: WindowSides = "auto",
    shape: WindowShape = "box",
    segments: Segments | None = None,
    within: Within | None = None,
    channels: Channels = None,
    fill: Fill = "mean",
    incremental: bool = True,
    seed: int = 0,
) -> Estimate:
    """y(x) - y(x with the window hidden), averaged over the windows that hid a pixel.

    window: its sides, in pixels as the network sees them, one number or one per axis.  "auto": 32 pixels, of a signal 1/16
    (at most 31 windows), of a volume 1/4 of each side (at most 343).
    stride: from window to window, likewise; the last window ends at the edge.  "auto": half the window.
    shape: "box", or "gaussian": a pixel is hidden by exp(-u^2 / 2 s^2), u its distance from the window's centre along each axis
    and s a quarter of the window's side, and counts the windows by that, too.
    segments: in place of windows, each of which is hidden once: what lime takes, or a list of boolean masks, which may overlap.
    within: only windows (or segments) that touch this part of the image: a mask of its size, the file of one, or a box
    (x0, y0, x1, y1), of a signal (start, stop), of a volume its lower and then its upper edges. The map is what it would be
    without, inside of that part, and zero elsewhere.
    channels: hide these alone, as in [0, 2], together; "each": one after the other, a map for each in Heatmap.channels, whose
    sum the values are.  None: all together.
    incremental: recompute only what a window can change, on networks where that gives the same scores.
    seed: of the order in which windows are hidden: one by one where a budget or a tolerance may end it, else whole rows, whose
    boxes reach the same of the layers; also of superpixels.

    Source: Zeiler & Fergus 2014, Visualizing and Understanding Convolutional Networks, sec. 4.2; the short cut: Nakandala
    et al. 2019, Incremental and Approximate Inference for Faster Occlusion-based Deep CNN Explanations; soft windows as in the
    library MONAI.

    Caveat: depends on window and fill: what hides evidence can itself be evidence, and what stands twice is missed.
    """
    seed = whole_number(seed, "occlusion: seed", 0)
    draws = np.random.default_rng(seed)
    hides = _hides(probe, channels, probe.fill(fill))
    inside = None if within is None else part(within, probe.case.view(probe.place), probe.space, "occlusion: within")
    hidden, notes = _hidden(probe, segments, window, stride, shape, seed)
    planned = np.ones(hidden.count, bool) if inside is None else hidden.touching(inside)
    if not planned.any():
        raise BadParameter("occlusion: no segment touches `within`: mark a place that one of them covers.")
    order = hidden.by_rows(draws) if isinstance(hidden, Windows) and not probe.limited else draws.permutation(hidden.count)
    order = order[planned[order]]
    short = probe.scorer.boxed(probe.image) if incremental and isinstance(hidden, Windows) else None
    together = hidden.rows(BOXES) * len(hides) if short and isinstance(hidden, Windows) else None
    make = _boxes if short else _images
    sought = hidden.total(planned) > 0 if inside is None else inside & (hidden.total(planned) > 0)
    drops = np.full((len(hides), hidden.count, len(probe.y)), np.nan)

    def mean(each: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        values, error = mean_drop(hidden, each, planned)
        return (values, error) if inside is None else (np.where(inside, values, 0), np.where(inside, error, np.inf))

    for scored in probe.scored(len(order) * len(hides), make(probe, hidden, hides, order), short, together):
        each = np.asarray(scored.of)
        drops[each % len(hides), order[each // len(hides)]] = probe.y - scored.y
        probe.enough(lambda: mean(drops.sum(0))[1][:, sought])
    values, error = mean(drops.sum(0))
    done = np.asarray(np.isfinite(drops).all((0, 2)))
    bare = float((hidden.total(done)[sought] == 0).mean())
    if not probe.limited and (done != planned).any():  # interrupted: whole rows are no random sample of windows
        error = np.full(error.shape, np.inf)
    fell_back = short is not None and short.why
    notes += (f"every window ran through the whole network: {fell_back}",) if fell_back else ()
    notes += (f"no window hid {in_percent(bare, 0)} of the pixels yet: there the map is zero, and not known",) if bare else ()
    what = "windows" if segments is None else "segments"
    apart = isinstance(channels, str) and channels == "each"
    whole = np.where(done[:, None], drops, np.nan)  # of a place where some channels alone were hidden, their sum is not known
    maps = np.stack([mean(of_channel)[0] for of_channel in whole], 1) if apart else None
    return Estimate(values, error, _regions(hidden, drops, inside), {what: done.sum()}, notes, maps)


def _hides(probe: Probe, channels: Channels, hide: Array) -> list[Array]:
    """What lies where something is hidden, (c, *space) for each of the sets of channels that are hidden together."""
    c = len(probe.x)
    if channels is None:
        return [hide]
    one_by_one, several = isinstance(channels, str) and channels == "each", isinstance(channels, list | tuple | np.ndarray)
    each: list[list[Any]] = [[k] for k in range(c)] if one_by_one else [[*np.ravel(channels)] if several else [channels]]
    found = []
    for some in each:
        if not some or not all(_is_index(k, c) for k in some) or len({*some}) < len(some):
            raise BadParameter(
                f"occlusion: channels={channels!r}: the image has channels 0 to {c - 1}; give the numbers of those that are "
                'hidden together, each once, or "each", to hide one after the other.'
            )
        keep = np.ones((c, *[1] * len(probe.space)))
        keep[np.array(some)] = 0
        own = probe.scorer.array(keep)
        found.append(probe.image * own + hide * (1 - own))
    return found


def _is_index(k: Any, count: int) -> bool:
    return isinstance(k, int | np.integer) and not isinstance(k, bool) and bool(0 <= k < count)


def _hidden(
    probe: Probe, segments: Segments | None, window: WindowSides, stride: WindowSides, shape: WindowShape, seed: int
) -> tuple[Windows | Pieces, tuple[str, ...]]:
    """The windows or segments of an image, and what is odd about them: masks of which the network sees nothing are left out."""
    if segments is None:
        return Windows.of(probe.space, window, stride, shape), ()
    if (window, stride, shape) != ("auto", "auto", "box"):
        raise BadParameter("occlusion: segments= takes the place of windows: leave window=, stride= and shape= out.")
    masks = masks_among(segments, probe.case.view(probe.place), probe.space, "occlusion")
    if masks is None:
        return Pieces(labelled(probe, segments, seed)), ()
    seen = masks.reshape(len(masks), -1).any(1)
    if not seen.any():
        raise BadParameter("occlusion: none of the masks of segments= marks a pixel that the network sees.")
    away = ", ".join(map(str, np.flatnonzero(~seen)))
    return Pieces(masks=masks[seen]), (f"nothing of masks {away} of segments= is seen by the network",) if away else ()


def _images(probe: Probe, hidden: Windows | Pieces, hides: list[Array], order: NDArray[np.intp]) -> Callable[[range], Made]:
    """Makes whole images, in which the windows or segments, in that order, each hide one after the other of `hides`."""

    def make(of: range) -> Made:
        each = np.asarray(of)
        some = order[each // len(hides)]
        if isinstance(hidden, Pieces):
            keep = ~probe.scorer.array(hidden.at(some))
        else:
            at = probe.scorer.array(hidden.places[some])
            gone = (faded if hidden.soft else covered)(at, hidden, probe.space, probe.scorer)
            keep = 1 - gone if hidden.soft else ~gone
        return Made(None, (_blended(probe, keep, hides, each % len(hides)),))

    return make


def _boxes(probe: Probe, hidden: Any, hides: list[Array], order: NDArray[np.intp]) -> Callable[[range], Made]:
    """Makes the boxes of the same windows alone, and where they lie."""
    fade = probe.scorer.array(hidden.weights()) if hidden.soft else None

    def make(of: range) -> Made:
        each = np.asarray(of)
        at = probe.scorer.array(hidden.places[order[each // len(hides)]])
        patches = _chosen([cut(hide, at, hidden.sides) for hide in hides], each % len(hides), probe)
        if fade is not None:
            shown = cut(probe.image, at, hidden.sides)
            patches = shown + fade * (patches - shown)
        return Made(None, (patches, at))

    return make


def _blended(probe: Probe, keep: Array, hides: list[Array], which: NDArray[np.intp]) -> Array:
    """The image where `keep` (m, *space) keeps it; elsewhere, for each of m, one of `hides`."""
    return _chosen([probe.scorer.blend(keep, probe.image, hide) for hide in hides], which, probe)


def _chosen(several: list[Array], which: NDArray[np.intp], probe: Probe) -> Array:
    """Row i of several[which[i]], for arrays (m, ...) of one shape."""
    chosen = several[0]
    for k, other in enumerate(several[1:], start=1):
        there = probe.scorer.array((which == k).reshape(-1, *[1] * (chosen.ndim - 1)))
        chosen = np.where(there, other, chosen) if isinstance(chosen, np.ndarray) else other.where(there, chosen)
    return chosen


def _regions(hidden: Windows | Pieces, drops: NDArray[Any], inside: Any) -> Any:
    """The segments that were judged, of each target; None for windows, masks and a part of the image."""
    if not isinstance(hidden, Pieces) or hidden.labels is None or inside is not None:
        return None
    of_target = np.nan_to_num(drops.sum(0)).T
    known = np.where(np.isfinite(drops).all((0, 2)), 0.0, np.inf)
    return [Regions(hidden.labels, row, known, None, None, None, hidden.count) for row in of_target].__getitem__
