"""The scores of variants of an image, of a function from images to scores."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from seewhy.arrays import Array
from seewhy.errors import NeedsGradients

from .pace import Pace
from .settings import BATCH

if TYPE_CHECKING:
    from .function import FunctionModel


class FunctionScorer:
    """The scores of variants of an image, from `FunctionModel.scoring`."""

    differs = False
    notes: tuple[str, ...] = ()

    def __init__(self, model: "FunctionModel", dtype: Any, normalised: bool) -> None:
        self.model, self.dtype, self.normalised = model, dtype, normalised

    def __call__(self, x: NDArray[Any]) -> NDArray[Any]:
        return self.model.scored(self.model.raw(x), self.normalised)

    def array(self, x: NDArray[Any]) -> NDArray[Any]:
        return x.astype(self.dtype) if x.dtype.kind == "f" else x

    def blend(self, keep: NDArray[Any], image: NDArray[Any], fill: NDArray[Any]) -> NDArray[Any]:
        keep = keep[:, None]
        return np.where(keep, image, fill) if keep.dtype == bool else fill + (image - fill) * keep

    def pace(self, together: int | None, most: int) -> Pace:
        return Pace(self.model.requested_batch_size or min(together or BATCH, most))

    def boxed(self, image: Array) -> None:
        return None

    def tail(self, image: Array, layer: str) -> Any:
        raise NeedsGradients(f"{self.model.name} gives scores only.")
