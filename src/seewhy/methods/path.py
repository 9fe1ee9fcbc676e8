"""Integrated gradients: the gradient along a path from a baseline to the image: straight, guided, of blurred images, or at
random places of many paths.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any, Literal
from zlib import crc32

import numpy as np
from einops import reduce

from seewhy.arrays import Floats
from seewhy.errors import MANY, BadParameter, whole_number
from seewhy.explaining.case import Case, Outcome
from seewhy.explaining.variants import variants
from seewhy.images.resample import blurred
from seewhy.methods.making.baseline import Fill
from seewhy.methods.making.baseline import baseline as baseline_of
from seewhy.methods.making.conditions import Conditions, MethodSettings
from seewhy.methods.making.reading import pixels_from_case
from seewhy.models.model import INPUT
from seewhy.printable import in_percent, quoted
from seewhy.progress import shown

from .gradient import gradient

__all__ = ["blur_ig", "gradient_shap", "guided_ig", "integrated_gradients"]

Baseline = Fill | Sequence[Fill]
Quadrature = Literal["gauss-legendre", "midpoint", "trapezoid", "left", "right"]

MOST = 3200  # `refine` takes no more steps than these
JUMPS = "the way keeps to where gradients jump, at ReLUs, so that more steps need not miss less"
LOOSE = 0.05  # a completeness gap above this share of the score difference gives a warning


def _forwards(settings: MethodSettings, _conditions: Conditions) -> int | None:
    """One forward for the image, and for each baseline one and the steps; None where `refine` decides on the steps."""
    several = settings["baseline"] if isinstance(settings["baseline"], list | tuple) else [settings["baseline"]]
    return None if settings["refine"] else 1 + len(several) * (settings["steps"] + 1)


@pixels_from_case("sum", counted=_forwards, passes="{steps} x (1 forward, and the whole way back per target), and 2 forwards")
def integrated_gradients(
    case: Case,
    *,
    steps: int = 50,
    baseline: Baseline = "zero",
    quadrature: Quadrature = "gauss-legendre",
    refine: bool = False,
    tolerance: float = 0.01,
) -> Outcome:
    """(x - x') integral of dy/dx from x' to x, summed over channels: it adds up to y(x) - y(x').

    steps: how many gradients along the way.
    quadrature: where on the way they are taken, and how they are weighted.
    baseline: x'. "zero" in the network's own numbers (the mean colour of the training set, where inputs are normalised by
    it), "black", "white", "mean" (each image's own colour), "blurred", a grey level or prepared array, any image, or a
    list of these, whose maps are averaged.
    refine: double the steps until the completeness gap is under `tolerance`.
    tolerance: the largest gap that `refine` leaves, as a share of y(x) - y(x').

    Source: Sundararajan et al. 2017, Axiomatic Attribution for Deep Networks; 50 steps as in captum.

    Caveat: depends on the baseline: what looks like it counts nothing. The gap to y(x) - y(x') is in Source.measured.
    """
    steps = whole_number(steps, "integrated-gradients: steps", 1, MOST)
    if not tolerance > 0:
        raise BadParameter(f"integrated-gradients: tolerance is a share above 0, not {tolerance}.")
    starts = [start.astype(case.images.dtype) for start in baselines(case, baseline, "integrated-gradients")]
    difference = np.mean([_difference(case, start) for start in starts], axis=0)  # (t, n)
    core = gap = used = None
    while True:
        integral = np.mean([_integral(case, start, steps, quadrature) for start in starts], axis=0)  # (t, n, c, *space)
        missed = reduce(integral, "t n ... -> t n", "sum") - difference
        better = np.ones(missed.shape, bool) if gap is None else abs(gap) > tolerance * abs(difference)
        if core is None or gap is None or used is None:
            core, gap, used = integral, missed, np.full(missed.shape, float(steps))
        else:  # each target of each image keeps the result of the first number of steps that sufficed
            core[better], gap[better], used[better] = integral[better], missed[better], steps
        if not refine or 2 * steps > MOST or (abs(gap) <= tolerance * abs(difference)).all():
            break
        steps *= 2

    def notes(t: int, i: int) -> tuple[str, ...]:
        allowed = tolerance if refine else LOOSE
        share = abs(gap[t, i]) / max(abs(difference[t, i]), 1e-12)
        if share <= allowed:
            return ()
        more = f"even with {used[t, i]:.0f} steps" if refine else "refine=True takes as many steps as it needs"
        return (f"the sum misses y(x) - y(x') = {difference[t, i]:.3g} by {gap[t, i]:.2g} ({in_percent(share, 0)}): {more}",)

    measured = {"completeness_gap": gap, "difference": difference, "steps": used}
    return Outcome({INPUT: core}, notes, measured)


def _difference(case: Case, start: Floats) -> Floats:
    """The difference of the scores, y(x) - y(x'): (t, n)."""
    answer, weights = case.pinned
    there = case.model.answer(np.broadcast_to(start, case.images.shape)).scores
    return ((answer.scores - there) * weights).sum(-1)


def _integral(case: Case, start: Floats, steps: int, quadrature: Quadrature) -> Floats:
    """The integral of the gradient times x - x': (t, n, c, *space)."""
    x = case.images
    nodes, weights = RULES[quadrature](steps)
    way = (start + np.asarray(node, x.dtype) * (x - start) for node in nodes)
    gradients = variants(case, gradient, way)
    total = 0.0
    for weight, outcome in zip(weights, shown(gradients, len(nodes), "integrated-gradients"), strict=True):
        total = total + weight * outcome.cores[INPUT].astype(np.float64)
    return (x - start) * total


def _gauss_legendre(steps: int) -> tuple[Floats, Floats]:
    nodes, weights = np.polynomial.legendre.leggauss(steps)
    return (nodes + 1) / 2, weights / 2


def _even(steps: int, first: float, last: float, ends: float = 1.0) -> tuple[Floats, Floats]:
    nodes = np.linspace(first, last, steps) if steps > 1 else np.array([(first + last) / 2])
    weights = np.ones(len(nodes))
    weights[[0, -1]] *= ends
    return nodes, weights / weights.sum()


RULES = {  # steps -> the nodes between 0 and 1, and their weights
    "gauss-legendre": _gauss_legendre,
    "midpoint": lambda steps: _even(steps, 0.5 / steps, 1 - 0.5 / steps),
    "trapezoid": lambda steps: _even(steps, 0, 1, ends=0.5),
    "left": lambda steps: _even(steps, 0, 1 - 1 / steps),
    "right": lambda steps: _even(steps, 1 / steps, 1),
}


def baselines(case: Case, choice: Any, name: str) -> list[Floats]:
    """Each of the baselines of the method `name`, as (n, c, *space), or (1, c, *space) if it is the same for all images."""
    several = choice if isinstance(choice, list | tuple) else [choice]
    if not len(several):
        raise BadParameter(f"{name}: the list of baselines is empty.")
    return [baseline_of(case, each, f"{name}: the baseline") for each in several]


@pixels_from_case("sum", counted=lambda settings, _: 2 + settings["steps"],
                  passes="{steps} x (1 forward, and the whole way back per target), and 2 forwards")  # fmt: skip
def blur_ig(case: Case, *, steps: int = 50, sigma: float = 0.22) -> Outcome:
    """sum_k dy/dx at the middle of x_k and x_k+1, times x_k+1 - x_k, of an image x_k that is blurred less and less, summed over
    channels: it adds up to y(x) - y(x blurred by sigma).

    steps: how many gradients along the way, at even distances of the Gaussian's width.
    sigma: the width of the Gaussian where the way begins, as a share of each side; 0.22 is 50 pixels of 224.

    Source: Xu et al. 2020, Attribution in Scale and Space.

    Caveat: explains what the image has beyond its blurred self, so that smooth areas count little; needs no baseline colour.
    """
    steps = whole_number(steps, "blur-ig: steps", 1, MOST)
    if not 0 < sigma <= MOST:
        raise BadParameter(f"blur-ig: sigma is a share of each side, above 0, not {quoted(sigma)}.")
    x = case.images

    def at(share: float) -> Floats:
        return blurred(x, sigma * (1 - share)) if share < 1 else x

    gradients = variants(case, gradient, (at((k + 0.5) / steps) for k in range(steps)))
    core, start = np.zeros(()), at(0)
    last = start
    for k, outcome in enumerate(shown(gradients, steps, "blur-ig")):
        here = at((k + 1) / steps)
        core = core + outcome.cores[INPUT].astype(np.float64) * (here.astype(np.float64) - last)
        last = here
    return _complete(core, _difference(case, start), "more steps miss less")


@pixels_from_case("sum", counted=lambda settings, _: 2 + settings["steps"],
                  passes="{steps} x (1 forward, and the whole way back) per target, and 2 forwards")  # fmt: skip
def guided_ig(
    case: Case, *, steps: int = 200, baseline: Fill = "zero", fraction: float = 0.25, distance: float = 0.02
) -> Outcome:  # fmt: skip
    """sum_k dy/dx at x_k times x_k+1 - x_k, summed over channels, on a way from x' to x that moves the numbers of the least
    gradient first: of a smooth network it adds up to y(x) - y(x').

    steps: how many gradients along the way; each shortens it alike, in the sum of absolute differences.
    baseline: x', as for integrated_gradients, one.
    fraction: which share of all numbers moves at once, those of the least absolute gradient.
    distance: how far a number may be ahead of the straight way or behind it, as a share of its way; 0: integrated gradients.

    Source: Kapishnikov et al. 2021, Guided Integrated Gradients: an Adaptive Path Method for Removing Noise.

    Caveat: depends on the baseline, as integrated gradients do; the way is another for each target, so maps of two targets
    rest on different variants of the image. Of networks of ReLUs the sum misses y(x) - y(x') by much, however many the steps:
    the least gradients are found where gradients jump. The gap is in Source.measured.
    """
    steps = whole_number(steps, "guided-ig: steps", 1, MOST)
    for name, value, low in (("fraction", fraction, 1e-9), ("distance", distance, 0)):
        if not low <= value <= 1:
            raise BadParameter(f"guided-ig: {name} is a share from {low:g} to 1, not {quoted(value)}.")
    start = baseline_of(case, baseline, "guided-ig: the baseline")
    answer, weights = case.pinned
    cores = []
    for row in weights:
        one = Case(case.model, case.images, [lambda _, w=row: w], case.requested, case.shared, case.photo, case.rule, case.view)
        one.record_answer(answer)
        cores.append(_guided(one, np.broadcast_to(start, case.images.shape), steps, fraction, distance))
    difference = _difference(case, start.astype(case.images.dtype))
    return _complete(np.stack(cores), difference, JUMPS)


def _guided(case: Case, start: Floats, steps: int, fraction: float, distance: float) -> Floats:
    """The integral of one target on the guided way: (n, c, *space)."""
    kind, start, end = case.images.dtype, start.astype(np.float64), case.images.astype(np.float64)
    x, core = start.copy(), np.zeros(end.shape)
    for k in shown(range(steps), steps, "guided-ig"):
        (outcome,) = variants(case, gradient, [x.astype(kind)])
        slopes, share, moved = outcome.cores[INPUT][0].astype(np.float64), (k + 1) / steps, np.empty(x.shape)
        behind, ahead = (start + (end - start) * min(max(share + by, 0), 1) for by in (-distance, distance))
        for i in range(len(x)):
            left = abs(end[i] - start[i]).sum() * (1 - share)
            at = np.where(abs(x[i] - start[i]) < abs(behind[i] - start[i]), behind[i], x[i])
            moved[i] = _moved(at, ahead[i], end[i], left, abs(slopes[i]), fraction)
        core += slopes * (moved - x)
        x = moved
    return core


def _moved(x: Floats, ahead: Floats, end: Floats, left: float, slopes: Floats, fraction: float) -> Floats:
    """x with the numbers of the least slopes moved towards `ahead`, a fraction of all after the other, until no more than
    `left` is left to the end, or until none can move.
    """
    x = x.copy()
    while (excess := abs(end - x).sum() - left) > 1e-9 * (1 + left):
        free = np.where(x == ahead, np.inf, slopes)
        first = (free <= np.quantile(free, fraction, method="lower")) & np.isfinite(free)
        first = first if first.any() else np.isfinite(free)
        room = abs(ahead - x)[first].sum()
        if not room:
            break
        x[first] = ahead[first] if excess >= room else x[first] + (ahead - x)[first] * (excess / room)
    return x


@pixels_from_case("sum", counted=lambda settings, _: 1 + settings["samples"] + _count(settings["baseline"]),
                  passes="{samples} x (1 forward, and the whole way back per target), and 2 forwards")  # fmt: skip
def gradient_shap(
    case: Case, *, samples: int = 50, baseline: Baseline = "zero", sigma: float = 0.0, seed: int = 0
) -> Outcome:  # fmt: skip
    """mean over draws of (x + e - x') dy/dx at x' + a (x + e - x'), summed over channels: with many draws and no noise it adds
    up to y(x) - the mean of y(x').

    samples: how many draws of a, evenly from 0 to 1, of x' and of e.
    baseline: x', as for integrated_gradients; of a list, one is drawn for each sample.
    sigma: of the noise e, as a share of the range of the image's prepared values.

    Source: Lundberg & Lee 2017, A Unified Approach to Interpreting Model Predictions; as expected gradients, Erion et al. 2021.

    Caveat: depends on the baselines, of which one is too few to stand for what images are like; another seed gives another map.
    The gap to y(x) - y(x') of these draws is in Source.measured.
    """
    samples, seed = whole_number(samples, "gradient-shap: samples", 1, MANY), whole_number(seed, "gradient-shap: seed", 0)
    if not 0 <= sigma < np.inf:
        raise BadParameter(f"gradient-shap: sigma is a share of the image's range, from 0 on, not {quoted(sigma)}.")
    x = case.images
    starts = [np.broadcast_to(start.astype(x.dtype), x.shape) for start in baselines(case, baseline, "gradient-shap")]
    ways, times = deque[Floats](), np.zeros((len(starts), len(x)))
    gradients = variants(case, gradient, _drawn(x, starts, samples, sigma, seed, ways, times))
    core = np.zeros(())
    for outcome in shown(gradients, samples, "gradient-shap"):
        core = core + outcome.cores[INPUT].astype(np.float64) * ways.popleft()
    differences = np.stack([_difference(case, start) for start in starts])  # (baselines, t, n)
    difference = (differences * times[:, None]).sum(0) / samples
    total = reduce(core := core / samples, "t n ... -> t n", "sum")
    return Outcome({INPUT: core}, measured={"completeness_gap": total - difference, "difference": difference})


def _count(baseline: Any) -> int:
    return len(baseline) if isinstance(baseline, list | tuple) else 1


def _drawn(
    x: Floats, starts: Sequence[Floats], samples: int, sigma: float, seed: int, ways: deque[Floats], times: Floats
) -> Iterator[Floats]:  # fmt: skip
    """Places on the ways from drawn baselines to noisy copies of x (n, c, *space); an image's draws do not depend on its batch.

    ways: gets each copy minus its baseline; times: (baselines, n), how often each baseline was drawn.
    """
    generators = [np.random.default_rng([seed, crc32(np.ascontiguousarray(image, np.float32).tobytes())]) for image in x]
    spread = np.asarray(sigma, x.dtype) * np.stack([np.ptp(image) for image in x]).reshape(-1, *[1] * (x.ndim - 1))
    for _ in range(samples):
        shares = np.array([rng.random() for rng in generators], x.dtype).reshape(-1, *[1] * (x.ndim - 1))
        picked = [int(rng.integers(len(starts))) for rng in generators]
        start = np.stack([starts[b][i] for i, b in enumerate(picked)])
        times[picked, np.arange(len(x))] += 1
        noise = np.stack([rng.standard_normal(x.shape[1:], np.float32) for rng in generators]).astype(x.dtype) if sigma else 0
        way = x + spread * noise - start
        ways.append(way)
        yield start + shares * way


def _complete(core: Floats, difference: Floats, why: str) -> Outcome:
    """The outcome of a path whose attributions (t, n, c, *space) are to add up to a difference of scores (t, n), with the gap.

    why: in words, what a large gap is due to.
    """
    gap = reduce(core, "t n ... -> t n", "sum") - difference

    def notes(t: int, i: int) -> tuple[str, ...]:
        share = abs(gap[t, i]) / max(abs(difference[t, i]), 1e-12)
        if share <= LOOSE:
            return ()
        return (f"the sum misses y(x) - y(x') = {difference[t, i]:.3g} by {gap[t, i]:.2g} ({in_percent(share, 0)}): {why}",)

    return Outcome({INPUT: core}, notes, {"completeness_gap": gap, "difference": difference})
