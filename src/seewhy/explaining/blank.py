"""Why a map is zero everywhere, in words: from what the passes left, and a few more of the image where that does not tell."""

import numpy as np
from numpy.typing import NDArray

from seewhy.arrays import filled
from seewhy.errors import Misuse, NotApplicable
from seewhy.models.model import ATTENTION, INPUT, Trace

from .case import Case

UNMOVED = "no change of the image changed the score by more than rounding: it does not depend on what was hidden"
NOTHING_OF_IMAGE = (
    "as a score that other inputs make, or a network whose weights are still zero or that is saturated: is the network trained?"
)


def zero_because(case: Case, layer: str, t: int, i: int) -> str:
    """In words, why the map of target t in image i is zero everywhere."""
    trace, head, ways_back = case.passes.trace, case.passes.head, case.passes.other
    if trace is None and head is None and layer == INPUT and "pixels" not in case.shared and not ways_back:
        return UNMOVED
    if trace is not None and layer in trace.evidence and not filled(trace.evidence[layer].g[t, i]):
        if why := trace.cut.get(layer):
            return why
        if other := _read_instead(trace, layer, t, i):
            return f"zero gradient: the score does not depend on {layer}: it rests on another of its calls, {other}"
        saturated = f"what follows {layer} is saturated, so that no small change there moves the score"
        return f"zero gradient: {not_resting(case, layer, t, i) or saturated}"
    if layer == ATTENTION:
        return "no attention weight raises the score: nothing mixes tokens for it, or what follows is saturated"
    if layer == INPUT:
        return not_resting(case, layer, t, i) or "nothing of the score comes back to the image"
    a = head.a[layer] if head is not None and trace is None else case.activations[layer]
    if not filled(a[i]):
        return f"{layer} is silent: every activation is zero"
    by_head = trace is None and head is not None
    if trace is None and (why := not_resting(case, layer, t, i)):
        return why
    return "the linear layer gives the target no weight" if by_head else "the evidence cancels out"


def not_resting(case: Case, layer: str, t: int, i: int) -> str:
    """In words, that no other values in the layer's cells change the score of target t in image i, and on which layer it rests
    instead; "" where some do.  It takes a few passes of that image.
    """
    model, x, row = case.model.beside(i, 1), case.x[i : i + 1], case.pinned[1][t, i]
    if model.rests(x, row, layer):
        return ""
    if layer == INPUT:
        return f"this score does not rest on the image: no other image changes it, {NOTHING_OF_IMAGE}"

    def target(_scores: NDArray[np.float64]) -> NDArray[np.float64]:
        return row[None]

    (other,) = model.defaults(x, [target])
    said = f"this score does not rest on {layer}: no other values in its cells change it"
    if other is not None and other[0] != layer and model.rests(x, row, other[0]):
        return f"{said}. It rests on {other[0]}, {other[1].why}"
    if model.rests(x, row, INPUT):
        return f"{said}. It rests on the image by another layer: `seewhy layers` and model.layers() list all"
    return f"{said}, {NOTHING_OF_IMAGE}"


def refusal_at(case: Case, error: NotApplicable) -> NotApplicable:
    """The error with which layers that a person named are refused; where no target rests on one of them, in the first image,
    that instead.
    """
    if None in case.requested:
        return error
    try:
        layers = case.sharing(()).layers
    except Misuse:  # what is wrong with one of them, the error tells
        return error
    for layer in layers:
        if layer != INPUT and all(why := not_resting(case, layer, t, 0) for t in range(len(case.targets))):
            return NotApplicable(f"{why}.")
    return error


def _read_instead(trace: Trace, layer: str, t: int, i: int) -> str:
    """Another call, or part, of that layer, to which a gradient of the target's score comes; "" where there is none."""
    name = layer.partition("#")[0]
    others = (other for other in trace.evidence if other.partition("#")[0] == name and other != layer)
    return next((other for other in others if filled(trace.evidence[other].g[t, i])), "")
