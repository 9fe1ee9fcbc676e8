"""Many targets explained some after the other, so that of each its maps stay in memory, and no gradients."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seewhy.arrays import filled
from seewhy.errors import BadNetwork, Misuse, SeewhyError
from seewhy.models.model import Trace
from seewhy.models.rule import Rule

from .case import Case, Outcome, Passes, once
from .recipe import Recipe

TOGETHER = 16  # targets of a part: as many as share one batched backward pass


class SomeTargets(Case):
    """A case of some of the targets of another, from `start` on.  The forward pass of a trace is that of all targets.

    begun: the traces of the whole case, which go on from part to part.
    """

    def __init__(self, whole: Case, start: int, begun: dict[Any, Trace]) -> None:
        targets = whole.targets[start : start + TOGETHER]
        super().__init__(whole.model, whole.x, targets, whole.requested, whole.shared, whole.photo, whole.rule, whole.view)
        self.whole, self.start, self.begun = whole, start, begun

    @once
    def named(self) -> list[str]:
        """The names of the requested layers, as the whole case has them."""
        return self.whole.named

    def ask(self, layers: Sequence[str | None], rule: Rule | None, twice: bool = False) -> Trace:
        """The trace of these targets alone."""
        key = (rule, tuple(layers), twice)
        if key not in self.begun:
            self.begun[key] = self.model.trace(self.x, self.whole.targets, layers, rule, twice, TOGETHER)
        first = self.begun[key]
        evidence = first.further(self.start).evidence if self.start else first.evidence
        self.begun[key] = first._replace(evidence={})
        return Trace(first.answer, first.weights[self.start : self.start + TOGETHER], evidence, first.notes)


def outcomes(methods: Sequence[Recipe], case: Case) -> list[Outcome]:
    """What each method gives for the case; of many targets, those that read them one by one are given some after the other."""
    early = in_parts(methods, case)
    return [early[i] if i in early else method.outcome(case) for i, method in enumerate(methods)]


def in_parts(methods: Sequence[Recipe], case: Case) -> Mapping[int, Outcome]:
    """By their places, what those methods give that read the targets one by one; none where the targets are few.

    The case then knows what their passes gave, but of the gradients only whether there was any.  A failure of the network, and
    a refusal, is left to be met, and reported, by the method that meets it first.
    """
    those = [i for i, method in enumerate(methods) if method.by_target]
    if not those or len(case.targets) <= TOGETHER or not all(m.by_target for m in methods if m.shares):
        return {}
    count = len(case.targets)
    gathered, passes = {i: Gathered(count) for i in those}, GatheredPasses(count)
    with suppress(BadNetwork, Misuse):
        for part in split(case):
            for i in those:
                gathered[i].add(methods[i].outcome(part), part)
            passes.add(part)
        passes.hand_to(case.passes)
        return {i: each.outcome for i, each in gathered.items()}
    return {}


def split(case: Case) -> Iterator[SomeTargets]:
    """Cases of some of the targets each, one after the other, of one forward pass."""
    begun: dict[Any, Trace] = {}
    for start in range(0, len(case.targets), TOGETHER):
        yield SomeTargets(case, start, begun)


class TargetRows:
    """Arrays of all targets by name, each filled in row by row.

    They are made whole at once: small ones that stay between large ones that go would leave gaps in memory too small for the
    next large one.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self.arrays: dict[str, NDArray[Any]] = {}

    def put(self, start: int, parts: Mapping[str, NDArray[Any]]) -> None:
        for name, rows in parts.items():
            if name not in self.arrays:
                self.arrays[name] = np.empty((self.count, *rows.shape[1:]), rows.dtype)
            self.arrays[name][start : start + len(rows)] = rows


class Gathered:
    """The outcome of a method for all targets, from those for some of them each."""

    def __init__(self, count: int) -> None:
        self.cores, self.measured, self.errors = TargetRows(count), TargetRows(count), TargetRows(count)
        self.measured_at: defaultdict[str, TargetRows] = defaultdict(lambda: TargetRows(count))
        self.notes: dict[tuple[int, int], tuple[str, ...]] = {}
        self.regions: dict[tuple[int, int], Any] = {}
        self.failure: SeewhyError | None = None

    def add(self, outcome: Outcome, part: SomeTargets) -> None:
        self.cores.put(part.start, outcome.cores)
        self.measured.put(part.start, outcome.measured)
        self.errors.put(part.start, outcome.errors)
        for layer, measured in outcome.measured_at.items():
            self.measured_at[layer].put(part.start, measured)
        for t, i in product(range(len(part.targets)), range(len(part.x))):  # now: these functions may keep the evidence
            self.notes[part.start + t, i] = outcome.notes(t, i)
            self.regions[part.start + t, i] = outcome.regions(t, i)
        self.failure = self.failure or outcome.failure

    @property
    def outcome(self) -> Outcome:
        at = {layer: rows.arrays for layer, rows in self.measured_at.items()}
        return Outcome(
            self.cores.arrays, lambda t, i: self.notes[t, i], self.measured.arrays, at, self.errors.arrays,
            lambda t, i: self.regions[t, i], self.failure,
        )  # fmt: skip


class GatheredPasses:
    """What the passes of all parts gave; of each gradient, whether there is any (t, n)."""

    def __init__(self, count: int) -> None:
        self.any, self.weights = TargetRows(count), TargetRows(count)
        self.first: Passes | None = None

    def add(self, part: SomeTargets) -> None:
        passes = part.passes
        if passes.trace is not None:
            self.any.put(part.start, {layer: filled(e.g, 2) for layer, e in passes.trace.evidence.items()})
            self.weights.put(part.start, {"trace": passes.trace.weights})
        self.weights.put(part.start, {f"other {i}": weights for i, (_, weights) in enumerate(passes.other)})
        if passes.answer is not None:
            self.weights.put(part.start, {"answer": passes.answer[1]})
        if self.first is None:
            self.first = replace(passes, trace=passes.trace and _without_gradients(passes.trace), by_rule={})

    def hand_to(self, passes: Passes) -> None:
        """Add these to the passes of the whole case."""
        first, weights = self.first or Passes(), self.weights.arrays
        if first.trace is not None:
            evidence = {layer: replace(e, g=self.any.arrays[layer]) for layer, e in first.trace.evidence.items()}
            passes.trace = first.trace._replace(weights=weights["trace"], evidence=evidence)
        passes.other += [(answer, weights[f"other {i}"]) for i, (answer, _) in enumerate(first.other)]
        if first.answer is not None and passes.answer is None:
            passes.answer = first.answer[0], weights["answer"]


def _without_gradients(trace: Trace) -> Trace:
    return trace._replace(evidence={layer: replace(e, g=filled(e.g, 2), again=None) for layer, e in trace.evidence.items()})
