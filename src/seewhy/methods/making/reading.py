"""Decorators that turn a formula of activations or gradients, from one pass, into a method."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Concatenate, Literal, overload

import numpy as np
from einops import repeat
from numpy.typing import NDArray

from seewhy.arrays import Array, numbers
from seewhy.errors import BadParameter, NotApplicable
from seewhy.explaining.blank import refusal_at
from seewhy.explaining.case import Case, Outcome
from seewhy.explaining.parts import TOGETHER, TargetRows
from seewhy.explaining.recipe import Cores, Reduce, Run
from seewhy.models.model import INPUT, Evidence
from seewhy.models.rule import Balanced, Relevance, Rule

from .method import Method, listed, method_of
from .parameters import P, Reduced, Signed, parameters_of

AVERAGES = "averages the gradient over the whole map, so it marks what looks alike anywhere; hires-cam, layer-cam do not"


@overload
def from_gradients(
    rectified: Literal[True] = True, rule: Rule | None = None, averages: bool = False, twice: Literal[False] = False
) -> Callable[[Callable[Concatenate[Any, Any, P], Array]], Method[Signed[P]]]: ...
@overload
def from_gradients(
    rectified: Literal[False], rule: Rule | None = None, averages: bool = False, twice: Literal[False] = False
) -> Callable[[Callable[Concatenate[Any, Any, P], Array]], Method[Callable[P, Any]]]: ...
@overload
def from_gradients(
    rectified: Literal[True] = True, rule: None = None, averages: bool = False, *, twice: Literal[True]
) -> Callable[[Callable[Concatenate[Any, Any, Any, P], Array]], Method[Signed[P]]]: ...
@overload
def from_gradients(
    rectified: bool = True, rule: Rule | None = None, averages: bool = False, twice: bool = False
) -> Callable[[Callable[..., Array]], Method[Any]]: ...
def from_gradients(rectified: bool = True, rule: Rule | None = None, averages: bool = False, twice: bool = False) -> Any:
    """A method that reads one backward pass: decorate (a, g) -> map, (n, c, *space) twice -> (n, *space), signed.

    rule: by which the gradient comes back, if not the plain one; averages: the formula averages the gradient over the map.
    twice: the formula asks for second derivatives, too: decorate (a, g, hessian) -> map, where hessian(v) is the Hessian of the
    score toward a, times v like a.
    """
    if twice and rule is not None:
        raise BadParameter("Second derivatives are those of the plain gradient, not of what a rule brings back.")

    def decorate(read: Callable[..., Array]) -> Method[Any]:
        def run(case: Case, **params: Any) -> Outcome:
            if twice:
                case.plain_only("a method of second derivatives")
            trace = case.trace if rule is None else case.traced(rule, case.named)
            there = case.at_layers(trace.evidence)
            formula = partial(read, **params)
            cores = {layer: _twice(formula, e) if twice else _per_target(formula, e.a, e.g) for layer, e in there.items()}
            odd = {} if rule is None else {layer: trace.notes.get(layer, ()) for layer in there}
            return Outcome(cores, notes_at=odd)

        shares = ("gradients", *["twice"] * twice) if rule is None else ()
        needs = ("second derivative",) if twice else _needed(rule)
        passes = "1 forward, and the tail behind the layer back three times per target" if twice else ""
        return method_of(read, run, "gradients", rectified, shares=shares, needs=needs, averages=AVERAGES * averages,
                         passes=passes, by_target=True, formula_of=None if twice or rule else read)  # fmt: skip

    return decorate


def from_pixels(
    reduce: Reduce = "max", rule: Rule | None = None
) -> Callable[[Callable[Concatenate[Any, Any, P], Array]], Method[Reduced[P]]]:
    """A method that reads the gradient at the image: decorate (x, g) -> its channels, (n, c, *space) all of them.

    reduce: what the paper makes of the channels, one of REDUCE; rule: by which the gradient comes back.
    """

    def decorate(read: Callable[..., Array]) -> Method[Any]:
        def run(case: Case, **params: Any) -> Outcome:
            trace = case.trace if rule is None else case.traced(rule, (INPUT,))
            core = _per_target(partial(read, **params), trace.evidence[INPUT].a, trace.evidence[INPUT].g)
            return Outcome({INPUT: core}, lambda _t, _i: trace.notes.get(INPUT, ()))

        shares = ("pixels",) if rule is None else ()
        return pixel_method(read, run, reduce, shares=shares, needs=_needed(rule), by_target=True)

    return decorate


def _needed(rule: Rule | None) -> tuple[str, ...]:
    """What a rule needs to read from a network besides the gradient, as keys of Conditions.refused."""
    if isinstance(rule, Relevance):
        return ("products",) if rule.attention else ("relevance",)
    return ("logits", "balance") if isinstance(rule, Balanced) else () if rule is None else ("relus",)


def from_case(reads: str, **more: Any) -> Callable[[Callable[Concatenate[Case, P], Cores]], Method[Callable[P, Any]]]:
    """A method that leads the passes by itself: decorate (case, *, ...) -> {layer: core (t, n, *space), signed}, or an Outcome.

    reads: a key of READINGS; more: what else a Method declares, such as `passes` and `needs`.  Where `passes` does not begin
    with a single forward, `counted` is how many there are, a function of settings and conditions.
    """
    return lambda run: method_of(run, run, reads, **more)


def pixels_from_case(reduce: Reduce, **more: Any) -> Callable[[Callable[Concatenate[Case, P], Cores]], Method[Reduced[P]]]:
    """`from_case` for a method that gives channels (t, n, c, *space) at the image; reduce: how the paper joins them."""
    return lambda run: pixel_method(run, run, reduce, **more)


def pixel_method(function: Callable[..., Any], run: Run, reduce: Reduce, **more: Any) -> Method[Any]:
    """A method that gives channels (t, n, c, *space) at the image."""
    made = method_of(function, run, "pixels", pixels=True, layered=False, **more)
    joined = {"reduce": parameters_of(Reduced.__call__)["reduce"]._replace(default=reduce)}
    return listed(replace(made, parameters={**joined, **made.parameters}))


@overload
def from_activations(
    rectified: Literal[True] = True,
) -> Callable[[Callable[Concatenate[Any, P], Array]], Method[Signed[P]]]: ...
@overload
def from_activations(
    rectified: Literal[False],
) -> Callable[[Callable[Concatenate[Any, P], Array]], Method[Callable[P, Any]]]: ...
def from_activations(rectified: bool = True) -> Any:
    """A method that no class plays a part in: decorate (a) -> map, (n, c, *space) -> (n, *space), signed."""

    def decorate(read: Callable[..., Array]) -> Method[Any]:
        def run(case: Case, **params: Any) -> Mapping[str, NDArray[Any]]:
            once = {layer: numbers(read(a, **params)) for layer, a in case.activations.items()}
            return {layer: np.stack([values] * len(case.targets)) for layer, values in once.items()}

        return method_of(read, run, "activations", rectified)

    return decorate


def from_head() -> Callable[[Callable[Concatenate[Any, Any, P], Array]], Method[Signed[P]]]:
    """A method that reads the last linear layer: decorate (a, w) -> map, (n, c, *space) and (n, c) -> (n, *space)."""

    def decorate(read: Callable[..., Array]) -> Method[Any]:
        def run(case: Case, **params: Any) -> Mapping[str, NDArray[Any]]:
            try:
                head = case.head
            except NotApplicable as error:
                if (refusal := refusal_at(case, error)) is error:  # which is no cause of itself
                    raise
                raise refusal from error
            return {layer: _per_target(partial(read, **params), a, head.w) for layer, a in head.a.items()}

        return method_of(read, run, "head", True, formula_of=read)

    return decorate


def _twice(read: Callable[..., Array], evidence: Evidence) -> NDArray[Any]:
    """The result (t, n, *space) of a formula that takes second derivatives, computed target by target."""
    a, g = evidence.a, evidence.g
    return np.stack([numbers(read(a, gradient, partial(evidence.hessian, t))) for t, gradient in enumerate(g)])


def _per_target(read: Callable[..., Array], a: Array, each: Array) -> NDArray[Any]:
    """The result (t, n, *space) of a formula for t targets; `each` is (t, n, c, ...).  Of a single image several targets are
    computed at once.
    """
    if len(a) == 1:
        rows = TargetRows(len(each))
        for start in range(0, len(each), TOGETHER):
            part = each[start : start + TOGETHER, 0]
            rows.put(start, {"maps": numbers(read(repeat(a, "1 c ... -> t c ...", t=len(part)), part))})
        return rows.arrays["maps"][:, None]
    return np.stack([numbers(read(a, row)) for row in each])
