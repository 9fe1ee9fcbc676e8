"""Methods made of methods: smoothed over noise, multiplied, averaged over flips and sizes.

Each takes any method, and gives one that is called, sent and looked up like any other: "smooth(grad-cam)".
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import chain
from itertools import product as pairs
from math import prod
from typing import Any
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from seewhy.errors import MANY, BadParameter, NotApplicable, whole_number
from seewhy.explaining.case import Case, Outcome
from seewhy.explaining.recipe import COSTS
from seewhy.explaining.variants import variants
from seewhy.images.places import Cells
from seewhy.images.resample import brought, resized
from seewhy.methods.making.conditions import Conditions, Forwards, Obstacle, Settings
from seewhy.methods.making.method import Method, listed, lookup, maker
from seewhy.models.model import INPUT
from seewhy.printable import quoted
from seewhy.progress import shown

from .cam import grad_cam
from .gradient import gradient, guided_backprop

__all__ = ["augment", "guided_grad_cam", "product", "smooth", "smooth_grad", "smooth_grad_squared", "var_grad"]

Floats = NDArray[Any]
LARGEST = 2**26  # pixels of an image enlarged


@maker
def smooth(method: Method) -> Method:
    """The method averaged over noisy copies of the image.  Smilkov et al. 2017, SmoothGrad.

    Adds the parameters samples (25), sigma (.15, of the prepared values' range) and seed (0, also the method's).  The noise
    of an image depends on the image and the seed alone.
    """
    return _smoothed(method, "smooth", "mean over noisy copies of the image of", _mean)


@maker
def product(first: Method, second: Method) -> Method:
    """Two methods multiplied, the coarser map drawn out linearly to the finer one's size.

    A pixel method keeps its channels: product(guided_backprop, grad_cam) is Guided Grad-CAM.
    """
    parts = [lookup(first), lookup(second)]
    pixels = any(part.pixels for part in parts)
    drop = {"reduce"} if not pixels else set()
    shared = {key for key in parts[0].settings if key in parts[1].settings} - {"reduce"}  # which the product does itself
    for key in shared:
        if parts[0].settings[key] != parts[1].settings[key]:
            raise BadParameter(f"product: {key} is {parts[0].settings[key]!r} in one method and "
                               f"{parts[1].settings[key]!r} in the other; give both the same.")  # fmt: skip
    defaults = {key: value for part in reversed(parts) for key, value in part.defaults.items() if key not in drop}
    given = {key: value for part in reversed(parts) for key, value in part.params.items() if key not in drop}

    def run(case: Case, **params: Any) -> Outcome:
        own = [_given(part, params) for part in parts]
        a, b = (part.outcome(case) for part in own)
        for failure in (a.failure, b.failure):
            if failure is not None:
                raise failure
        maps = [_finished(part, found) for part, found in zip(own, (a, b), strict=True)]
        joined = {}
        for p, q in pairs(*maps):
            if p == q or INPUT in (p, q):
                d = case.x.ndim - 2
                grids = case.cells(p, maps[0][p].shape[-d:]), case.cells(q, maps[1][q].shape[-d:])
                joined[q if p == INPUT else p] = _times(maps[0][p], own[0].pixels, maps[1][q], own[1].pixels, grids)
        return Outcome(joined, lambda t, i: (*a.notes(t, i), *b.notes(t, i)), {**a.measured, **b.measured})

    inside = [part.reads for part in parts if not part.blind and part.reads != "scores"]
    reads = "pixels" if pixels else next(iter(inside), parts[0].reads)
    said = f"{parts[0].name} times {parts[1].name}, the coarser drawn out to the finer's size"
    return Method(
        f"product({parts[0].name}, {parts[1].name})", run, defaults, reads, False,
        composed(said, "", *parts), given, pixels=pixels, layered=any(part.layered for part in parts),
        shares=tuple(dict.fromkeys(share for part in parts for share in part.shares)),
        passes=" and ".join(dict.fromkeys(part.cost for part in parts)),
        needs=tuple(need for part in parts for need in part.requires), counted=_of_both(parts), obstacle=_of_any(parts),
        averages=any(part.averages for part in parts), moves=any(part.moves for part in parts),
    )  # fmt: skip


def _of_both(parts: list[Method]) -> Forwards:
    """The forwards of a product: parts that read the same evidence of the untouched image share its pass."""

    traced = any("gradients" in part.shares for part in parts)

    def evidence(part: Method) -> str:
        if part.shares or (traced and part.blind and part.layered):  # activations lie in the trace of gradients, too
            return "trace"
        if part.blind and part.layered:
            return "activations"
        return part.reads if part.reads == "head" else part.name

    def forwards(settings: Settings, conditions: Conditions) -> int | None:
        each = {evidence(part): _given(part, settings).forwards(conditions) for part in parts}
        counts = [count for count in each.values() if count is not None]
        return sum(counts) if len(counts) == len(each) else None

    return forwards


def _of_any(parts: list[Method]) -> Obstacle:
    """What stands in the way of any of the methods."""

    def obstacle(settings: Settings, conditions: Conditions) -> str:
        each = ((_given(part, settings), part.obstacle) for part in parts)
        return next((why for part, of in each if of and (why := of(part.settings, conditions))), "")

    return obstacle


@maker
def augment(method: Method) -> Method:
    """The method averaged over the image, its mirror image and other sizes, each map brought back before.

    Adds the parameters flips ("auto": along the last axis, but not of signals, whose time runs one way; or True, False) and
    scales ((1, 0.75, 1.5)); the map has the size of the finest.
    """
    base = lookup(method)
    _unused(base, "flips", "scales")

    def run(case: Case, *, flips: Any, scales: Any, **params: Any) -> Outcome:
        own, x = _given(base, params), case.images
        if flips not in ("auto", True, False):
            raise BadParameter(f'augment: flips={flips!r} is "auto", True or False.')
        both = x.ndim > 3 if flips == "auto" else flips
        sizes = _sizes(scales, x.shape[2:])
        ways = [(size, flip) for size in sizes for flip in ((False, True) if both else (False,))]
        ready = (_flipped(resized(x, size) if size != x.shape[2:] else x, flip) for size, flip in ways)
        case.pinned  # noqa: B018 - the network at the images' own size: if that fails, sizes are not to blame
        try:
            found = [*shown(variants(case, own, ready), len(ways), f"augment({base.name})")]
        except RuntimeError as error:
            if len(sizes) == 1:
                raise
            raise NotApplicable(f"augment: {error} Does the network take other sizes? Without them: scales=(1,).") from error
        joined = {
            layer: _mean_of_ways(case, layer, ways, [one.cores[layer] for one in found], base.pixels)
            for layer in found[0].cores
        }
        return Outcome(joined, found[0].notes)

    said = f"mean of {base.name} over the image, its mirror image and other sizes, each brought back"

    def forwards(settings: Settings, conditions: Conditions) -> int | None:
        both = len(conditions.space) > 1 if settings["flips"] == "auto" else settings["flips"]
        sizes = _sizes(settings["scales"], conditions.space)
        there = [conditions if size == conditions.space else conditions._replace(space=size, a=None) for size in sizes]
        counts = [_given(base, settings).forwards(one) for one in there]
        known = [count for count in counts if count is not None]
        return 1 + (1 + bool(both)) * sum(known) if len(known) == len(counts) else None

    made = _over(base, "augment", run, {"flips": "auto", "scales": (1.0, 0.75, 1.5)}, said, "", "flips x scales", forwards)
    return replace(made, moves=True)


def _smoothed(base: Method, name: str, said: str, moment: Any) -> Method:
    base = lookup(base)
    _unused(base, "samples", "sigma")

    def run(case: Case, *, samples: int, sigma: float, seed: int, **params: Any) -> Outcome:
        samples, seed = whole_number(samples, f"{name}: samples", 1, MANY), whole_number(seed, f"{name}: seed", 0)
        if not 0 <= sigma < np.inf:
            raise BadParameter(f"{name}: sigma is a share of the image's range, from 0 on, not {quoted(sigma)}.")
        own = _given(base, {**params, "seed": seed})
        found = shown(variants(case, own, _noisy(case.images, samples, sigma, seed)), samples, name)
        first, measured = next(found), []
        kept = (measured.append(one.measured) or one.cores for one in chain([first], found))
        return Outcome(
            moment(kept), first.notes, {key: np.mean([each[key] for each in measured], axis=0) for key in first.measured}
        )

    settings = {"samples": 25, "sigma": 0.15, "seed": 0}
    source = "Smilkov et al. 2017, SmoothGrad: Removing Noise by Adding Noise."

    def forwards(settings: Settings, conditions: Conditions) -> int | None:
        each = _given(base, settings).forwards(conditions)
        return None if each is None else 1 + settings["samples"] * each

    return _over(base, name, run, settings, f"{said} {base.name}", source, "{samples}", forwards)


def _over(
    base: Method, name: str, run: Any, settings: dict[str, Any], said: str, source: str, times: str, forwards: Forwards
) -> Method:
    """The method that runs the base several times, in the base's own units."""
    return Method(
        f"{name}({base.name})", run, {**base.defaults, **settings}, base.reads, False, composed(said, source, base),
        base.params, pixels=base.pixels, layered=base.layered,
        passes=f"{times} x ({base.passes or COSTS[base.reads]}), and 1 forward",
        needs=base.needs, counted=forwards, obstacle=_of_any([base]), averages=base.averages, moves=base.moves,
    )  # fmt: skip


