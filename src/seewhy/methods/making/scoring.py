"""A decorator that turns a function of one image's probe, which gives scores, into a method.

Every such method takes a budget, and says how many forwards it made.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any, Concatenate, Literal, overload

import numpy as np

from seewhy.arrays import Floats
from seewhy.errors import BadParameter, SeewhyError
from seewhy.explaining.case import Case, Outcome
from seewhy.maps.regions import Regions
from seewhy.models.model import INPUT
from seewhy.progress import stop_asked

from .conditions import Forwards, Obstacle
from .method import Method, listed, method_of
from .parameters import P, Sampled, Scored, SignedScored, parameters_of
from .probe import Budget, Probe


@dataclass(frozen=True)
class Estimate:
    """What a method gives for one image: the map, and what is known of its error."""

    values: Floats  # (t, *space)
    error: Floats | None = None  # (t, *space) the standard error of each value
    regions: Callable[[int], Regions] | None = None  # of each target
    measured: Mapping[str, Any] = field(default_factory=dict)  # by name: one number, or (t,)
    notes: tuple[str, ...] = ()
    channels: Floats | None = None  # (t, c, *space), where the values are the sum of what is known of each channel


COMMON = parameters_of(Scored.__call__)  # of all such methods


@overload
def from_scores(
    passes: str, rectified: Literal[False] = False, *, sampled: Literal[True], layered: Literal[False] = False,
    forwards: Forwards | None = None, needs: tuple[str, ...] = (), obstacle: Obstacle | None = None,
) -> Callable[[Callable[Concatenate[Probe, P], Estimate]], Method[Sampled[P]]]: ...  # fmt: skip
@overload
def from_scores(
    passes: str, rectified: Literal[False] = False, sampled: Literal[False] = False, layered: Literal[False] = False,
    forwards: Forwards | None = None, needs: tuple[str, ...] = (), obstacle: Obstacle | None = None,
) -> Callable[[Callable[Concatenate[Probe, P], Estimate]], Method[Scored[P]]]: ...  # fmt: skip
@overload
def from_scores(
    passes: str, rectified: Literal[False] = False, sampled: Literal[False] = False, *, layered: Literal[True],
    forwards: Forwards | None = None, needs: tuple[str, ...] = (), obstacle: Obstacle | None = None,
) -> Callable[[Callable[Concatenate[Probe, str, P], Estimate]], Method[Scored[P]]]: ...  # fmt: skip
@overload
def from_scores(
    passes: str, rectified: Literal[True], sampled: Literal[False] = False, *, layered: Literal[True],
    forwards: Forwards | None = None, needs: tuple[str, ...] = (), obstacle: Obstacle | None = None,
) -> Callable[[Callable[Concatenate[Probe, str, P], Estimate]], Method[SignedScored[P]]]: ...  # fmt: skip
@overload
def from_scores(
    passes: str, rectified: bool = False, sampled: bool = False, layered: bool = False, forwards: Forwards | None = None,
    needs: tuple[str, ...] = (), obstacle: Obstacle | None = None,
) -> Callable[[Callable[..., Estimate]], Method[Any]]: ...  # fmt: skip
def from_scores(
    passes: str, rectified: bool = False, sampled: bool = False, layered: bool = False, forwards: Forwards | None = None,
    needs: tuple[str, ...] = (), obstacle: Obstacle | None = None,
) -> Any:  # fmt: skip
    """A method that asks for scores: decorate (probe, *, ...) -> Estimate, or if `layered` (probe, layer, *, ...).

    passes: how many forwards, in words; sampled: it draws, so that a tolerance of the standard error can end it.
    forwards: the same as a number, a function of settings and conditions; it may be left out only where `passes` is as plain
    as "{samples} forwards", with a parameter of that name; needs, obstacle: what it needs of the network, and what else may
    stand in its way, as for a Method.
    """

    def decorate(read: Callable[..., Estimate]) -> Method[Any]:
        name = read.__name__.strip("_").replace("_", "-")

        def run(case: Case, **params: Any) -> Outcome:
            common = {key: params.pop(key) for key in COMMON}
            tolerance = _tolerance(params.pop("tolerance", None), name)
            estimates: dict[str, list[Estimate]] = {}
            n, t, failure = len(case.images), len(case.targets), None
            with case.model.scoring(case.x, case.pinned[0], common["fast"], common["dtype"], layered) as scorer:
                for i, layer in product(range(n), case.layers if layered else [INPUT]):
                    probe = Probe(case, i, scorer, Budget.of(common["budget"], name), tolerance, name)
                    estimate = _estimate(read, probe, layer if layered else None, params)
                    estimates.setdefault(layer, []).append(_measured_by(estimate, probe))
                    failure = probe.failure
                    if failure is not None and n > 1:  # the other images would have no map
                        raise failure
                    if failure is not None or (n == 1 and stop_asked()):
                        break
            return _outcome(estimates, n, t, failure)

        reads = "layer scores" if layered else "scores"
        made = method_of(read, run, reads, rectified, layered=layered, passes=passes, needs=needs, counted=forwards,
                         obstacle=obstacle)  # fmt: skip
        more = {**parameters_of(Sampled.__call__), **COMMON} if sampled else COMMON
        return listed(replace(made, parameters={**made.parameters, **more}))

    return decorate


def _estimate(read: Callable[..., Estimate], probe: Probe, layer: str | None, params: Mapping[str, Any]) -> Estimate:
    if not np.isfinite(probe.y).all():  # NaN for the unchanged image: variants would be of no use
        space = probe.space if layer is None else tuple(probe.case.activations[layer].shape[2:])
        return Estimate(np.full((len(probe.y), *space), np.nan))
    return read(probe, **params) if layer is None else read(probe, layer, **params)


def _measured_by(estimate: Estimate, probe: Probe) -> Estimate:
    """The estimate with notes and measurements of the probe."""
    notes, measured = estimate.notes + probe.notes, dict(estimate.measured)
    measured |= {"forwards": probe.budget.spent, "planned_forwards": max(probe.planned, probe.budget.spent)}
    if estimate.error is not None and estimate.error.any() and np.isfinite(estimate.error).all():
        measured["largest_error"] = estimate.error.reshape(len(estimate.error), -1).max(1)
    if probe.scorer.differs:
        measured["score_off"] = probe.off
        span = np.ptp(estimate.values.reshape(len(estimate.values), -1), axis=1)
        if (abs(probe.off) > 0.02 * span).any():
            notes += (f"the faster copy scores {abs(probe.off).max():.2g} off, which is much beside what the map shows",)
    return replace(estimate, notes=notes, measured=measured)


def _regions(regions: Callable[[int], Regions] | None, t: int) -> Regions | None:
    return None if regions is None else regions(t)


def _tolerance(value: Any, name: str) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not 0 < value < np.inf:
        raise BadParameter(f"{name}: tolerance={value!r} is a standard error in the score's own units, above 0.")
    return float(value)


def _outcome(estimates: Mapping[str, list[Estimate]], n: int, t: int, failure: SeewhyError | None) -> Outcome:
    cores = {layer: np.stack([estimate.values for estimate in each], axis=1) for layer, each in estimates.items()}
    stated = {layer: [estimate.error for estimate in each if estimate.error is not None] for layer, each in estimates.items()}
    errors = {layer: np.stack(each, axis=1) for layer, each in stated.items() if len(each) == n}
    measured = {layer: _measured(each, t) for layer, each in estimates.items()}
    notes = [tuple(dict.fromkeys(note for each in estimates.values() for note in each[i].notes)) for i in range(n)]
    regions = [estimate.regions for estimate in next(iter(estimates.values()))]
    by_channel = {
        layer: [each.channels for each in of_layer if each.channels is not None] for layer, of_layer in estimates.items()
    }
    channels = {layer: np.stack(each, axis=1) for layer, each in by_channel.items() if len(each) == n}
    return Outcome(
        cores,
        lambda _t, i: notes[i],
        measured.pop(INPUT, {}),
        measured,
        errors,
        lambda k, i: _regions(regions[i], k),
        failure,
        channels=channels,
    )


def _measured(each: list[Estimate], t: int) -> dict[str, Floats]:
    """The measurements by name, (t, n) each; NaN where an image has none of that name."""
    names = dict.fromkeys(name for estimate in each for name in estimate.measured)
    return {name: np.stack([np.broadcast_to(estimate.measured.get(name, np.nan), t) for estimate in each], 1) for name in names}
