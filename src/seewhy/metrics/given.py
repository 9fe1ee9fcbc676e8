"""Prepared images as a model may be given them: in its order of axes, and changed photos no darker than black."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from seewhy.arrays import Floats, numbers
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


def as_a_photo(model: Model, x: Floats, changed: Floats) -> Floats:
    """A changed photo with nothing darker than black or lighter than white, as photos are, but for what was so before; of what
    is no photo, the same.  x: the prepared image (c, *space) as it was.
    """
    black, white = model.colour(0), model.colour(255)
    if black is None or white is None:
        return changed
    rows, each = x.reshape(len(x), -1), (-1, *(1 for _ in x.shape[1:]))
    low, high = np.min([black, white, rows.min(1)], 0).reshape(each), np.max([black, white, rows.max(1)], 0).reshape(each)
    return np.clip(changed, low, high)
