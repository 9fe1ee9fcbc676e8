"""A function from images to scores, asked for the scores of many variants of one image."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from seewhy.arrays import Array
from seewhy.errors import BadNetwork, NeedsGradients, NoService

from .pace import Pace
from .settings import BATCH


class FunctionScorer:
    """The scores of variants of an image, from `FunctionModel.scoring`."""

    differs = False
    notes: tuple[str, ...] = ()  # `FunctionModel.remarks` tells

    def __init__(self, model: Any, dtype: Any, normalised: bool) -> None:
        self.model, self.dtype, self.normalised = model, dtype, normalised

    def __call__(self, x: NDArray[Any]) -> NDArray[Any]:
        return self.model.scored(self._each(x), self.normalised)

    def _each(self, x: NDArray[Any]) -> NDArray[Any]:
        """What the function gives for each image, whatever others are in the call: of the first call of several, the one in
        the middle is asked for again alone.
        """
        model = self.model
        if model.together.alone:
            return self._one_by_one(x)
        try:
            raw = model.noted(x)
        except NoService:
            raise
        except BadNetwork as error:
            if not model.together.open(x) or model.together.larger(x):
                raise
            return self._taken_alone(x, error)
        return self._one_by_one(x) if model.mixed(x) else raw

    def _one_by_one(self, x: NDArray[Any]) -> NDArray[Any]:
        return np.concatenate([self.model.raw(x[i : i + 1]) for i in range(len(x))])

    def _taken_alone(self, x: NDArray[Any], error: BadNetwork) -> NDArray[Any]:
        """What the function gives for each of these images alone, if it fails on all together, and does so again.

        Raises the error with which it failed, where it fails on one alone, or goes well now.
        """
        try:
            raw = self._one_by_one(x)
        except BadNetwork:
            raise error from None
        try:
            self.model.raw(x)
        except BadNetwork:
            self.model.takes_one()
            return raw
        raise error

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
