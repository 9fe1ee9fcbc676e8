"""Prepared images in the order in which a model is given them."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from seewhy.arrays import numbers
from seewhy.errors import NotApplicable
from seewhy.images.inputs import PreparedBatch
from seewhy.models.model import Model


def as_given(model: Model, x: NDArray[Any]) -> NDArray[Any]:
    """Prepared images (n, c, *space) in the order in which the model is given such: it may take (n, *space, c).

    Raises NotApplicable where no place of the channels makes them the same images again.
    """
    for channels in range(1, x.ndim):
        turned = np.moveaxis(x, 1, channels)
        read = numbers(next(iter(model.batches(PreparedBatch(turned[:1])))).x)
        if read.shape == x[:1].shape and np.array_equal(read, x[:1]):
            return turned
    raise NotApplicable(f"{model.name} reads prepared images in an order of its own, so none can be made for it.")
