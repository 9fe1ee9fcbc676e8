"""A network of any framework asked for the scores of many variants of one image, or of edits of what a layer emits."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from seewhy.arrays import numbers
from seewhy.errors import NotApplicable
from seewhy.models.function import SLACK
from seewhy.models.function_scorer import FunctionScorer
from seewhy.models.model import INPUT
from seewhy.models.pace import Pace
from seewhy.models.together import alike


class BackendScorer(FunctionScorer):
    """The scores of variants of an image, from `BackendModel.scoring`."""

    model: Any  # a BackendModel

    def __init__(self, model: Any, x: NDArray[Any], normalised: bool) -> None:
        super().__init__(model, x.dtype, normalised)
        self.at_once = model.at_once(x.shape[2:])

    def pace(self, together: int | None, most: int) -> Pace:
        return Pace(1 if self.model.together.alone else self.model.requested_batch_size or min(together or self.at_once, most))

    def tail(self, image: NDArray[Any], layer: str) -> "BackendTail":
        """The scores behind one layer of an image (c, *space), for edits of what it emits."""
        if layer == INPUT:
            raise NotApplicable(f"layer={layer!r}: what is edited here is an activation inside the network; name a layer.")
        return BackendTail(self, image, layer)


class BackendTail:
    """The scores behind one layer of one image."""

    def __init__(self, scorer: BackendScorer, image: NDArray[Any], layer: str) -> None:
        self.scorer = scorer
        image = numbers(image)
        with scorer.model.running(image[None]):
            self.behind = scorer.model.backend.behind(image, layer)
        self.a, self.notes = self.behind.a, self.behind.notes
        self.compared = False  # were edits that ran together held against what they give alone?

    def __call__(self, edits: NDArray[Any]) -> NDArray[Any]:
        """The scores (m, k) of edits (m, c, *space) of what the layer emits: of the first several, the first and the last are
        asked for again alone.
        """
        edits, model = numbers(edits).astype(self.a.dtype, copy=False), self.scorer.model
        if len(edits) > 1 and not (self.compared or model.together.alone):
            self.compared, raw, ends = True, self._raw(edits), [self._raw(edits[i : i + 1]) for i in (0, len(edits) - 1)]
            model.together.mixes |= not alike(raw[[0, -1]], np.concatenate(ends), SLACK)
            if not model.together.mixes:
                return model.scored(raw, self.scorer.normalised)
        each = [edits[i : i + 1] for i in range(len(edits))] if model.together.alone else [edits]
        return model.scored(np.concatenate([self._raw(part) for part in each]), self.scorer.normalised)

    def _raw(self, edits: NDArray[Any]) -> NDArray[Any]:
        with self.scorer.model.running(edits):
            output = self.behind.run(edits)
        return self.scorer.model.scores_of(output, len(edits))
