"""Grad-CAM held against HiResCAM, of the same pass: where the two part, averaging the gradient has moved the evidence."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from seewhy.arrays import Array, Floats, numbers
from seewhy.explaining.case import Case, Outcome
from seewhy.objects.shift import PARTED, energy_shift
from seewhy.printable import in_percent

from .method import Method, Own, listed

NAME = "disagreement_with_hires_cam"  # in Source.measured
LEAST = 1e-3  # less is rounding: the two are the same map, as behind them come pooling and one linear layer


def held_against_hires(method: Method[Own]) -> Method[Own]:
    """Let a method that averages the gradient measure how much of its evidence HiResCAM has elsewhere; no pass is added."""

    def run(case: Case, **params: Any) -> Outcome:
        outcome = method.outcome(case)
        there = case.at_layers(case.trace.evidence)
        apart = {layer: {NAME: _apart(outcome.cores[layer], e.a, e.g)} for layer, e in there.items()}
        return outcome._replace(measured_at=apart)

    return listed(replace(method, run=run, doubted=_doubted))


def _apart(maps: Floats, a: Array, g: Array) -> Floats:
    """How far the maps (t, n, *space) lie from HiResCAM's, (t, n), to four digits; NaN where they are the same."""
    found = np.full(maps.shape[:2], np.nan)
    for t, of_target in enumerate(maps):
        hires = numbers((a * g[t]).sum(1))
        for i in np.flatnonzero(_finite(hires) & _finite(of_target)):
            apart = round(energy_shift(of_target[i], hires[i]), 4)
            found[t, i] = apart if apart >= LEAST else np.nan
    return found


def _finite(maps: Floats) -> Floats:
    """Of maps (n, *space): which of them are finite everywhere, (n,)."""
    return np.asarray(np.isfinite(maps).reshape(len(maps), -1).all(1))


def _doubted(measured: Mapping[str, float]) -> str:
    apart = measured.get(NAME, 0.0)
    if apart < PARTED:
        return ""
    return (
        f"hires-cam has {in_percent(apart, 0)} of the evidence elsewhere: averaging the gradient has moved it, so trust "
        "hires-cam or layer-cam more here (seewhy.disagreement draws where they part)"
    )