def composed(said: str, source: str, *parts: Method) -> str:
    sources = " ".join(filter(None, (source, *(f"{part.name}: {part.source}" for part in parts))))
    caveats = " ".join(f"{part.name}: {part.caveat}" for part in parts)
    return f"{said}.\n\nSource: {sources}\n\nCaveat: {caveats}"


def _unused(base: Method, *names: str) -> None:
    if taken := [name for name in names if name in base.defaults]:
        raise BadParameter(f"{base.name} has {', '.join(taken)} of its own already: it cannot be wrapped once more.")


def _given(base: Method, params: Mapping[str, Any]) -> Method:
    """The base with those of the parameters that it takes."""
    return base.using(**{key: value for key, value in params.items() if key in base.defaults})


def _noisy(x: Floats, samples: int, sigma: float, seed: int) -> Iterator[Floats]:
    """Copies of x (n, c, *space) with Gaussian noise; each image has its own, whatever batch and precision it is in."""
    own = [np.random.default_rng([seed, crc32(np.ascontiguousarray(image, np.float32).tobytes())]) for image in x]
    spread = np.asarray(sigma, x.dtype) * np.stack([np.ptp(image) for image in x]).reshape(-1, *[1] * (x.ndim - 1))
    for _ in range(samples):
        noise = np.stack([rng.standard_normal(x.shape[1:], np.float32) for rng in own]).astype(x.dtype)
        yield x + spread * noise


