"""Methods made of methods: smoothed over noise, or multiplied.

Each takes any method, and gives one that is called, sent and looked up like any other: "smooth(grad-cam)".
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import chain
from itertools import product as pairs
from typing import Any, Protocol
from zlib import crc32

import numpy as np

from seewhy.arguments import known_names
from seewhy.arrays import Floats
from seewhy.errors import MANY, BadParameter, whole_number
from seewhy.explaining.case import Case, Outcome
from seewhy.explaining.recipe import Reduce
from seewhy.explaining.variants import variants
from seewhy.images.places import Cells
from seewhy.images.resample import resized
from seewhy.methods.making.composing import composed, fitting, of_any, of_copies, repeated, unused
from seewhy.methods.making.conditions import Conditions, Forwards, MethodSettings
from seewhy.methods.making.method import Method, Own, listed, lookup, maker
from seewhy.methods.making.parameters import P, Smoothed, parameters_of
from seewhy.models.model import INPUT
from seewhy.printable import quoted
from seewhy.progress import shown

from .cam import grad_cam
from .gradient import gradient, guided_backprop

__all__ = ["guided_grad_cam", "product", "smooth", "smooth_grad", "smooth_grad_squared", "var_grad"]


@maker
@known_names()
def smooth(method: Method[Callable[P, Any]]) -> Method[Smoothed[P]]:
    """The method averaged over noisy copies of the image.  Smilkov et al. 2017, SmoothGrad.

    Adds the parameters samples (25), sigma (.15, of the prepared values' range) and seed (0, also the method's).  The noise
    of an image depends on the image and the seed alone.
    """
    return _smoothed(method, "smooth", "mean over noisy copies of the image of", _mean)


@maker
@known_names()
def product(first: Method[Any], second: Method[Any]) -> Method[Any]:
    """Two methods multiplied, the coarser map drawn out linearly to the finer one's size.

    A pixel method keeps its channels: product(guided_backprop, grad_cam) is Guided Grad-CAM.
    """
    parts = [lookup(first), lookup(second)]
    pixels = any(part.pixels for part in parts)
    drop = {"reduce"} if not pixels else set()
    shared = {key for key in parts[0].settings if key in parts[1].settings} - {"reduce"}  # the product itself joins channels
    apart = {  # what one of them does without, unless it is told, is of the other alone
        key: next(part for part in parts if part.defaults[key] is not None)
        for key in shared
        if [part.settings[key] is None for part in parts] == [part.defaults[key] is None for part in parts]
        and sum(part.defaults[key] is None for part in parts) == 1
    }
    for key in shared - {*apart}:
        if parts[0].settings[key] != parts[1].settings[key]:
            raise BadParameter(f"product: {key} is {parts[0].settings[key]!r} in one method and "
                               f"{parts[1].settings[key]!r} in the other; give both the same.")  # fmt: skip
    parameters = {key: value for part in reversed(parts) for key, value in part.parameters.items() if key not in drop}
    parameters |= {key: part.parameters[key] for key, part in apart.items()}
    preset = {key: value for part in reversed(parts) for key, value in part.params.items() if key not in drop}

    def fitted(part: Method[Any], params: MethodSettings) -> Method[Any]:
        return fitting(part, {key: value for key, value in params.items() if apart.get(key, part) is part})

    def run(case: Case, **params: Any) -> Outcome:
        each = [fitted(part, params) for part in parts]
        a, b = (part.outcome(case) for part in each)
        for failure in (a.failure, b.failure):
            if failure is not None:
                raise failure
        maps = [_finished(part, outcome) for part, outcome in zip(each, (a, b), strict=True)]
        joined = {}
        for p, q in pairs(*maps):
            if p == q or INPUT in (p, q):
                d = case.x.ndim - 2
                grids = case.cells(p, maps[0][p].shape[-d:]), case.cells(q, maps[1][q].shape[-d:])
                joined[q if p == INPUT else p] = _times(maps[0][p], each[0].pixels, maps[1][q], each[1].pixels, grids)
        odd = {layer: (*a.notes_at.get(layer, ()), *b.notes_at.get(layer, ())) for layer in joined}
        return Outcome(joined, lambda t, i: (*a.notes(t, i), *b.notes(t, i)), {**a.measured, **b.measured}, notes_at=odd)

    inside = [part.reads for part in parts if not part.blind and part.reads != "scores"]
    reads = "pixels" if pixels else next(iter(inside), parts[0].reads)
    said = f"{parts[0].name} times {parts[1].name}, the coarser drawn out to the finer's size"
    return Method(
        f"product({parts[0].name}, {parts[1].name})", run, parameters, reads, False,
        composed(said, "", *parts), preset, pixels=pixels, layered=any(part.layered for part in parts),
        shares=tuple(dict.fromkeys(share for part in parts for share in part.shares)),
        by_target=all(part.by_target for part in parts),
        passes=" and ".join(dict.fromkeys(part.cost for part in parts)),
        needs=tuple(need for part in parts for need in part.requires), counted=_of_both(parts, fitted), obstacle=of_any(parts),
        averages=parts[0].averages or parts[1].averages, moves=parts[0].moves or parts[1].moves,
    )  # fmt: skip


def _of_both(parts: list[Method[Any]], fitted: Callable[[Method[Any], MethodSettings], Method[Any]]) -> Forwards:
    """The forwards of a product of methods: parts that read the same evidence of the unchanged image share its pass."""

    traced = any("gradients" in part.shares for part in parts)

    def evidence(part: Method[Any]) -> str:
        if part.shares or (traced and part.blind and part.layered):  # the trace of gradients holds activations, too
            return "trace"
        if part.blind and part.layered:
            return "activations"
        return part.reads if part.reads == "head" else part.name

    def forwards(settings: MethodSettings, conditions: Conditions) -> int | None:
        counts: dict[Any, int | None] = {}
        for k, part in enumerate(parts):
            count = fitted(part, settings).forwards(conditions)
            counts[evidence(part) if count == 1 and not part.asks else k] = count
        known = [count for count in counts.values() if count is not None]
        return sum(known) if len(known) == len(counts) else None

    return forwards


def _smoothed(method: Method[Callable[P, Any]], name: str, said: str, moment: Any) -> Method[Smoothed[P]]:
    base = lookup(method)
    unused(base, "samples", "sigma", "masks")

    def run(case: Case, *, samples: int, sigma: float, seed: int, **params: Any) -> Outcome:
        samples, seed = whole_number(samples, f"{name}: samples", 1, MANY), whole_number(seed, f"{name}: seed", 0)
        if not 0 <= sigma < np.inf:
            raise BadParameter(f"{name}: sigma is a share of the image's range, from 0 on, not {quoted(sigma)}.")
        method = fitting(base, {**params, "seed": seed})
        outcomes = shown(variants(case, method, _noisy(case.images, samples, sigma, seed)), samples, name)
        first, measured = next(outcomes), []
        maps = (measured.append(outcome.measured) or outcome.cores for outcome in chain([first], outcomes))
        cores = moment(maps)  # makes all of them
        means = {key: np.mean([each[key] for each in measured], axis=0) for key in first.measured}
        return Outcome(cores, first.notes, means, notes_at=first.notes_at, names=first.names)

    source = "Smilkov et al. 2017, SmoothGrad: Removing Noise by Adding Noise."

    def forwards(settings: MethodSettings, conditions: Conditions) -> int | None:
        return of_copies(base, settings, [conditions] * settings["samples"])

    return repeated(base, name, run, parameters_of(Smoothed.__call__), f"{said} {base.name}", source, "{samples}", forwards)


def _noisy(x: Floats, samples: int, sigma: float, seed: int) -> Iterator[Floats]:
    """Copies of x (n, c, *space) with Gaussian noise; the noise of an image does not depend on its batch and precision."""
    generators = [np.random.default_rng([seed, crc32(np.ascontiguousarray(image, np.float32).tobytes())]) for image in x]
    spread = np.asarray(sigma, x.dtype) * np.stack([np.ptp(image) for image in x]).reshape(-1, *[1] * (x.ndim - 1))
    for _ in range(samples):
        noise = np.stack([rng.standard_normal(x.shape[1:], np.float32) for rng in generators]).astype(x.dtype)
        yield x + spread * noise


def _mean(samples: Iterable[Mapping[str, Floats]]) -> dict[str, Floats]:
    total: dict[str, Floats] = {}
    count = 0
    for count, cores in enumerate(samples, start=1):  # noqa: B007
        for layer, core in cores.items():
            if layer not in total:
                total[layer] = np.zeros(core.shape)
            total[layer] += core
    return {layer: whole / count for layer, whole in total.items()}


def _squares(samples: Iterable[Mapping[str, Floats]]) -> dict[str, Floats]:
    return _mean({layer: core.astype(np.float64) ** 2 for layer, core in cores.items()} for cores in samples)


def _variance(samples: Iterable[Mapping[str, Floats]]) -> dict[str, Floats]:
    """The variance over cores, by Welford's method, which keeps a single core in memory."""
    mean: dict[str, Floats] = {}
    apart: dict[str, Floats] = {}
    count = 0
    for count, cores in enumerate(samples, start=1):
        for layer, core in cores.items():
            new = core.astype(np.float64)
            step = new - mean.get(layer, 0.0)
            mean[layer] = mean.get(layer, 0.0) + step / count
            apart[layer] = apart.get(layer, 0.0) + step * (new - mean[layer])
    return {layer: total / count for layer, total in apart.items()}


