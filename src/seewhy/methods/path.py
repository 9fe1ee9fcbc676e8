"""Integrated gradients: the gradient along the straight path from a baseline to the image."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from einops import reduce

from seewhy.arrays import Floats
from seewhy.errors import BadParameter, whole_number
from seewhy.explaining.case import Case, Outcome
from seewhy.explaining.variants import variants
from seewhy.methods.making.baseline import Fill
from seewhy.methods.making.baseline import baseline as baseline_of
from seewhy.methods.making.conditions import Conditions, MethodSettings
from seewhy.methods.making.reading import pixels_from_case
from seewhy.models.model import INPUT
from seewhy.progress import shown

from .gradient import gradient

__all__ = ["integrated_gradients"]

Baseline = Fill | Sequence[Fill]
Quadrature = Literal["gauss-legendre", "midpoint", "trapezoid", "left", "right"]

MOST = 3200  # `refine` takes no more steps than these
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
    starts = [start.astype(case.images.dtype) for start in baselines(case, baseline)]
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
        return (f"the sum misses y(x) - y(x') = {difference[t, i]:.3g} by {gap[t, i]:.2g} ({share:.0%}): {more}",)

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


def baselines(case: Case, choice: Any) -> list[Floats]:
    """Each of the baselines, as (n, c, *space), or (1, c, *space) if it is the same for all images."""
    several = choice if isinstance(choice, list | tuple) else [choice]
    if not len(several):
        raise BadParameter("integrated-gradients: the list of baselines is empty.")
    return [baseline_of(case, each, "integrated-gradients: the baseline") for each in several]