def _mean(found: Iterable[Mapping[str, Floats]]) -> dict[str, Floats]:
    total: dict[str, Floats] = {}
    count = 0
    for count, cores in enumerate(found, start=1):  # noqa: B007
        for layer, core in cores.items():
            if layer not in total:
                total[layer] = np.zeros(core.shape)
            total[layer] += core
    return {layer: whole / count for layer, whole in total.items()}


def _squares(found: Iterable[Mapping[str, Floats]]) -> dict[str, Floats]:
    return _mean({layer: core.astype(np.float64) ** 2 for layer, core in cores.items()} for cores in found)


def _variance(found: Iterable[Mapping[str, Floats]]) -> dict[str, Floats]:
    """One core at a time (Welford), so that many samples take no memory."""
    mean: dict[str, Floats] = {}
    apart: dict[str, Floats] = {}
    count = 0
    for count, cores in enumerate(found, start=1):
        for layer, core in cores.items():
            new = core.astype(np.float64)
            step = new - mean.get(layer, 0.0)
            mean[layer] = mean.get(layer, 0.0) + step / count
            apart[layer] = apart.get(layer, 0.0) + step * (new - mean[layer])
    return {layer: total / count for layer, total in apart.items()}


def _finished(part: Method, outcome: Outcome) -> Mapping[str, Floats]:
    return outcome.cores if part.pixels else {layer: part.finished(core) for layer, core in outcome.cores.items()}


def _times(a: Floats, a_channels: bool, b: Floats, b_channels: bool, cells: tuple[Cells | None, Cells | None]) -> Floats:
    """(t, n, *space) or, with channels, (t, n, c, *space) each."""
    a, b = (m if channels else m[:, :, None] for m, channels in ((a, a_channels), (b, b_channels)))
    space = tuple(map(max, a.shape[3:], b.shape[3:]))
    a, b = (m if m.shape[3:] == space else resized(m, space, own) for m, own in zip((a, b), cells, strict=True))
    joined = a * b
    return joined if a_channels or b_channels else joined[:, :, 0]


