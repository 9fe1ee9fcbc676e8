"""What a few answers of a function show: the evidence on which the doctor judges methods, of what gives scores alone."""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seewhy.arrays import Array, numbers
from seewhy.untrained import ADVICE

from .hazard import NOTE, WARNING, Hazard, mixed_batch, one_at_a_time
from .model import Answer, Examination


def examination(model: Any, x: Array) -> Examination:
    """What two answers of a FunctionModel to the same image (1, c, *space), and one to it among others, show."""
    answer, again = model.answer(x), model.answer(x)
    hazards = [
        Hazard("scores-only", NOTE, "it gives scores, and nothing inside can be read", (), "occlusion, rise and lime do."),
        *model.known.hazards,
    ]
    difference = abs(answer.scores - again.scores).max()
    if difference > 1e-6 * abs(answer.scores).max():
        words = f"two calls with the same image differ, by {difference:.2g}"
        advice = "Maps come out different each time; average several."
        hazards.append(Hazard("non-deterministic", WARNING, words, (), advice))
    else:
        hazards += _among_others(model, numbers(x), answer)
    if model.labels is not None and len(model.labels) != answer.scores.shape[1]:
        words = f"there are {len(model.labels)} labels for {answer.scores.shape[1]} scores"
        hazards.append(Hazard("labels", WARNING, words, (), "Give those that belong to this function: labels=."))
    if model.untrained:
        hazards.append(Hazard("random-weights", WARNING, f"{model.untrained}: nothing was learned there", (), ADVICE))
    why = f"{model.name} gives scores only"
    return Examination(answer, {}, None, None, {"inside": why, "image": why}, tuple(hazards))


def _among_others(model: Any, x: NDArray[Any], answer: Answer) -> Iterator[Hazard]:
    """What stands in the way of images that share a call: found by the image between its mirror image and one upside down, or
    beside its mirror image where a call takes two.
    """
    images = np.concatenate([x[..., ::-1], x, np.flip(x, tuple(range(2, x.ndim)))])[: model.requested_batch_size]
    with suppress(MemoryError), model.scoring(x, answer) as scorer:  # a call of fewer may fit
        scorer(images)
    if model.together.mixes:
        yield mixed_batch()
    if model.together.single:
        yield one_at_a_time()
