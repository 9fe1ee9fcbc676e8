"""A pass whose gradient at the images is asked for later: that of any weighted sum of the scores."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seewhy.errors import BadParameter, NeedsGradients, NotApplicable
from seewhy.models.model import INPUT, SCORES_LAYER, PulledPass

from .scores import cotangents


def pulled(model: Any, x: NDArray[Any], layers: Sequence[str]) -> PulledPass:
    """One pass of a BackendModel, of x (n, c, *space); of its layers the image and the scores can be pulled back.

    Raises NotApplicable for others, NeedsGradients where the framework gives no gradients.
    """
    by = model.backend.framework
    if inner := [name for name in layers if name not in (SCORES_LAYER, INPUT)]:
        what = f"The gradient of what layer {inner[0]} emits, toward the images,"
        raise NotApplicable(f"{what} cannot be had by {by}; that of scores can. Keras on torch and torch networks give both.")
    if "gradients" not in model.gives:
        raise NeedsGradients(f"{model.name} runs by {by}, which gives no gradients. {model.instead}")
    if model.aims:
        raise NotApplicable(f"Gradients of regions, boxes and points cannot be had by {by}.")
    with model.running(x):
        passed = model.backend.traced(x, [INPUT], None)
    raw = model.scores_of(passed.output, len(x))
    answer = model.answer_of(raw)
    values = {SCORES_LAYER: answer.scores, INPUT: x}

    def back(of: Mapping[str, NDArray[Any]]) -> NDArray[Any]:
        for name, each in of.items() or [("no layer", raw)]:
            if name not in layers or each.shape != values[name].shape:
                kept = ", ".join(f"{kept} {values[kept].shape}" for kept in layers)
                raise BadParameter(f"Pulled back was {name} {each.shape}; this pass kept {kept}.")
        assert passed.pull is not None, "a traced pass can be pulled back"
        total = of.get(INPUT, np.zeros_like(x))
        if SCORES_LAYER in of:
            of_scores = of[SCORES_LAYER][None]
            starts = cotangents(raw, of_scores, model.explains, answer.normalised, model.task, model.groups)
            with model.running(x):
                total = total + passed.pull(starts)[INPUT][0]
        return total

    return PulledPass({name: values[name] for name in layers}, back)
