"""What is kept of the passes over a batch, beside its maps: what the network said of each photo, and what it saw in it."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from numpy.typing import NDArray

from seewhy.arrays import numbers
from seewhy.explaining.batching import Collector
from seewhy.explaining.case import Case
from seewhy.explaining.findings import TargetGroup
from seewhy.maps.source import ModelFacts
from seewhy.models.model import INPUT
from seewhy.prepare.batch import Batch


class PhotoAnswer(NamedTuple):
    """What the network said of a photo, and what it saw in it.

    scores, probabilities: (k,); None where it gives no classes, or no probabilities.
    a: the activation (c, *space) of the layer that is explained; None where none can be read.
    """

    scores: NDArray[Any] | None
    probabilities: NDArray[Any] | None
    a: NDArray[Any] | None


class Looking(Collector):
    """Collects maps of a batch, leaving out photos of which none can be made, and what the passes left of each.

    answers: by the place of the photo in the batch; facts: of the model, which stays as it is meanwhile.
    """

    distinct, recording = True, False  # a row has its map's values

    def __init__(self, count: int, facts: ModelFacts | None = None) -> None:
        super().__init__("skip", count)
        self.facts = facts
        self.answers: dict[int, PhotoAnswer] = {}

    def facts_of(self, model: Any) -> ModelFacts:
        """Those that are known, which need not be found out for each batch."""
        return self.facts or super().facts_of(model)

    def saw(self, place: int, batch: Batch, groups: Sequence[TargetGroup]) -> None:
        """Keep what the groups' passes left; where these did not run to the network's end, or read no layer, one more does."""
        cases = [case for group in groups for case in (group.case, *(finding.case for finding in group.findings))]
        answered = next((case.answered for case in cases if case.answered is not None), None)
        if answered is None and not cases[0].model.no_classes:
            answered = cases[0].pinned
        a = _activation(cases)
        for i in range(len(batch.x)):
            scores = chances = None
            if answered is not None:
                scores = answered[0].scores[i]
                chances = None if answered[0].probabilities is None else answered[0].probabilities[i]
            self.answers[place + i] = PhotoAnswer(scores, chances, None if a is None else a[i])


def _activation(cases: Sequence[Case]) -> NDArray[Any] | None:
    """The activation (n, c, *space) of the first layer that the passes read; of the default layer, where they read none."""
    for case in cases:
        passes = case.passes
        read: dict[str, Any] = {}
        if passes.trace is not None:
            read |= {name: evidence.a for name, evidence in passes.trace.evidence.items()}
        read |= passes.head.a if passes.head is not None else {}
        read |= passes.stopped[0] if passes.stopped is not None else {}
        for name, a in read.items():
            if name != INPUT and a.ndim > 2:
                return numbers(a)
    case = cases[0]
    if "layers" not in case.model.gives or case.usual is None:
        return None
    a = next(iter(case.model.activations(case.x, [case.usual[0]])[0].values()))
    return numbers(a) if a.ndim > 2 else None
