"""A function from images to scores, asked for the scores of many variants of one image."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from seewhy.arrays import Array
from seewhy.errors import BadNetwork, NeedsGradients

from .pace import Pace
from .settings import BATCH
from .together import among


class FunctionScorer:
    """The scores of variants of an image, from `FunctionModel.scoring`."""

    differs = False
    notes: tuple[str, ...] = ()  # `FunctionModel.remarks` tells

    def __init__(self, model: Any, dtype: Any, normalised: bool) -> None:
        self.model, self.dtype, self.normalised = model, dtype, normalised
        unknown = not (model.together.alone or model.together.fine)
        self.spare = int(unknown and (model.requested_batch_size or 1) > 1)  # for a known image, in a call that is full

    def __call__(self, x: NDArray[Any]) -> NDArray[Any]:
        return self.model.scored(self._each(x), self.normalised)

    def _each(self, x: NDArray[Any]) -> NDArray[Any]:
        """What the function gives for each image, whatever others are in the call: an image that is known goes along in the
        first of each size.
        """
        model, together = self.model, self.model.together
        if together.alone:
            return np.concatenate([model.raw(x[i : i + 1]) for i in range(len(x))])
        known = model.known_alone(x) if len(x) > 1 or self.spare else None
        many, here = (x, np.arange(len(x))) if known is None else among(x, known.astype(x.dtype))
        try:
            raw = model.raw(many)
        except BadNetwork:
            if len(many) == 1:
                raise
            each = [model.raw(x[i : i + 1]) for i in range(len(x))]
            model.takes_one()
            return np.concatenate(each)
        if known is not None:
            model.note_rows(many, raw)
            if together.doubts is not None and model.mixed(many):
                return self._each(x)
        return raw[here]

    def array(self, x: NDArray[Any]) -> NDArray[Any]:
        return x.astype(self.dtype) if x.dtype.kind == "f" else x

    def blend(self, keep: NDArray[Any], image: NDArray[Any], fill: NDArray[Any]) -> NDArray[Any]:
        keep = keep[:, None]
        return np.where(keep, image, fill) if keep.dtype == bool else fill + (image - fill) * keep

    def pace(self, together: int | None, most: int) -> Pace:
        return Pace(1 if self.model.together.alone else self.model.requested_batch_size or min(together or BATCH, most))

    def boxed(self, image: Array) -> None:
        return None

    def tail(self, image: Array, layer: str) -> Any:
        raise NeedsGradients(f"{self.model.name} gives scores only.")
