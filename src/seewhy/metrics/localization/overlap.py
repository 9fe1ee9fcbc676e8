"""How much boxes overlap."""

import numpy as np
from numpy.typing import NDArray

from seewhy.arrays import Floats


def overlaps(boxes: Floats, others: Floats, inclusive: bool = False) -> NDArray[np.float64]:
    """Intersection over union of each box with each other: (n, 4), (m, 4) -> (n, m).

    Boxes are (x0, y0, x1, y1).  inclusive: as in Pascal VOC, ILSVRC and their kin, where x1 and y1 are the last pixels that
    belong to a box (and a side is x1 - x0 + 1 long); else they are its right and lower edge.
    """
    more = int(inclusive)
    a = np.asarray(boxes, np.float64).reshape(-1, 4)[:, None]
    b = np.asarray(others, np.float64).reshape(-1, 4)[None]
    sides = np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2]) + more
    common = sides.clip(0).prod(-1)
    union = sum((box[..., 2:] - box[..., :2] + more).prod(-1) for box in (a, b)) - common
    return np.divide(common, union, out=np.zeros(common.shape), where=union > 0)