def _finished(part: Method[Any], outcome: Outcome) -> Mapping[str, Floats]:
    return outcome.cores if part.pixels else {layer: part.finished(core) for layer, core in outcome.cores.items()}


def _times(a: Floats, a_channels: bool, b: Floats, b_channels: bool, cells: tuple[Cells | None, Cells | None]) -> Floats:
    """(t, n, *space) or, with channels, (t, n, c, *space) each."""
    a, b = (m if channels else m[:, :, None] for m, channels in ((a, a_channels), (b, b_channels)))
    space = tuple(map(max, a.shape[3:], b.shape[3:]))
    a, b = (m if m.shape[3:] == space else resized(m, space, lie) for m, lie in zip((a, b), cells, strict=True))
    joined = a * b
    return joined if a_channels or b_channels else joined[:, :, 0]


def _named(method: Method[Own], name: str, source: str, caveat: str) -> Method[Own]:
    formula = method.doc.partition("\n\n")[0]
    return listed(replace(method, name=name, doc=f"{formula}\n\nSource: {source}\n\nCaveat: {caveat}"))


class GuidedGradCam(Protocol):
    """The parameters of Guided Grad-CAM, those of both its parts."""

    def __call__(self, *, reduce: Reduce = "max", signed: bool = False) -> Any: ...


guided_grad_cam: Method[GuidedGradCam] = _named(
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