def _sizes(scales: Any, space: tuple[int, ...]) -> list[tuple[int, ...]]:
    several = list(scales) if np.ndim(scales) else [scales]
    if not several or not all(isinstance(s, int | float | np.number) and 0 < s < 100 for s in several):
        raise BadParameter(f"augment: scales={quoted(scales)}: give factors of the image's size, as in (1, 0.75, 1.5).")
    sizes = [tuple(max(1, round(side * scale)) for side in space) for scale in several]
    if (most := max(map(prod, sizes))) > LARGEST:
        raise BadParameter(f"augment: scales={quoted(scales)} makes images of {most:,} pixels; {LARGEST:,} are the most.")
    return sizes


def _flipped(x: Floats, flip: bool) -> Floats:
    return np.ascontiguousarray(np.flip(x, -1)) if flip else x


def _mean_of_ways(case: Case, layer: str, ways: list[tuple[Any, bool]], cores: list[Floats], pixels: bool) -> Floats:
    """The mean (t, n, [c,] *space) over sizes and flips, each brought back to where its cells lie in the images."""
    space = case.images.shape[2:]
    finest = space if pixels else tuple(max(sides) for sides in zip(*(core.shape[2:] for core in cores), strict=True))
    d = len(space)
    at_size = {size: core.shape[-d:] for (size, _), core in zip(ways, cores, strict=True)}
    own = case.cells(layer, at_size[space]) if space in at_size else None
    whole = [core.shape[2:] for (size, _), core in zip(ways, cores, strict=True) if size == space]
    onto = own if finest in whole else None
    maps = []
    for (size, flip), core in zip(ways, cores, strict=True):
        cells = own if size == space else case.cells(layer, at_size[size], resized(case.images[:1], size))
        here = cells and _at_home(cells, core.shape[-1], space, flip)
        same = here == onto and core.shape[-len(space) :] == finest
        maps.append(_flipped(core, flip) if same else brought(_flipped(core, flip), here, finest, onto))
    return np.mean(maps, axis=0)


def _at_home(cells: Cells, columns: int, space: tuple[int, ...], flip: bool) -> Cells:
    """The cells of an image of another size, or flipped, as they lie in the image itself."""
    grown = [side / size for side, size in zip(space, cells.size, strict=True)]
    first = [(f + 0.5) * k - 0.5 for f, k in zip(cells.first, grown, strict=True)]
    stride = [s * k for s, k in zip(cells.stride, grown, strict=True)]
    if flip:
        first[-1] = space[-1] - 1 - first[-1] - stride[-1] * (columns - 1)
    return Cells(tuple(first), tuple(stride), space)


def _named(method: Method, name: str, source: str, caveat: str) -> Method:
    formula = method.doc.partition("\n\n")[0]
    return listed(replace(method, name=name, doc=f"{formula}\n\nSource: {source}\n\nCaveat: {caveat}"))


guided_grad_cam = _named(
    product(guided_backprop, grad_cam),
    "guided-grad-cam",
    "Selvaraju et al. 2017, Grad-CAM: Visual Explanations from Deep Networks.",
    "its fine detail is guided backprop's, which barely changes when the classifier's weights are randomised (Adebayo et al. "
    "2018): it acts like an edge detector; only the coarse Grad-CAM in it looks at the class.",
)
smooth_grad = _named(
    smooth(gradient),
    "smooth-grad",
    "Smilkov et al. 2017, SmoothGrad: Removing Noise by Adding Noise.",
    "tells how the score reacts around the image, not how much of it rests on a pixel; the picture depends on sigma.",
)
smooth_grad_squared = _named(
    _smoothed(gradient, "smooth-grad-squared", "mean over noisy copies of the image of the square of", _squares),
    "smooth-grad-squared",
    "Hooker et al. 2019, A Benchmark for Interpretability Methods.",
    "squares have no sign, and large gradients outweigh all others; the picture depends on sigma.",
)
var_grad = _named(
    _smoothed(gradient, "var-grad", "variance over noisy copies of the image of", _variance),
    "var-grad",
    "Adebayo et al. 2018, Local Explanation Methods for Deep Neural Networks Lack Sensitivity to Parameter Values.",
    "shows where the gradient changes, not where it points: a constant gradient leaves an empty map.",
)
